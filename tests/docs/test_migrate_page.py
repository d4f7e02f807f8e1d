"""The way from old rules to the directory: every command of the page can be typed."""

from __future__ import annotations

import re
from pathlib import Path

from mailtrust.config.keys import KEYS
from tests.texts.test_what_to_type import complaints

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "migrate-postfix.md"


def test_every_command_of_the_way_can_be_typed() -> None:
    text = PAGE.read_text("utf-8")
    shown = re.findall(r"^    (mailtrust [^\n>]+)", text, re.MULTILINE)
    said = re.findall(r"`(mailtrust [^`]+)`", " ".join(text.split()))

    assert {"mailtrust postfix setup", "mailtrust rotate undo"} <= {*shown, *said}
    assert [one for command in sorted({*shown, *said}) for one in complaints(command.strip())] == []


def test_every_setting_of_the_way_can_be_set() -> None:
    settings = set(
        re.findall(r"`((?:server|directory|policy|transport)\.[a-z_]+)[ `]", PAGE.read_text("utf-8"))
    )

    assert settings
    assert settings - {key.path for key in KEYS} == set()
