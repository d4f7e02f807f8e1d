"""What keeps coming back, what nobody mends, and what was never tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from mailtrust.core.advice.facts import Facts, Past
from mailtrust.core.advice.value import Area, Need, Profile, Remedy, Rule, Told
from mailtrust.core.model.event import Severity, when

_OFTEN = 3
"""Days on which it opened."""
_RECENTLY = timedelta(days=30)
_LONG = timedelta(days=7)
_A_YEAR = timedelta(days=366)


def _of(facts: Facts) -> Past:
    assert facts.past is not None  # noqa: S101  # who has the need has the fact
    return facts.past


def keeps_coming_back(facts: Facts) -> Iterator[Told]:
    """What was mended three times has a cause that nobody mended."""
    recent = [one for one in _of(facts).opened if facts.now - one.opened_at <= _RECENTLY]
    worth = [one for one in recent if one.severity is not Severity.INFORMATION]
    # However often it was tried out on one afternoon, it came back once.
    by_day = {(one.event, one.server, one.place, one.opened_at.date()) for one in worth}
    days = Counter((event, server, place) for event, server, place, _ in by_day)
    for (event, server, place), count in sorted(days.items(), key=lambda one: (one[0][0].code, one[0][1:])):
        if count >= _OFTEN:
            values = {
                "event": str(event.code),
                "name": event.name,
                "count": str(count),
                "place": place or "-",
            }
            lines = (
                f"mailtrust events --event {event.code} --server {server}",
                f"mailtrust explain {event.code}",
            )
            yield Told(server, values, f"{event.code} {place}".rstrip(), remedies=(Remedy(lines),))


def left_standing(facts: Facts) -> Iterator[Told]:
    """A warning that nobody acts on teaches everybody to overlook warnings."""
    for one in _of(facts).standing:
        if one.severity is not Severity.INFORMATION and facts.now - one.opened_at > _LONG:
            values = {
                "event": str(one.event.code), "name": one.event.name, "since": when(one.opened_at),
                "place": one.place or "-",
            }  # fmt: skip
            lines = ("mailtrust fix --dry-run", f"mailtrust explain {one.event.code}")
            yield Told(
                one.server, values, f"{one.event.code} {one.place}".rstrip(), remedies=(Remedy(lines),)
            )


def never_rotated(facts: Facts) -> Iterator[Told]:
    """In an emergency it would be the first time."""
    past = _of(facts)
    if past.began_at is not None and facts.now - past.began_at > _A_YEAR and not past.rotated:
        for server in facts.servers[:1]:
            yield Told(
                server, {"since": when(past.began_at)}, remedies=(Remedy(("mailtrust rotate start",)),)
            )


def journal_was_damaged(facts: Facts) -> Iterator[Told]:
    """A disk that damages one file damages others."""
    at = _of(facts).damaged_at
    if at is not None and facts.now - at <= _RECENTLY:
        for server in facts.servers[:1]:
            yield Told(server, {"at": when(at)}, remedies=(Remedy(("mailtrust check", "mailtrust list")),))


RULES = (
    Rule(501, Area.HISTORY, Severity.WARNING, Need.PAST, keeps_coming_back),
    Rule(502, Area.HISTORY, Severity.WARNING, Need.PAST, left_standing),
    Rule(503, Area.HISTORY, Severity.INFORMATION, Need.PAST, never_rotated, frozenset[Profile]()),
    Rule(504, Area.HISTORY, Severity.WARNING, Need.PAST, journal_was_damaged),
)
