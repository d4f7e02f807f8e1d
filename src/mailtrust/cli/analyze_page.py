"""Advice on a terminal: what to change first, in 80 columns, with lines that can be copied whole."""

from __future__ import annotations

from collections.abc import Iterable

from mailtrust.agent.analysis_report import (
    Analysis,
    link_of,
    message_of,
    text_of,
)
from mailtrust.cli import analyze_words as words
from mailtrust.cli.output import say, width
from mailtrust.cli.prose import wide, wrapped
from mailtrust.cli.render import STYLE, VERDICT_STYLE, Typed
from mailtrust.core.advice import Advice, Remedy
from mailtrust.core.advice.compare import Compared
from mailtrust.core.exchange.judgement import Step
from mailtrust.texts import Texts

_LEAD = 8


def show_analysis(seen: Analysis, texts: Texts, compared: Compared | None, typed: Typed) -> None:
    """All of it: the advice, what is acknowledged, what was not looked at, what has changed."""
    say(words.verdict(seen, texts), VERDICT_STYLE[seen.verdict])
    for one in seen.advice:
        say()
        _advice(one, texts, typed)
    if not seen.advice:
        say(words.nothing(seen, texts))
    _section(texts.label("acknowledged"), (words.known(one, texts) for one in seen.known))
    _unseen(seen, texts)
    if compared is not None:
        title, lines = words.since(compared, texts)
        _section(title, (": ".join(filter(None, one)) for one in lines))


def _advice(one: Advice, texts: Texts, typed: Typed) -> None:
    text = text_of(one, texts)
    say(words.head(one, text.title), STYLE[one.severity])
    _field("", [message_of(one, texts)])
    _field(texts.label("cause"), filter(None, [words.cause(one, texts)]))
    _field(texts.label("advice-why"), [text.why.partition("\n\n")[0]])
    _field(texts.label("proof"), map(texts.say, one.evidence))
    if one.steps:
        for number, (step, where) in enumerate(
            zip(one.steps, words.shells(one.steps, texts), strict=True), 1
        ):
            _step(number, step, where, texts)
    else:
        _field(texts.label("advice-fix"), [text.fix])
        for each in one.remedies:
            _remedy(each, texts, typed)
    _field(texts.label("advice-link"), [link_of(one.number, texts)])


def _remedy(each: Remedy, texts: Texts, typed: Typed) -> None:
    _field("", [f"{words.where(each, '', texts)}:"])
    for line in words.typed(each, typed):
        # Never wrapped, and nothing before it but blanks: it is copied as it stands.
        say(f"{' ' * (_LEAD + 4)}{line}", "bold")


def _step(number: int, step: Step, where: str, texts: Texts) -> None:
    lead = texts.label("advice-fix") if number == 1 else ""
    _field(lead, [f"{number}. {texts.say(step.said)}{f' [{where}]' if where else ''}"])
    for command in step.commands:
        say(f"{' ' * (_LEAD + 4)}{command}", "bold")
    _field(f"  {texts.label('asks')}", [texts.say(step.asks)] if step.asks else [])
    _field(f"  {texts.label('breaks')}", map(texts.say, step.risks))


def _unseen(seen: Analysis, texts: Texts) -> None:
    if seen.facts.unseen:
        say()
        say(texts.label("not-looked-at"), "bold")
    for one in seen.facts.unseen:
        say(_wrapped("  ", texts.say(one.said), "    "))
        for command in one.commands:
            say(f"{' ' * (_LEAD + 4)}{command}")


def _section(title: str, lines: Iterable[str]) -> None:
    found = tuple(lines)
    if found:
        say()
        say(title, "bold")
        for line in found:
            say(_wrapped("  ", line, "    "))


def _field(label: str, values: Iterable[str]) -> None:
    lead = f"  {label}{' ' * max(0, _LEAD - 2 - wide(label))}  "
    for value in values:
        say(_wrapped(lead, value, " " * (_LEAD + 2)))
        lead = " " * (_LEAD + 2)


def _wrapped(lead: str, text: str, rest: str) -> str:
    columns = width()
    return lead + text if columns is None else wrapped(text, columns, lead, rest)
