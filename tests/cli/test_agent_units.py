"""The units that come with the agent: systemd takes them, and finds little that it could do to the host."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from tests.cli.desk import Desk
from tests.programs import needs, program

UNITS = ("mailtrust-agent.service", "mailtrust-agent@.service")
DOCS = Path(__file__).parents[2] / "docs"
MOST_EXPOSED = 2.0
"""Of 10; systemd calls up to 2 "OK"."""


def text(name: str) -> str:
    return (files("mailtrust") / "systemd" / name).read_text(encoding="utf-8")


def lines(name: str) -> list[str]:
    return [line for line in text(name).splitlines() if line and not line.startswith(("#", "["))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The units, with a program that is there."""
    for name in UNITS:
        (tmp_path / name).write_text(text(name).replace("/opt/mailtrust/.venv/bin/mailtrust", "/bin/true"))
    return tmp_path


def analyzed(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program("systemd-analyze") or "systemd-analyze", *map(str, words)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@needs("systemd-analyze")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_has_nothing_to_say_about_them(folder: Path, name: str) -> None:
    done = analyzed("verify", "--man=no", folder / name)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs("systemd-analyze")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_little_exposed(folder: Path, name: str) -> None:
    instance = folder / name.replace("@", "@hub1")
    if instance != folder / name:
        shutil.copyfile(folder / name, instance)
    done = analyzed("security", "--offline=true", "--no-pager", instance)

    found = re.search(r"Overall exposure level for .*: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) < MOST_EXPOSED


@pytest.mark.parametrize("name", UNITS)
def test_the_agents_page_explains_every_line(name: str) -> None:
    page = (DOCS / "agent.md").read_text("utf-8")
    kept = [line.partition("=")[0] for line in lines(name)]
    unsaid = [
        key for key in kept
        if f"{key}=" not in page and not re.match(r"ProtectKernel|Description|ExecStart|WantedBy", key)
    ]  # fmt: skip

    assert unsaid == []


def test_the_two_differ_only_in_whose_they_are() -> None:
    one, other = (set(lines(name)) for name in UNITS)

    assert {line.partition("=")[0] for line in one ^ other} == {"Description", "ExecStart", "StateDirectory"}


def test_the_program_writes_them_out(desk: Desk) -> None:
    said = desk.must("agent", "--print-units").out
    units = desk.must("agent", "--print-units", "--json").json["units"]

    for name in UNITS:
        assert f"# /etc/systemd/system/{name}\n{text(name)}" in said
        assert units[name] == text(name)
