"""
Who authenticated to whom, with which certificate, and how often: the counted sessions as mail flow.

A session has two ends.  Where a peer's key is published its server is known by name; else all that is known
of the peer is the address that it called from, or the host that the route names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from mailtrust.core.model.server import ServerName
from mailtrust.core.sessions import Count, Met, Reason, Way, Withdrawn


@dataclass(frozen=True, slots=True)
class Leg:
    """The sessions between one peer and us in which it showed one and the same certificate, or none."""

    here: ServerName
    way: Way
    peer: str
    """Its address, or the next hop as the route writes it."""
    server: str
    """Whose key it is or was; empty where nobody knows."""
    fingerprint: str
    """As the transport told it; empty where it showed none."""
    taken: int
    """Sessions in which it was believed."""
    deferred: Mapping[Reason, int]
    """By reason, the most frequent first."""
    first_at: datetime
    last_at: datetime

    @property
    def caller(self) -> str:
        """Who called, by name where it is known."""
        return (self.server or self.peer) if self.way is Way.FROM else self.here

    @property
    def called(self) -> str:
        """Who was called."""
        return self.here if self.way is Way.FROM else (self.server or self.peer)

    @property
    def deferrals(self) -> int:
        """Sessions in which it was not believed."""
        return sum(self.deferred.values())


def legs(
    here: ServerName, counts: Iterable[Count], withdrawn: Withdrawn, since: date | None = None
) -> tuple[Leg, ...]:
    """
    The sessions since that day, those with the most deferrals first, then the latest.

    Days of which lines of the log were lost are no session; `losses` gives them.
    """
    everything = tuple(counts)
    known = withdrawn.learning(everything)
    found: dict[tuple[Way, str, str, str], list[Count]] = {}
    for one in everything:
        if one.met.reason is not Reason.LOG_LOST and (since is None or one.day >= since):
            told = known.told_apart(one)
            found.setdefault(_key(told.met), []).append(told)
    made = (_leg(here, *key, held) for key, held in found.items())
    return tuple(sorted(made, key=lambda one: (-one.deferrals, -one.last_at.timestamp(), one.peer)))


def losses(counts: Iterable[Count], since: date | None = None) -> tuple[date, ...]:
    """The days since then of which lines of the log were gone before they were read."""
    lost = {one.day for one in counts if one.met.reason is Reason.LOG_LOST}
    return tuple(sorted(day for day in lost if since is None or day >= since))


def _key(met: Met) -> tuple[Way, str, str, str]:
    return met.way, met.peer, met.server, met.fingerprint


def _leg(here: ServerName, way: Way, peer: str, server: str, fingerprint: str, held: list[Count]) -> Leg:
    reasons = Counter[Reason]()
    for one in held:
        if not one.met.reason.accepts:
            reasons[one.met.reason] += one.sessions
    return Leg(
        here, way, peer, server, fingerprint,
        sum(one.sessions for one in held if one.met.reason.accepts),
        dict(reasons.most_common()),
        min(one.first_at for one in held),
        max(one.last_at for one in held),
    )  # fmt: skip
