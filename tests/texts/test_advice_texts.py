"""The prose of the rules of `analyze`: complete in every language, and never dead."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

import mailtrust
from mailtrust.core.advice import RULES
from mailtrust.core.events.explain import placeholders
from mailtrust.errors import TextMissing
from mailtrust.texts import LANGUAGES, AdviceText, load

SOURCE = Path(mailtrust.__file__).parent / "texts"
PARTS = {"title", "found", "why", "fix"}
CJK = "\u4e00-\u9fff"


def texts(language: str) -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads((SOURCE / language / "advice.toml").read_text("utf-8"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_rule_has_its_prose_and_none_is_left_over(language: str) -> None:
    found = texts(language)

    assert found.keys() == {rule.code for rule in RULES}
    assert [code for code, parts in found.items() if parts.keys() != PARTS or not all(parts.values())] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_languages_name_the_same_things(rule: object) -> None:
    """Values, commands, settings and numbers are the same words to every reader."""
    english, chinese = (load(one, strict=True).advice(rule.code) for one in ("en", "zh"))  # type: ignore[attr-defined]

    assert placeholders(chinese.found) == placeholders(english.found)
    for part in (whole(english), whole(chinese)):
        assert not re.search(r"[{}]", re.sub(r"\{[a-z_]+(:[^{}]+)?\}", "", part))
    for pattern in (r"`[^`]+`", r"\b[0-9]{4,5}\b", r"\bA[0-9]{3}\b"):
        assert set(re.findall(pattern, whole(chinese))) == set(re.findall(pattern, whole(english)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_chinese_is_written_in_chinese(rule: object) -> None:
    text = load("zh", strict=True).advice(rule.code)  # type: ignore[attr-defined]

    for part in (text.title, text.found, text.why, text.fix):
        assert re.search(f"[{CJK}]", part)


def test_a_rule_that_is_not_there_has_no_prose() -> None:
    with pytest.raises(TextMissing, match=r"en/advice\.toml has no 'A999'"):
        load("en").advice("A999")


def whole(text: AdviceText) -> str:
    return "\n".join((text.title, text.found, text.why, text.fix))
