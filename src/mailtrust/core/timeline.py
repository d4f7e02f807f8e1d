"""
The time line of a server: what became of each of its certificates, and when, as far as anybody saw it.

Its moments come from four sides: the certificate's own dates, the store's arrivals, the directory's record,
and the journal, which knows when something was first *seen* somewhere: it came there then, or before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailtrust.core.model.certificate import Certificate, Fingerprint
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import (
    Installed,
    ReplicaSighting,
    Slot,
    StoreSighting,
    View,
    WireSighting,
)
from mailtrust.core.why.value import Column, Copy

_Look = StoreSighting | WireSighting | ReplicaSighting


class Step(StrEnum):
    """What can become of a certificate, in the order of a life."""

    MADE = "made"
    """It came into the store; of one that is not in a store that we see, it began to be valid."""
    PUBLISHED = "published"
    """Anywhere, by the directory's record."""
    SEEN = "seen"
    """First found at a replica."""
    PRESENTED = "presented"
    """First found on a listener, or made the current one here."""
    WITHDRAWN = "withdrawn"
    EXPIRES = "expires"


@dataclass(frozen=True, slots=True)
class Moment:
    """One step of one certificate."""

    at: datetime
    step: Step
    place: str = ""
    """The replica or endpoint; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Life:
    """One certificate of a server."""

    fingerprint: Fingerprint
    certificate: Certificate | None
    """None where only the journal remembers it."""
    slot: Slot | None
    """None where it is not in a store that we could look into."""
    moments: tuple[Moment, ...]
    """By time; those of one moment in the order of a life.  Its end lies in the future, as a rule."""
    copies: tuple[Copy, ...]
    """Where it is now, place by place; a place that could not be looked at is none."""

    @property
    def began(self) -> datetime:
        """The first that is known of it."""
        return self.moments[0].at

    @property
    def withdrawn_at(self) -> datetime | None:
        """When it was taken out of the directory for good."""
        return next((one.at for one in self.moments if one.step is Step.WITHDRAWN), None)

    @property
    def is_around(self) -> bool:
        """True while any copy is left, as far as we could look."""
        return any(copy.there for copy in self.copies)


@dataclass(frozen=True, slots=True)
class TimeLine:
    """All certificates of one server."""

    server: ServerName
    lives: tuple[Life, ...]
    """What is around first, the current one before all; then by age, the youngest first."""
    unseen: tuple[tuple[str, str], ...] = ()
    """Where we could not look, and why: moments may be missing from there."""
    remembers: bool = True
    """False where the journal could not be read: then nobody knows since when something is seen."""


def time_line(view: View, server: ServerName) -> TimeLine:
    """What is known of every certificate that *server* has or had."""
    installed = {one.certificate.fingerprint: one for one in view.installed(server)}
    moments: dict[Fingerprint, set[Moment]] = {}
    for fingerprint, moment in _moments(view, server):
        moments.setdefault(fingerprint, set()).add(moment)
    known = _certificates(view, server)
    lives = [
        _life(view, server, fingerprint, known.get(fingerprint), installed.get(fingerprint), found)
        for fingerprint, found in moments.items()
    ]
    by_age = sorted(lives, key=lambda one: (one.began, one.fingerprint), reverse=True)
    ordered = sorted(by_age, key=lambda one: (one.slot is not Slot.CURRENT, not one.is_around))
    return TimeLine(server, tuple(ordered), tuple(_unseen(view, server)), view.history.readable)


def _life(
    view: View,
    server: ServerName,
    fingerprint: Fingerprint,
    leaf: Certificate | None,
    held: Installed | None,
    found: Iterable[Moment],
) -> Life:
    order = tuple(Step)
    ordered = tuple(sorted(found, key=lambda one: (one.at, order.index(one.step), one.place)))
    copies = tuple(_copies(view, server, fingerprint))
    return Life(fingerprint, leaf, held.slot if held else None, ordered, copies)


def _moments(view: View, server: ServerName) -> Iterator[tuple[Fingerprint, Moment]]:
    installed = {one.certificate.fingerprint: one for one in view.installed(server)}
    for fingerprint, leaf in _certificates(view, server).items():
        held = installed.get(fingerprint)
        yield fingerprint, Moment(held.arrived_at if held else leaf.not_before, Step.MADE)
        yield fingerprint, Moment(leaf.not_after, Step.EXPIRES)
    for fingerprint, at in _published(view, server).items():
        yield fingerprint, Moment(at, Step.PUBLISHED)
    yield from _sights(view, server)
    for act in view.history.acts:
        if (act.what, act.server) == ("present", server) and not act.failed and act.fingerprint:
            yield act.fingerprint, Moment(act.done_at, Step.PRESENTED)
    for fingerprint, at in view.withdrawals(server).items():
        yield fingerprint, Moment(at, Step.WITHDRAWN)


def _looks(view: View, server: ServerName) -> Iterator[tuple[Column, _Look]]:
    """The looks at the three copies, in their order."""
    store = view.store(server)
    if store is not None:
        yield Column.INSTALLED, store
    yield from ((Column.PRESENTED, wire) for wire in view.wires(server))
    yield from ((Column.PUBLISHED, look) for look in view.replicas(server))


def _leaves(look: _Look) -> tuple[Certificate, ...]:
    """What was found there; nothing also where we could not look."""
    if isinstance(look, WireSighting):
        return look.found or ()
    return tuple(one.certificate for one in look.found or ())


def _certificates(view: View, server: ServerName) -> Mapping[Fingerprint, Certificate]:
    """Every certificate of *server* that we hold in our hands."""
    return {leaf.fingerprint: leaf for _, look in _looks(view, server) for leaf in _leaves(look)}


def _published(view: View, server: ServerName) -> Mapping[Fingerprint, datetime]:
    """When each was published first: by the directory, and of what it has forgotten by our own acts."""
    found: dict[Fingerprint, datetime] = {}
    for look in view.replicas(server):
        for one in look.found or ():
            fingerprint = one.certificate.fingerprint
            found[fingerprint] = min(one.published_at, found.get(fingerprint, one.published_at))
    for act in view.history.acts:
        if act.what in ("enable", "publish") and act.server == server and act.fingerprint and not act.failed:
            found.setdefault(act.fingerprint, act.done_at)
    return found


def _sights(view: View, server: ServerName) -> Iterator[tuple[Fingerprint, Moment]]:
    """When each was first found where: by the journal, else by the look that we hold."""
    seen = {
        (place, fingerprint): at
        for (name, place, fingerprint), at in view.history.first_seen.items()
        if name == server
    }
    for column, look in _looks(view, server):
        if column is not Column.INSTALLED:
            for leaf in _leaves(look):
                seen.setdefault((look.place, leaf.fingerprint), look.seen_at)
    for (place, fingerprint), at in seen.items():
        if "://" in place:
            yield fingerprint, Moment(at, Step.SEEN, place)
        elif place.rpartition(":")[2].isdigit():
            yield fingerprint, Moment(at, Step.PRESENTED, place)


def _copies(view: View, server: ServerName, fingerprint: Fingerprint) -> Iterator[Copy]:
    for column, look in _looks(view, server):
        there = any(leaf.fingerprint == fingerprint for leaf in _leaves(look))
        yield Copy(column, look.place, None if look.found is None else there)


def _unseen(view: View, server: ServerName) -> Iterator[tuple[str, str]]:
    return ((look.place, look.why) for _, look in _looks(view, server) if look.found is None)
