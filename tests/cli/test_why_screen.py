"""
The screen at three in the morning, as it stands: within 20 lines of 80 columns, in both languages.

To write the golden screens anew: MAILTRUST_GOLDEN=1 python -m pytest tests/cli/test_why_screen.py
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailtrust.cli.prose import wide
from mailtrust.cli.why_screen import COLUMNS, LINES, screen
from mailtrust.texts import LANGUAGES, load
from tests.cli.nights import LONG, NIGHTS, SHORT, WORST, Pair

GOLDEN = Path(__file__).parent / "golden" / "why"

in_every_language = pytest.mark.parametrize("language", LANGUAGES)
in_every_night = pytest.mark.parametrize("night", NIGHTS)


def drawn(night: str, language: str, on: Pair = SHORT, columns: int = COLUMNS) -> str:
    return screen(NIGHTS[night](on), load(language, strict=True), lambda command: command, columns) + "\n"


@in_every_language
@in_every_night
def test_the_screen_of_a_night(night: str, language: str) -> None:
    shown, file = drawn(night, language), GOLDEN / f"{night}.{language}.txt"
    if os.environ.get("MAILTRUST_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(shown, encoding="utf-8")

    assert shown == file.read_text("utf-8")


@pytest.mark.parametrize("on", [SHORT, LONG, WORST], ids=["short", "long", "worst"])
@in_every_language
@in_every_night
def test_it_fits_however_long_the_names_are(night: str, language: str, on: Pair) -> None:
    lines = drawn(night, language, on).splitlines()

    assert len(lines) <= LINES
    assert max(map(wide, lines)) <= COLUMNS


def test_next_hops_that_wait_for_one_and_the_same_take_a_line() -> None:
    answers = NIGHTS["never-enabled"](SHORT)
    [first] = answers.found
    others = tuple(replace(first, peer=None, asked=f"192.0.2.{number}:25") for number in range(3, 7))
    shown = screen(replace(answers, found=(first, *others)), load("en", strict=True), str)

    assert "14 more for 192.0.2.3:25, for the same reason." in shown
    assert len(shown.splitlines()) <= LINES


def test_an_empty_queue_is_a_short_screen() -> None:
    nothing = replace(NIGHTS["quiet"](SHORT), found=(), fine=("192.0.2.3:25",))

    assert screen(nothing, load("en", strict=True), str).splitlines() == [
        "WHY      Nothing waits in the queue.",
        "LOOKED   Nothing waits for 192.0.2.3:25.",
        "DO       Nothing has to be done.",
    ]


def test_the_page_shows_a_screen_as_it_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "why.md").read_text("utf-8")

    assert "".join(f"    {line}\n" for line in drawn("overdue", "en").splitlines()) in page


@pytest.mark.parametrize("on", [SHORT, LONG, WORST], ids=["short", "long", "worst"])
@pytest.mark.parametrize("night", ["never-enabled", "down", "stripped", "travelling"])
def test_a_command_can_be_pasted_however_long_it_is(night: str, on: Pair) -> None:
    """It goes on behind a backslash; a shell puts it together again."""
    answers = NIGHTS[night](on)
    command = answers.found[0].conclusion.command or ""
    program = command.split()[0]
    lines = drawn(night, "en", on).splitlines()
    start = next(at for at, line in enumerate(lines) if line.strip().startswith(f"{program} "))
    end = next(at for at in range(start, len(lines)) if not lines[at].endswith("\\"))

    script = f"{program}() {{ printf '%s ' {program} \"$@\"; }}\n" + "\n".join(lines[start : end + 1])
    ran = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)

    assert ran.stdout.split() == command.split()


def test_an_address_is_not_cut_as_a_name_is() -> None:
    """A next hop of which the directory knows nothing has no other name."""
    shown = drawn("never-enabled", "en", Pair(SHORT.here, "192.0.2.2", SHORT.urls))

    assert "192.0.2.2" in shown
    assert "192 " not in shown


@given(said=st.text(max_size=600), language=st.sampled_from(LANGUAGES))
@settings(max_examples=60, deadline=None)
def test_whatever_a_peer_says_the_screen_holds(said: str, language: str) -> None:
    """Its answer is printed as it came: long words, wide letters, line ends."""
    shown = screen(SHORT.answers(waiting=SHORT.waits(f"454 4.7.1 1036 {said}")), load(language), str)
    lines = shown.splitlines()

    assert len(lines) <= LINES
    assert max(map(wide, lines)) <= COLUMNS
