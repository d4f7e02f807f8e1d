"""The pictures: for light and dark, and for who does not see them; what is typed can be typed."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.docs.worlds import without_config
from tests.texts.test_what_to_type import complaints
from tools.make_recording import PICTURE, commands, drawn, shown

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"
PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.svg"))

STORY = """\
── 12012, cause 1: not-enabled.
$ mailtrust --config hub1.toml new
made 69ba44af976b in /tmp/mailtrust-lab-x1y2/hub1 <here>
$ mailtrust --config hub1.toml check

── 12012, cause 2: no-certificate.
"""


@pytest.mark.parametrize("picture", PICTURES, ids=[one.stem for one in PICTURES])
def test_a_picture_is_for_everybody(picture: Path) -> None:
    text = picture.read_text("utf-8")
    root = ET.fromstring(text)  # our own file

    assert root.get("role") == "img"
    assert (root.findtext(f"{SVG}title") or "").strip()
    assert len((root.findtext(f"{SVG}desc") or "").strip()) > 40
    assert "prefers-color-scheme: dark" in text
    assert "<script" not in text
    assert re.findall(r"(?:href|src)=\"(?!#)|url\((?!#)|@import", text) == []


def test_every_picture_on_a_page_says_in_words_what_it_shows() -> None:
    mute = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        for words, target in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.read_text("utf-8"))
        if len(words) < 20
    ]

    assert mute == []


def test_what_the_recording_types_can_be_typed() -> None:
    """What the story types today is compared in tests/lab/test_stories.py, where it is played."""
    typed = commands(PICTURE.read_text("utf-8"))

    assert typed[0] == "make run"
    assert "mailtrust --config hub1.toml enable CERTIFICATE --yes" in typed
    assert [one for line in typed[1:] for one in complaints(without_config(line))] == []


def test_a_story_is_drawn_up_to_its_second_cause() -> None:
    picture = drawn(shown(STORY))
    words = "".join(ET.fromstring(picture).itertext())  # our own text

    assert commands(picture) == [
        "make run",
        "mailtrust --config hub1.toml new",
        "mailtrust --config hub1.toml check",
    ]
    assert "made 69ba44af976b in /srv/lab/hub1 <here>" in words
    assert "cause 2" not in words
