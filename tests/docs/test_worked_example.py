"""The example in docs/contributing.md, done to the letter in a copy: it must work for whoever follows it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

HEAD_OF_THE_TEST = """
from mailtrust.core.model.sighting import Slot
from tests.core.checks.judge import codes, judged, the
from tests.make import DC1, a_certificate, a_replica, a_store, a_view, days, installed

"""


def example(name: str) -> str:
    page = (ROOT / "docs" / "contributing.md").read_text("utf-8")
    found = re.search(rf"<!-- example: {name} -->\n```\w+\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert found, name
    return found[1]


def insert(file: Path, before: str, text: str) -> None:
    source = file.read_text("utf-8")
    assert source.count(before) == 1, f"{file}: {before!r}"
    file.write_text(source.replace(before, text + before), "utf-8")


def test_the_check_of_the_contributing_page_works(tmp_path: Path) -> None:
    package = tmp_path / "src" / "mailtrust"
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / "core", tmp_path / "tests" / "core")
    shutil.copy(ROOT / "tests" / "make.py", tmp_path / "tests")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)

    catalog, installed = (
        package / "core" / "events" / "catalog.py",
        package / "core" / "checks" / "installed.py",
    )
    insert(catalog, "\nCATALOG: tuple", example("catalog"))
    insert(catalog, ")  # fmt: skip\n\nBY_CODE", "    LIVES_TOO_LONG,\n")
    insert(installed, "def no_successor(", example("check") + "\n\n")
    insert(installed, "\nfrom mailtrust.core.checks.case", "from datetime import timedelta\n")
    insert(
        package / "core" / "checks" / "__init__.py",
        "    installed.no_successor,\n",
        "    installed.lives_too_long,\n",
    )
    for language in ("en", "zh"):
        (package / "texts" / language / "12121.md").write_text(example("page"), "utf-8")
        insert(package / "texts" / language / "phrases.toml", "\n[labels]", example("phrase"))
    test = tmp_path / "tests" / "core" / "checks" / "test_lives_too_long.py"
    test.write_text(HEAD_OF_THE_TEST + example("test"), "utf-8")

    tested = run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test))
    explained = run(tmp_path, "-m", "mailtrust", "explain", "LivesTooLong")
    told = run(tmp_path, "-c", SAYS_IT)

    assert "2 passed" in tested
    assert "is valid for YEARS years" in explained
    assert told.strip() == "ABC is valid for 11 years"


SAYS_IT = """
from mailtrust.core.model.event import Said
from mailtrust.texts import load
print(load("en", strict=True).say(Said("certificate.long-life", {"fingerprint": "ABC", "years": "11"})))
"""


def run(folder: Path, *arguments: str) -> str:
    environment = {"PYTHONPATH": str(folder / "src"), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
