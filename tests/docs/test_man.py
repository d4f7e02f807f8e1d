"""The manual pages: one for each command, and without a word from those who check their form."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailtrust.cli.program import WORDS
from tests.programs import needs
from tools.make_man import main, pages

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def test_every_command_has_a_page_with_its_options_and_its_example() -> None:
    found = pages(NOW)

    assert found.keys() == {"mailtrust.1", *(f"mailtrust-{name}.1" for name in WORDS)}
    events = found["mailtrust-events.1"]
    assert r"\-\-since TIME" in events
    assert "mailtrust events import" in events
    assert r"mailtrust events import Application.evtx \-\-since 30d" in events


@needs("mandoc")
def test_the_form_of_every_page_is_right(tmp_path: Path) -> None:
    main([str(tmp_path)])

    command = ["mandoc", "-T", "lint", "-W", "warning", *sorted(map(str, tmp_path.glob("man1/*.1")))]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ran.stdout + ran.stderr == ""


@needs("mandoc")
def test_a_page_can_be_read(tmp_path: Path) -> None:
    main([str(tmp_path)])

    command = ["mandoc", "-T", "utf8", str(tmp_path / "man1" / "mailtrust-check.1")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "--timeout" in shown
    assert "monitoring plugin" in shown


def test_two_builds_are_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for name in ("a", "b"):
        main([str(tmp_path / name)])

    each = [
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("a", "b")
    ]
    assert each[0] == each[1]
    assert Path("completions/_mailtrust") in each[0]
    assert b"2023-11-14" in each[0][Path("man1/mailtrust.1")]


def test_a_page_says_how_its_own_command_ends() -> None:
    """Under the heading where one looks for it: `analyze` ends with 3, as plugins do."""
    found = pages(NOW)

    own, general = (
        found[f"mailtrust-{name}.1"].partition(".SH EXIT STATUS")[2] for name in ("analyze", "new")
    )
    assert "mailtrust analyze exits 0 where" in own
    assert "3 where nothing was found" in own
    assert general.startswith("\n0 done, or nothing to do; 1 failed")
