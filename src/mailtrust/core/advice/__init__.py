"""
The best practices: facts in, advice out, worst first.

A rule is one pure function from `Facts` to what it found, listed in RULES under a number that it keeps for
ever.  What nobody could look at is said by no rule: it stands in the facts' own list.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from mailtrust.core.advice import (
    certificates,
    configuration,
    directory,
    exchange,
    history,
    performance,
    renewal,
)
from mailtrust.core.advice.events import asked_events, told_events
from mailtrust.core.advice.facts import Facts
from mailtrust.core.advice.value import Advice, Area, Need, Profile, Remedy, Rule, Told, Where
from mailtrust.core.events import catalog

__all__ = [
    "BY_NUMBER", "RULES", "Advice", "Area", "Facts", "Judged", "Need", "Profile", "Remedy", "Rule", "Told",
    "Where", "advise", "number_of",
]  # fmt: skip

RULES: tuple[Rule, ...] = (
    *configuration.RULES,
    *certificates.RULES,
    *directory.RULES,
    *history.RULES,
    *exchange.RULES,
    *renewal.RULES,
    *performance.RULES,
)
BY_NUMBER = {rule.number: rule for rule in RULES}


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found, and which rules looked."""

    advice: tuple[Advice, ...]
    asked: tuple[int, ...]
    """The numbers of the rules and events that would have been told, had they been found."""


def advise(facts: Facts, profile: Profile = Profile.DEFAULT, only: Collection[int] = ()) -> Judged:
    """Everything that a profile tells of these facts, worst first; *only* those numbers, if any."""
    rules = [one for one in RULES if facts.has(one.need) and _wanted(one, profile, only)]
    events = told_events(facts, Profile.STRICT if only else profile)
    found = [*(one for one in events if not only or one.number in only), *_ruled(facts, rules)]
    found.sort(key=lambda one: (one.severity.rank, one.number, one.server, one.place))
    sought = asked_events(facts, Profile.STRICT if only else profile)
    numbers = (*(one.number for one in rules), *(code for code in sought if not only or code in only))
    return Judged(tuple(found), numbers)


def number_of(text: str) -> int | None:
    """The number of ``A101``, ``a101``, ``101`` or ``12012``; None for what is neither rule nor event."""
    bare = text.strip().upper().removeprefix("A")
    number = int(bare) if bare.isascii() and bare.isdigit() and len(bare) < 6 else 0
    return number if number in BY_NUMBER or number in catalog.BY_CODE else None


def _wanted(rule: Rule, profile: Profile, only: Collection[int]) -> bool:
    return rule.number in only if only else rule.belongs_to(profile)


def _ruled(facts: Facts, rules: Iterable[Rule]) -> Iterator[Advice]:
    for rule in rules:
        for told in rule.judge(facts):
            yield Advice(
                rule.number, rule.area, told.server, told.severity or rule.severity, told.place,
                {"server": told.server, **told.values}, told.evidence, told.remedies, told.until,
                steps=told.steps,
            )  # fmt: skip
