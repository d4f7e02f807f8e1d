"""What a long page at a terminal is made of: labelled fields, sections, and steps with their commands."""

from __future__ import annotations

from collections.abc import Iterable

from mailtrust.cli.output import fitted, say
from mailtrust.cli.prose import wide
from mailtrust.core.exchange.judgement import Step
from mailtrust.texts import Texts

LEAD = 8
"""The columns in which labels stand."""


def field(label: str, values: Iterable[str]) -> None:
    """Each value in lines of its own, the first behind the label."""
    lead = f"  {label}{' ' * (LEAD - 2 - wide(label))}  "
    for value in values:
        say(fitted(lead, value, " " * (LEAD + 2)))
        lead = " " * (LEAD + 2)


def lines(each: Iterable[str], style: str = "") -> None:
    """Sentences one below the other, set in."""
    for one in each:
        say(fitted("  ", one, "    "), style)


def section(title: str, each: Iterable[str]) -> None:
    """A title with sentences below it; nothing where there are none."""
    found = tuple(each)
    if found:
        say()
        say(title, "bold")
        lines(found)


def step(number: int, one: Step, where: str, label: str, texts: Texts, margin: int) -> None:
    """What to do and *where*, with its commands *margin* columns in; the first one behind the label."""
    field(label if number == 1 else "", [f"{number}. {texts.say(one.said)}{f' [{where}]' if where else ''}"])
    commands(one.commands, margin)
    field(f"  {texts.label('asks')}", [texts.say(one.asks)] if one.asks else [])
    field(f"  {texts.label('breaks')}", map(texts.say, one.risks))


def commands(each: Iterable[str], margin: int, style: str = "bold") -> None:
    """Never wrapped, and nothing before them but blanks: they are copied as they stand."""
    for one in each:
        say(f"{' ' * margin}{one}", style)
