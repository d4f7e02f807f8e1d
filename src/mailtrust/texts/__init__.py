"""
Everything we say to people, in their language.

Python holds codes; the words are files beside this one: a Markdown page per event and language, and
`phrases.toml` with the sentences of evidence and the labels of our screens, `advice.toml` with the rules of
`analyze`.  Each is read when it is first asked for.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mailtrust.core.events.explain import EventText, filled, placeholders
from mailtrust.core.model.event import Finding, Said
from mailtrust.errors import BadInput, TextMissing
from mailtrust.texts.page import event_text

__all__ = ["LANGUAGES", "TAGS", "AdviceText", "EventText", "Texts", "language", "load"]

TAGS = {"en": "en", "zh": "zh-Hans"}
"""Each language, as a page in it calls it (BCP 47)."""
LANGUAGES = tuple(TAGS)
_FALLBACK = "en"
_HERE = Path(__file__).parent


def language(requested: str | None, environment: Mapping[str, str]) -> str:
    """
    The language to speak: the one that was *requested*, else the one of the environment.

    An environment in a language that we do not have, or in none, is answered in English.
    Raises: BadInput when the requested one is not there.
    """
    if requested is not None:
        spoken = _spoken(requested)
        if spoken is None:
            raise BadInput(
                f"there are no texts in {requested!r}", hint=f"the languages are {' and '.join(LANGUAGES)}"
            )
        return spoken
    # The first of these that is set decides alone (POSIX, Base Definitions 8.2).
    locale = next(filter(None, (environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return _spoken(locale) or _FALLBACK


def load(language: str, *, strict: bool = False) -> Texts:
    """
    The texts of one of LANGUAGES.

    *strict* is for tests: an unknown phrase or a value that is missing raises TextMissing, where a
    reader's screen shows what there is.
    """
    return Texts(language, strict)


@dataclass(frozen=True, slots=True)
class AdviceText:
    """The prose of one rule of `analyze`."""

    title: str
    found: str
    """What it found, with {placeholders}."""
    why: str
    fix: str
    """What to do, in front of what to type."""


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of one language."""

    language: str
    strict: bool = False

    def page(self, code: int) -> EventText:
        """
        The prose of an event of the catalog.

        Raises: TextMissing.
        """
        return _page(self.language, code)

    def message(self, finding: Finding) -> str:
        """The event's message, about this finding."""
        try:
            template = self.page(finding.event.code).message
        except TextMissing:
            if self.strict:
                raise
            return finding.event.name
        return self._fill(template, _values(finding))

    def cause(self, finding: Finding) -> str:
        """What the finding's cause means and what to do about it; empty where it has none."""
        if finding.cause is None:
            return ""
        try:
            template = self.page(finding.event.code).causes.get(finding.cause, "")
        except TextMissing:
            template = ""
        if not template and self.strict:
            raise TextMissing(f"{finding.event.code} in {self.language}: no text for {finding.cause!r}")
        return self._fill(template, _values(finding))

    def user_action(self, finding: Finding) -> tuple[str, ...]:
        """What to do about this finding, step by step.  Raises: TextMissing."""
        values = _values(finding)
        return tuple(self._fill(step, values) for step in self.page(finding.event.code).user_action)

    def advice(self, code: str) -> AdviceText:
        """
        The prose of a rule, by its code: ``A101``.

        Raises: TextMissing.
        """
        found = _rules(self.language).get(code)
        if found is None:
            raise TextMissing(f"{self.language}/advice.toml has no {code!r}")
        return AdviceText(**found)

    def fill(self, template: str, values: Mapping[str, str]) -> str:
        """A text with its values; where they are *strict*, one that is missing raises TextMissing."""
        return self._fill(template, values)

    def say(self, said: Said) -> str:
        """A phrase with its values."""
        template = self._look_up("phrases", said.phrase)
        if template is None:
            return ", ".join((said.phrase, *(f"{name} {value}" for name, value in said.values.items())))
        return self._fill(template, said.values)

    def phrase(self, code: str) -> str:
        """A phrase as it is written, its values still in braces; its code where we have no words."""
        return self._look_up("phrases", code) or code

    def label(self, code: str) -> str:
        """A word of our screens; its code where we have none."""
        return self._look_up("labels", code) or code

    def _look_up(self, table: str, code: str) -> str | None:
        spoken = _words(self.language)[table].get(code)
        if spoken is None and self.strict:
            raise TextMissing(f"{self.language}/phrases.toml has no {code!r} in [{table}]")
        return spoken if spoken is not None else _words(_FALLBACK)[table].get(code)

    def _fill(self, template: str, values: Mapping[str, str]) -> str:
        if self.strict and (unfilled := placeholders(template) - values.keys()):
            raise TextMissing(f"{template!r} wants {', '.join(sorted(unfilled))}")
        # A stage of `flow` is a code; the screen beside the sentence calls it by its label.
        label = self._look_up("labels", f"flow-{values['stage']}") if "stage" in values else None
        return filled(template, {**values, "stage": label} if label else values)


def _values(finding: Finding) -> Mapping[str, str]:
    return {**finding.values, "server": finding.server}


def _spoken(locale: str) -> str | None:
    """The language of ``zh_CN.UTF-8``, ``zh-Hans``, ``en``: territory, script and encoding do not count."""
    spoken = locale.replace("-", "_").partition(".")[0].partition("@")[0].partition("_")[0].lower()
    return spoken if spoken in LANGUAGES else None


@lru_cache
def _page(language: str, code: int) -> EventText:
    return event_text(_read(f"{language}/{code}.md"), f"{language}/{code}.md")


@lru_cache
def _words(language: str) -> Mapping[str, Mapping[str, str]]:
    return {"phrases": {}, "labels": {}, **tomllib.loads(_read(f"{language}/phrases.toml"))}


@lru_cache
def _rules(language: str) -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(_read(f"{language}/advice.toml"))


def _read(name: str) -> str:
    try:
        return (_HERE / name).read_text(encoding="utf-8")
    except OSError as error:
        raise TextMissing(f"the text {name} cannot be read") from error
