"""What we tell people to type or to set can be typed and set: at three in the morning they will paste it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mailtrust
from mailtrust.cli.program import program
from mailtrust.config.keys import KEYS
from mailtrust.texts import LANGUAGES
from tests.texts.sources import literals

SOURCE = Path(mailtrust.__file__).parent
TABLES = {key.table for key in KEYS}


def what_is_said(language: str) -> str:
    files = sorted((SOURCE / "texts" / language).iterdir())
    # A command may be wrapped at the end of a line.
    return " ".join(" ".join(file.read_text("utf-8").split()) for file in files)


def parts(command: str) -> tuple[Any, list[str]]:
    """The command of a line, through its subcommands, and the words that are left for it."""
    found: Any = program()
    words = shlex.split(command.replace("{", "").replace("}", ""))[1:]
    while words and hasattr(found, "commands") and not words[0].startswith("-"):
        word = words.pop(0)
        found = found.get_command(None, word)
        assert found is not None, f"`{command}`: there is no {word}"
    return found, words


def complaints(command: str) -> Iterator[str]:
    found, words = parts(command)
    known = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
    yield from (f"`{command}` has no {word}" for word in words if word.startswith("--") and word not in known)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_in_the_texts_can_be_typed(language: str) -> None:
    commands = set(re.findall(r"`(mailtrust [^`]+)`", what_is_said(language)))

    assert commands
    assert [one for command in sorted(commands) for one in complaints(command)] == []


def test_every_command_that_a_finding_proposes_can_be_typed() -> None:
    commands = {one for one in literals(SOURCE / "core") if re.match(r"mailtrust [a-z]", one)}

    assert {"mailtrust new", "mailtrust wait"} <= commands
    assert [one for command in sorted(commands) for one in complaints(command)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_setting_in_the_texts_can_be_set(language: str) -> None:
    settings = set(re.findall(rf"`((?:{'|'.join(TABLES)})\.[a-z_]+)[ `]", what_is_said(language)))

    assert settings
    assert settings - {key.path for key in KEYS} == set()
