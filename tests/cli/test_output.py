"""Where our output goes: a pipe that closes, a disk that is full, an encoding that lacks our symbols."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.desk import Desk


def run(desk: Desk, words: str, redirect: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """One command in a shell, with a redirection of its output."""
    configuration = desk.folder / "mailtrust.toml"
    script = f'"{sys.executable}" -m mailtrust --config "{configuration}" {words} {redirect}'
    given = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment}
    return subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=False, env=given, timeout=60)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_encoding_without_our_symbols_gets_others_and_never_the_question_mark(
    desk: Desk, encoding: str
) -> None:
    """`?` says in the grid that nobody could look; what is there must not turn into that."""
    desk.enabled()
    ran = run(desk, "status", PYTHONIOENCODING=encoding, LANG="C")

    assert ran.returncode == 0, ran.stderr
    row = next(line for line in ran.stdout.decode(encoding).splitlines() if line.startswith("current"))
    assert row.split()[-4:] == ["#"] * 4
    assert "# there" in ran.stdout.decode(encoding)


def test_a_drawing_has_stand_ins_as_well(desk: Desk) -> None:
    desk.enabled()
    ran = run(desk, "flow hub1 127.0.0.1:1", PYTHONIOENCODING="ascii", LANG="C")

    assert ran.returncode == 1
    assert b" x connection" in ran.stdout
    assert b"\\u" not in ran.stdout


def test_a_file_gets_lines_as_long_as_the_environment_says(desk: Desk) -> None:
    desk.enabled()
    ran = run(desk, "flow hub1 127.0.0.1:1", COLUMNS="200")

    assert any("127.0.0.1:1 " in line and len(line) > 80 for line in ran.stdout.decode().splitlines()), (
        ran.stdout
    )


def test_an_encoding_without_chinese_costs_no_verdict(desk: Desk) -> None:
    """`check` is a monitoring plugin: it judges wherever its words go."""
    desk.made()
    ran = run(desk, "check", PYTHONIOENCODING="ascii", LANG="zh_CN.UTF-8")

    assert (ran.returncode, ran.stderr) == (2, b"")
    assert ran.stdout.startswith(b"MAILTRUST CRITICAL - hub1 12012 not-enabled on dc2")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    ("words", "code"), [("check", 3), ("check --json", 3), ("status", 1), ("list --json", 1)]
)
def test_output_that_cannot_be_written_is_said_and_is_no_verdict(desk: Desk, words: str, code: int) -> None:
    """Exit 1 of `check` would be a warning that nobody gave."""
    ran = run(desk, words, ">/dev/full")

    assert ran.returncode == code
    assert ran.stderr == b"mailtrust: the output cannot be written: no space left on device\n"


@pytest.mark.parametrize("words", ["check --json", "check", "status", "--help"])
def test_a_closed_output_is_no_fault_of_ours(desk: Desk, words: str) -> None:
    """Some schedulers close it; the exit code is all that they want."""
    desk.enabled()
    ran = run(desk, words, ">&-")

    assert (ran.returncode, ran.stderr) == (0, b"")
