"""
How punctual replicas are, over time: what arrived after how long, and when a replica was late or unread.

The journal remembers when something was first seen at each replica, and all are looked at side by side.  So
what a later look finds at one more place took, at most, the time since it was written.  What the first look
of all finds everywhere proves something only where it was written so shortly before that it came in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from mailtrust.core.checks.case import Case
from mailtrust.core.checks.replicas import Lack, lacking
from mailtrust.core.model.certificate import Fingerprint
from mailtrust.core.model.replication import Fate
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import ReplicaSighting


class Trouble(StrEnum):
    """What a replica was, for a while."""

    LATE = "late"
    """Something was overdue there, lost, or forgotten."""
    UNREAD = "unread"
    """It could not be looked at, so that nobody knows whether it was late."""


@dataclass(frozen=True, slots=True)
class Spell:
    """A while for which a replica was in trouble."""

    place: str
    trouble: Trouble
    since: datetime
    until: datetime | None
    """None: it still is."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A certificate was first seen at a replica."""

    place: str
    server: ServerName
    fingerprint: Fingerprint
    at: datetime
    took: timedelta
    """At most: it may have been there for a while when somebody looked."""

    @property
    def what(self) -> tuple[str, str, str]:
        """What came where: nothing arrives twice."""
        return self.place, self.server, self.fingerprint


@dataclass(frozen=True, slots=True)
class Missing:
    """What others have, and this replica has not."""

    server: ServerName
    fingerprint: Fingerprint
    published_at: datetime
    due_at: datetime
    is_late: bool
    """Overdue, lost, or forgotten: waiting does not bring it."""
    command: str | None
    """What to type to bring it; None where none of our commands does."""


@dataclass(frozen=True, slots=True)
class Punctuality:
    """One replica: now, and as far back as was asked."""

    place: str
    home: bool
    primary: bool
    why: str | None
    """Why it cannot be looked at; None where it can."""
    allowed: timedelta
    """How long replication may take to get there."""
    missing: tuple[Missing, ...] = ()
    """What has waited longest first."""
    arrivals: tuple[Arrival, ...] = ()
    """Oldest first."""
    spells: tuple[Spell, ...] = ()
    """Oldest first; those of one trouble do not overlap."""

    @property
    def last_took(self) -> timedelta | None:
        """How long the last arrival took; None where none was measured."""
        return self.arrivals[-1].took if self.arrivals else None

    @property
    def longest(self) -> timedelta | None:
        """How long the slowest arrival took; None where none was measured."""
        return max((one.took for one in self.arrivals), default=None)

    @property
    def is_late(self) -> bool:
        """True where something is overdue there now, as far as we could look."""
        return any(one.is_late for one in self.missing)


def punctuality(
    cases: Iterable[Case], spells: Iterable[Spell], since: datetime, watched: Iterable[Arrival] = ()
) -> tuple[Punctuality, ...]:
    """
    Every replica that the *cases* were looked at on, as it was first met; what happened *since* then.

    *watched* was seen to arrive between two looks, and is better known than what the journal remembers.
    """
    known = {case.server: case for case in cases}
    looks: dict[str, list[tuple[Case, ReplicaSighting]]] = {}
    missing: dict[str, list[Missing]] = {}
    for case in known.values():
        for look in case.replicas:
            looks.setdefault(look.place, []).append((case, look))
        for lack in lacking(case):
            missing.setdefault(lack.look.place, []).append(_missing(lack))
    arrived: dict[str, list[Arrival]] = {}
    remembered = {one.what: one for one in (*arrivals(known), *watched)}
    for one in remembered.values():
        if one.at >= since:
            arrived.setdefault(one.place, []).append(one)
    told = merged(one for one in spells if one.until is None or one.until >= since)
    return tuple(
        Punctuality(
            place,
            any(look.home for _, look in held),
            any(look.primary for _, look in held),
            next((look.why for _, look in held if look.found is None), None),
            max(_allowed(*one) for one in held),
            tuple(sorted(missing.get(place, ()), key=lambda one: (one.published_at, one.server))),
            tuple(sorted(arrived.get(place, ()), key=lambda one: (one.at, one.server))),
            tuple(replace(one, since=max(one.since, since)) for one in told if one.place == place),
        )
        for place, held in looks.items()
    )


def arrivals(cases: Mapping[ServerName, Case]) -> Iterator[Arrival]:
    """Whatever was seen to arrive at a replica that is still read."""
    # A fleet is remembered by one journal: it is gone through once, and not once for each server.
    histories = {id(case.history): case.history for case in cases.values()}
    for history in histories.values():
        sights: dict[tuple[ServerName, Fingerprint], dict[str, datetime]] = {}
        for (server, place, fingerprint), at in history.first_seen.items():
            case = cases.get(server)
            if case is not None and case.history is history:
                sights.setdefault((server, fingerprint), {})[place] = at
        enabled = {
            (act.server, act.fingerprint): act.done_at
            for act in reversed(history.acts)
            if act.what in ("enable", "publish") and not act.failed
        }
        for (server, fingerprint), seen in sights.items():
            yield from _arrivals(cases[server], fingerprint, seen, enabled.get((server, fingerprint)))


def merged(spells: Iterable[Spell]) -> tuple[Spell, ...]:
    """The same, oldest first, with one spell where several of a kind overlap or touch."""
    found: dict[tuple[str, Trouble], list[Spell]] = {}
    for one in sorted(spells, key=lambda one: one.since):
        held = found.setdefault((one.place, one.trouble), [])
        last = held[-1] if held else None
        if last is None or (last.until is not None and last.until < one.since):
            held.append(one)
        else:
            ends = (last.until, one.until)
            until = None if None in ends else max(end for end in ends if end is not None)
            held[-1] = replace(last, until=until)
    return tuple(sorted((one for held in found.values() for one in held), key=lambda one: one.since))


def _arrivals(
    case: Case, fingerprint: Fingerprint, seen: Mapping[str, datetime], enabled_at: datetime | None
) -> Iterator[Arrival]:
    looks = {look.place: look for look in case.replicas if look.place in seen}
    first = min((seen[place] for place in looks), default=None)
    if first is None:
        return
    told = enabled_at or _published_at(case, fingerprint)
    written = told if told is not None and told <= first else None
    for place, look in looks.items():
        at, allowed = seen[place], _allowed(case, look)
        if at > first:
            # What was written long before anybody looked did not take until then.
            known = written is not None and first - written <= allowed
            yield Arrival(place, case.server, fingerprint, at, at - (written if known and written else first))
        elif written is not None and at - written <= allowed and not look.primary:
            yield Arrival(place, case.server, fingerprint, at, at - written)


def _published_at(case: Case, fingerprint: Fingerprint) -> datetime | None:
    held = (
        one.published_at
        for look in case.readable
        for one in look.found or ()
        if one.certificate.fingerprint == fingerprint
    )
    return min(held, default=None)


def _allowed(case: Case, look: ReplicaSighting) -> timedelta:
    """However far away it was written."""
    return max(look.latencies.values(), default=case.policy.latency)


def _missing(lack: Lack) -> Missing:
    late = lack.case.now >= lack.deadline or lack.fate is Fate.LOST or lack.held_at is not None
    command = lack.mending if late else None
    return Missing(lack.case.server, lack.leaf.fingerprint, lack.published_at, lack.deadline, late, command)
