"""How our files look: their size, their first words, and the names they use."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.check_size import LIMIT

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "mailtrust"
MODULES = sorted(SOURCE.rglob("*.py"))
TEST_MODULES = sorted((ROOT / "tests").rglob("test_*.py"))

NO_NAMES_OF_CLASSES = {"Manager", "Handler", "Helper", "Service", "Info", "Data", "Util", "Utils"}
NO_NAMES_OF_MODULES = {"utils", "util", "common", "helpers", "misc"}
TEACHES_WORDS = 4
SENTENCE_WORDS = 3

# Registries are named by whoever installs; a lock or a page that names one fails everywhere else.
REGISTRY = re.compile(
    r"pypi\.org|pythonhosted\.org|/simple/?(?:\s|$)|--(?:extra-)?index-url|crates\.io|npmjs\."
)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def capitals(name: str) -> list[str]:
    """The words of a class's name: ``StoreSighting`` has two."""
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]*", name)


def tracked() -> Iterator[Path]:
    """Every text file that a clone gets."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and b"\0" not in path.read_bytes():
            yield path


def parsed(modules: list[Path]) -> Iterator[tuple[str, ast.Module]]:
    for module in modules:
        yield relative(module), ast.parse(module.read_text("utf-8"))


def test_a_module_is_read_in_one_sitting() -> None:
    assert [relative(one) for one in MODULES if len(one.read_text("utf-8").splitlines()) >= LIMIT] == []


def test_a_module_begins_with_a_sentence_that_teaches() -> None:
    silent = []
    for name, tree in parsed(MODULES):
        opening = (ast.get_docstring(tree) or "").partition("\n\n")[0]
        if len(opening.split()) < TEACHES_WORDS or opening[-1] not in ".:!?":
            silent.append(name)

    assert silent == []


def test_a_name_says_what_it_is() -> None:
    assert [relative(one) for one in MODULES if one.stem in NO_NAMES_OF_MODULES] == []
    assert [
        f"{name}: {node.name}"
        for name, tree in parsed(MODULES)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and set(capitals(node.name)) & NO_NAMES_OF_CLASSES
    ] == []


def test_a_test_is_named_by_a_sentence() -> None:
    """The list of tests is what the project promises, and is read as such."""
    short = [
        f"{name}: {node.name}"
        for name, tree in parsed(TEST_MODULES)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")
        if len(node.name.removeprefix("test_").split("_")) < SENTENCE_WORDS
    ]

    assert short == []


def test_a_test_does_not_import_what_is_private() -> None:
    private = [
        f"{name}: {node.module}.{alias.name}"
        for name, tree in parsed(TEST_MODULES)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mailtrust")
        for alias in node.names
        if alias.name.startswith("_") or "._" in (node.module or "")
    ]

    assert private == []


def test_no_file_names_a_registry() -> None:
    here = Path(__file__)
    named = [
        f"{relative(path)}:{number}"
        for path in tracked()
        if path != here
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1)
        if REGISTRY.search(line)
    ]

    assert named == []


def test_a_folder_holds_two_files_or_is_none() -> None:
    lonely = [
        relative(folder)
        for folder in sorted({path.parent for path in MODULES})
        if len([path for path in folder.iterdir() if path.suffix in (".py", ".md", ".toml")]) < 2
    ]

    assert lonely == []


def test_every_requirement_is_locked_by_hash() -> None:
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        pinned = re.findall(
            r"^[a-z0-9._-]+==\S+.*?(?=^[a-z0-9._-]+==|\Z)", lock.read_text("utf-8"), re.M | re.S
        )

        assert pinned, lock
        assert [entry.split()[0] for entry in pinned if "--hash=sha256:" not in entry] == []


def test_locks_hold_what_the_project_asks_for() -> None:
    """A dependency that was added without `make lock` would be missing in every clone but one's own."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = project["dependency-groups"]
    asked = {
        "run": [*project["project"]["dependencies"], *groups["build"]],
        "dev": [*project["project"]["dependencies"], *groups["build"], *groups["dev"]],
        "lock": groups["lock"],
    }
    unmet = []
    for lock, requirements in asked.items():
        text = (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8")
        locked = dict(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", text, re.MULTILINE))
        for requirement in map(Requirement, requirements):
            version = locked.get(canonicalize_name(requirement.name), "")
            if not version or version not in requirement.specifier:
                unmet.append(f"{lock}: {requirement} is {version or 'missing'}")

    assert unmet == []


def test_users_and_tests_meet_the_same_versions() -> None:
    run, dev = (
        set(
            re.findall(
                r"^[a-z0-9._-]+==\S+",
                (ROOT / "requirements" / f"{name}.txt").read_text("utf-8"),
                re.MULTILINE,
            )
        )
        for name in ("run", "dev")
    )

    assert run <= dev
