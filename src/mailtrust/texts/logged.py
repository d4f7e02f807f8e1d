"""
What the events of Exchange mean that have no page of ours: a paragraph, and what to do, in each language.

They are not in our catalog, because mailtrust never says them; but whoever imports a log has them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from mailtrust.core.eventlog.known import Known
from mailtrust.errors import TextMissing

_HERE = Path(__file__).parent
_OF_THE_SOURCE = "all"


@dataclass(frozen=True, slots=True)
class LoggedText:
    """The prose of one such event in one language."""

    title: str
    meaning: str
    action: str


def logged_text(language: str, known: Known) -> LoggedText:
    """
    The prose of an event of Exchange; where only its source has words, those.

    Raises: TextMissing.
    """
    of_family = _texts(language).get(known.family.value, {})
    found = of_family.get(str(known.number)) or of_family.get(_OF_THE_SOURCE)
    if found is None:
        raise TextMissing(f"{language}/logged.toml has nothing about {known.family.value} {known.number}")
    return LoggedText(found["title"], found["meaning"], found["action"])


def parameter(language: str, code: str) -> str:
    """What a value of an event is, in words; its code where we have none."""
    found = _texts(language)["parameters"].get(code, code)
    return str(found)


@lru_cache
def _texts(language: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads((_HERE / language / "logged.toml").read_text("utf-8"))
    except OSError as error:
        raise TextMissing(f"the text {language}/logged.toml cannot be read") from error
