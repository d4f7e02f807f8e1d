"""Every event of Exchange that we know has words, in every language."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import mailtrust
from mailtrust.core.eventlog.known import KNOWN, Family, Known
from mailtrust.core.model.event import Severity
from mailtrust.errors import TextMissing
from mailtrust.texts import LANGUAGES
from mailtrust.texts.logged import logged_text, parameter

FOLDER = Path(mailtrust.__file__).parent / "texts"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_event_without_a_page_of_ours_has_a_paragraph(language: str) -> None:
    for one in KNOWN:
        if one.page is None:
            text = logged_text(language, one)
            assert text.title
            assert text.meaning
            assert text.action


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_value_has_a_name(language: str) -> None:
    named = tomllib.loads((FOLDER / language / "logged.toml").read_text("utf-8"))["parameters"]

    assert named.keys() == {name for one in KNOWN for name in one.parameters}
    assert parameter(language, "thumbprint") == named["thumbprint"]


def test_every_language_has_the_same_events_and_none_is_left_over() -> None:
    keys = []
    for language in LANGUAGES:
        found = tomllib.loads((FOLDER / language / "logged.toml").read_text("utf-8"))
        keys.append({(family, number) for family in found for number in found[family]})
    numbers = {(one.family.value, str(one.number)) for one in KNOWN if one.page is None}

    assert keys[0] == keys[1]
    assert {one for one in keys[0] if one[0] in ("transport", "edgesync")} <= numbers


def test_an_event_without_words_is_found_by_the_tests() -> None:
    with pytest.raises(TextMissing, match="transport 7"):
        logged_text("en", Known(Family.TRANSPORT, 7, "Nobody", Severity.ERROR))
