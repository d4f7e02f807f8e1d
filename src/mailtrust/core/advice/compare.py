"""
Two reports side by side: what is new, what is gone, what is still there.

What was advised before and is not found now is gone only if it was judged now: its rule was asked, its server
was among those asked about, and nothing there was out of sight.  Else nobody knows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from mailtrust.core.advice.facts import Facts

RESTING_ON_A_STORE = frozenset((*range(601, 608), 610, 611))
"""The rules that look into the store of an Exchange server alone."""


@dataclass(frozen=True, slots=True)
class Line:
    """One piece of advice, as far as two reports compare it."""

    key: str
    rule: str
    server: str
    severity: str
    message: str


@dataclass(frozen=True, slots=True)
class Compared:
    """What has changed since the former report."""

    since: datetime
    new: tuple[Line, ...] = ()
    gone: tuple[Line, ...] = ()
    still: tuple[Line, ...] = ()
    not_now: tuple[Line, ...] = ()
    """Advised then, and not judged now."""
    not_then: tuple[Line, ...] = ()
    """Advised now; then its rule was not asked, so that it may be old."""


def compared(
    since: datetime,
    before: Iterable[Line],
    now: Iterable[Line],
    facts: Facts,
    asked: Collection[int],
    asked_then: Collection[str],
) -> Compared:
    """
    The difference; *facts* are those of now, *asked* the rules and events that were judged by them, and
    *asked_then* the same of the former report, as it writes them.
    """
    then = {one.key: one for one in before}
    today = {one.key: one for one in now}
    lost = [one for key, one in then.items() if key not in today]
    judged = {one.key for one in lost if _is_judged(one, facts, asked)}
    come = [one for key, one in today.items() if key not in then]
    return Compared(
        since,
        tuple(one for one in come if one.rule in asked_then),
        tuple(one for one in lost if one.key in judged),
        tuple(one for key, one in today.items() if key in then),
        tuple(one for one in lost if one.key not in judged),
        tuple(one for one in come if one.rule not in asked_then),
    )


def _is_judged(one: Line, facts: Facts, asked: Collection[int]) -> bool:
    number = int(one.rule.removeprefix("A"))
    in_store = number in RESTING_ON_A_STORE and one.server in facts.closed
    return number in asked and one.server in facts.servers and one.server not in facts.blind and not in_store
