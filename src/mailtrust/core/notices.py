"""
When somebody is told that a finding opened, became worse, or closed.

It goes by what is open and what was told, and not by what happened in between: a restart, or a look that came
late, changes nothing. What closes is told at once, for it can only close after it was told open. What opens
is told at once as well, unless it was told not long ago: a finding that comes and goes is told twice in that
time at most, and the last that is told is how it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mailtrust.core.model.event import Severity


class Turn(StrEnum):
    """What somebody is told."""

    OPENED = "opened"
    WORSE = "worse"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of an incident the last time."""

    is_open: bool
    severity: Severity
    at: datetime
    """When it was told that it is open."""


def due(
    held: Mapping[str, Severity],
    told: Mapping[str, Told],
    now: datetime,
    hold: timedelta,
    mildest: Severity = Severity.WARNING,
) -> Iterator[tuple[str, Turn]]:
    """The incidents to tell of now: *held* are those that are open, and how bad each is."""
    worth = {key: severity for key, severity in held.items() if severity.rank <= mildest.rank}
    for key, severity in worth.items():
        before = told.get(key)
        if before is None:
            yield key, Turn.OPENED
        elif before.at <= now < before.at + hold:
            continue
        elif not before.is_open:
            yield key, Turn.OPENED
        elif severity.rank < before.severity.rank:
            yield key, Turn.WORSE
    for key, before in told.items():
        # What became too mild to be told of is over as far as anybody was told.
        if before.is_open and key not in worth:
            yield key, Turn.CLOSED


def forgotten(told: Mapping[str, Told], now: datetime, hold: timedelta) -> tuple[str, ...]:
    """The incidents that are over and need not be kept quiet any more."""
    return tuple(key for key, one in told.items() if not one.is_open and now >= one.at + hold)
