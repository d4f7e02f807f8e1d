"""Advice on a terminal: what to change first, in 80 columns, with lines that can be copied whole."""

from __future__ import annotations

from mailtrust.agent.analysis_report import (
    Analysis,
    link_of,
    message_of,
    text_of,
)
from mailtrust.cli import analyze_words as words
from mailtrust.cli.fields import LEAD, commands, field, lines, section, step
from mailtrust.cli.output import say
from mailtrust.cli.render import STYLE, VERDICT_STYLE, Typed
from mailtrust.core.advice import Advice, Remedy
from mailtrust.core.advice.compare import Compared
from mailtrust.texts import Texts

_MARGIN = LEAD + 4


def show_analysis(seen: Analysis, texts: Texts, compared: Compared | None, typed: Typed) -> None:
    """All of it: the advice, what is acknowledged, what was not looked at, what has changed."""
    say(words.verdict(seen, texts), VERDICT_STYLE[seen.verdict])
    for one in seen.advice:
        say()
        _advice(one, texts, typed)
    if not seen.advice:
        say(words.nothing(seen, texts))
    section(texts.label("acknowledged"), (words.known(one, texts) for one in seen.known))
    _unseen(seen, texts)
    if compared is not None:
        title, news = words.since(compared, texts)
        section(title, (": ".join(filter(None, one)) for one in news))


def _advice(one: Advice, texts: Texts, typed: Typed) -> None:
    text = text_of(one, texts)
    say(words.head(one, text.title), STYLE[one.severity])
    field("", [message_of(one, texts)])
    field(texts.label("cause"), filter(None, [words.cause(one, texts)]))
    field(texts.label("advice-why"), [text.why.partition("\n\n")[0]])
    field(texts.label("proof"), map(texts.say, one.evidence))
    if one.steps:
        for number, (one_step, where) in enumerate(
            zip(one.steps, words.shells(one.steps, texts), strict=True), 1
        ):
            step(number, one_step, where, texts.label("advice-fix"), texts, _MARGIN)
    else:
        field(texts.label("advice-fix"), [text.fix])
        for each in one.remedies:
            _remedy(each, texts, typed)
    field(texts.label("advice-link"), [link_of(one.number, texts)])


def _remedy(each: Remedy, texts: Texts, typed: Typed) -> None:
    field("", [f"{words.where(each, '', texts)}:"])
    commands(words.typed(each, typed), _MARGIN)


def _unseen(seen: Analysis, texts: Texts) -> None:
    if seen.facts.unseen:
        say()
        say(texts.label("not-looked-at"), "bold")
    for one in seen.facts.unseen:
        lines([texts.say(one.said)])
        commands(one.commands, _MARGIN, "")
