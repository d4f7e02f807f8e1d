"""
Move a server to a certificate without breaking trust.

One invariant carries it: what a server presents is published where its peers read.  So publish first,
present next, withdraw last; and what was withdrawn never returns, because its withdrawal may still be on
its way.

A rotation is a checklist of acts and waits, and its phase is the first line that is not ticked.  Ticks are
read off the view each time and never stored, so that a crash, a restart and an administrator's own edit all
lead to the same next step.  Enrolment is a rotation from nothing; repair is a rotation to what is there
already; rolling back is a rotation the other way; the standing successor is one that stops half-way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import TypeVar

from mailtrust.core.model.certificate import Certificate, Fingerprint, Pin, short
from mailtrust.core.model.event import Said, when
from mailtrust.core.model.plan import (
    Action,
    Gate,
    Obstacle,
    Pace,
    Phase,
    Plan,
    Present,
    Publish,
    Rehearse,
    Rotation,
    Withdraw,
)
from mailtrust.core.model.sighting import Installed, ReplicaSighting, Slot, View, WireSighting


def plan(rotation: Rotation, view: View, pace: Pace, now: datetime) -> Plan:
    """The next safe step, or what it waits on.  Proposes; changes nothing."""
    for line in checklist(rotation, view, pace, now):
        if line.obstacles:
            return line
    return Plan(rotation, Phase.DONE)


def checklist(rotation: Rotation, view: View, pace: Pace, now: datetime) -> Iterator[Plan]:
    """Every line in order, each as if all before it were ticked; a line without obstacles is."""
    case = _Case(rotation, view, pace, now, _held(rotation, view))
    lines = (
        takewhile(lambda line: line[0] is not Phase.PRESENT, _CHECKLIST) if rotation.standing else _CHECKLIST
    )
    for phase, line, action in lines:
        obstacles = tuple(line(case))
        may_act = bool(obstacles) and all(obstacle.is_gap for obstacle in obstacles)
        yield Plan(rotation, phase, action(case) if may_act and action else None, obstacles)


@dataclass(frozen=True, slots=True)
class _Case:
    """What a line of the checklist may look at."""

    rotation: Rotation
    view: View
    pace: Pace
    now: datetime
    held: Installed | None
    """The new certificate, where the store has it; looked up once, for every line asks."""

    @property
    def pin(self) -> Pin | None:
        """The key, by which peers believe: it may be published in an older certificate, too."""
        return self.held.certificate.pin if self.held else None

    @property
    def is_first(self) -> bool:
        """True where nothing is presented yet, so that no peer can lose what it believes."""
        return self.view.current(self.rotation.server) is None

    def replicas(self) -> Iterator[ReplicaSighting | Obstacle]:
        """Every look at a replica that is not dead; an obstacle stands in for one that proves nothing."""
        for look in self.view.replicas(self.rotation.server):
            if self.view.history.is_dead(look.place, self.now):
                continue
            if look.found is None:
                yield self.stopped("obstacle.replica-unread", look.place, Gate.EVIDENCE, why=look.why)
            else:
                yield self.fresh(look)

    def wires(self) -> Iterator[WireSighting | Obstacle]:
        """Every look at a listener; an obstacle stands in for one that proves nothing."""
        for look in self.view.wires(self.rotation.server):
            if look.found is None:
                yield self.stopped("obstacle.wire-unread", look.place, Gate.EVIDENCE, why=look.why)
            else:
                yield self.fresh(look)

    def fresh(self, look: _Look) -> _Look | Obstacle:
        if self.now - look.seen_at <= self.pace.look_max_age:
            return look
        return self.stopped("obstacle.look-old", look.place, Gate.EVIDENCE, at=when(look.seen_at))

    def holds(self, look: ReplicaSighting) -> bool:
        """True if *look* found the new certificate itself, and not only its key in an older one."""
        return any(one.certificate.fingerprint == self.rotation.new for one in look.found or ())

    def outdated(self, look: ReplicaSighting) -> tuple[Certificate, ...]:
        """What stands there and may go."""
        old = self.rotation.old - {self.rotation.new}
        return tuple(one.certificate for one in look.found or () if one.certificate.fingerprint in old)

    def since(self, place: str, shown: set[Fingerprint]) -> datetime:
        """Since when every look at that place found one of these; as far as anybody remembers."""
        seen = self.view.history.since
        moments = (seen.get((self.rotation.server, place, one)) for one in shown)
        return min((one for one in moments if one is not None), default=self.now)

    def not_before(self, phrase: str, place: str, since: datetime, wait: timedelta) -> Iterator[Obstacle]:
        """An obstacle until *wait* has passed; a clock that runs ahead is no reason to wait longer."""
        until = min(since, self.now) + wait
        if until > self.now:
            yield self.stopped(phrase, place, Gate.TIME, until=until)

    def gap(self, phrase: str, place: str, gate: Gate = Gate.INVARIANT) -> Obstacle:
        """What acting closes."""
        return Obstacle(self.said(phrase, place), place, gate, is_gap=True)

    def stopped(
        self,
        phrase: str,
        place: str,
        gate: Gate = Gate.INVARIANT,
        *,
        until: datetime | None = None,
        **values: str,
    ) -> Obstacle:
        """What has to be waited out, or mended by somebody."""
        told = {"until": when(until)} if until else {}
        return Obstacle(self.said(phrase, place, **values, **told), place, gate, until=until)

    def said(self, phrase: str, place: str, **values: str) -> Said:
        return Said(phrase, {"fingerprint": short(self.rotation.new), "place": place, **values})


def _held(rotation: Rotation, view: View) -> Installed | None:
    held = view.installed(rotation.server)
    return next((one for one in held if one.certificate.fingerprint == rotation.new), None)


_Look = TypeVar("_Look", ReplicaSighting, WireSighting)


def _not_installed(case: _Case) -> Iterator[Obstacle]:
    store = case.view.store(case.rotation.server)
    if store is None or store.found is None:
        why = store.why if store else ""
        yield case.stopped("obstacle.store-unread", store.place if store else "", Gate.EVIDENCE, why=why)
    elif case.held is None:
        yield case.stopped("obstacle.not-installed", store.place)
    elif not case.held.has_key:
        yield case.stopped("obstacle.no-key", store.place)


def _not_published(case: _Case) -> Iterator[Obstacle]:
    """Judges the replica that we write to alone: a stopped one must not keep us from publishing."""
    if case.held and case.view.is_withdrawn(case.rotation.server, case.held.certificate):
        # Never publish it again: its withdrawal may still be on the way to a slow replica.
        yield case.stopped("obstacle.withdrawn", "")
        return
    for look in case.view.replicas(case.rotation.server):
        written_here = look.place == case.rotation.replica if case.rotation.replica else look.primary
        if not written_here or case.holds(look):
            continue
        if look.found is None:
            yield case.stopped("obstacle.replica-unread", look.place, Gate.EVIDENCE, why=look.why)
        else:
            yield case.gap("obstacle.not-published", look.place)


def _not_spread(case: _Case) -> Iterator[Obstacle]:
    if case.is_first or case.rotation.compromised:
        return
    if case.pace.unreadable_blocks:
        yield from _just_died(case)
    for look in case.replicas():
        if isinstance(look, Obstacle):
            if case.pace.unreadable_blocks:
                yield look
        elif shown := {
            one.certificate.fingerprint for one in look.found or () if one.certificate.pin == case.pin
        }:
            # Not since when it is published: it may have arrived here long after.
            since = case.since(look.place, shown)
            yield from case.not_before("obstacle.too-recent", look.place, since, case.pace.spread)
        else:
            yield case.stopped("obstacle.not-spread", look.place)


def _just_died(case: _Case) -> Iterator[Obstacle]:
    """Whoever read a replica before it died may go by that answer, and not know the new certificate."""
    for look in case.view.replicas(case.rotation.server):
        death = case.view.history.death(look.place, case.now)
        if death is not None:
            since = min(death.declared_at, case.since(look.place, {case.rotation.new}))
            yield from case.not_before("obstacle.just-died", look.place, since, case.pace.spread)


def _not_rehearsed(case: _Case) -> Iterator[Obstacle]:
    """A peer that cut itself off from the directory knows nothing new, whatever the replicas hold."""
    held = case.held
    if not case.pace.rehearses or case.is_first or case.rotation.compromised:
        return
    if held is None or held.slot is Slot.CURRENT or case.rotation.standing:
        return
    told = [one for one in case.view.rehearsals(case.rotation.server) if one.fingerprint == case.rotation.new]
    told = [one for one in told if case.now - one.seen_at <= case.pace.look_max_age]
    if not told:
        yield case.gap("obstacle.not-rehearsed", "", Gate.EVIDENCE)
    for one in told:
        if one.accepted is False:
            yield case.stopped("obstacle.peer-refuses", one.place, Gate.EVIDENCE, why=one.why)


def _not_presented(case: _Case) -> Iterator[Obstacle]:
    held = case.held
    if held is not None and held.slot is not Slot.CURRENT:
        yield case.gap("obstacle.not-current", "")


def _not_settled(case: _Case) -> Iterator[Obstacle]:
    """What is replaced may be in use yet: in a session, or in a process that read the old file."""
    if not case.rotation.old or case.rotation.compromised:
        return
    looks, store = tuple(case.wires()), case.view.store(case.rotation.server)
    # Nobody may have looked while something else was presented for a moment: whoever makes it current has
    # looked at the store before, so that there its time begins anew.
    current = case.since(store.place, {case.rotation.new}) if store is not None else case.now
    for look in looks:
        if isinstance(look, Obstacle):
            yield look
        elif shown := {leaf.fingerprint for leaf in look.found or () if leaf.pin == case.pin}:
            since = max(case.since(look.place, shown), current)
            yield from case.not_before("obstacle.unsettled", look.place, since, case.pace.settle)
        else:
            yield case.stopped("obstacle.not-presented", look.place)
    if not looks and store is not None:
        # Nothing to look at: then it is presented since it is the current one.
        yield from case.not_before("obstacle.unsettled", store.place, current, case.pace.settle)


def _not_withdrawn(case: _Case) -> Iterator[Obstacle]:
    for look in case.view.replicas(case.rotation.server):
        if look.primary and look.found is None and case.rotation.old:
            yield case.stopped("obstacle.replica-unread", look.place, Gate.EVIDENCE, why=look.why)
        elif look.primary and case.outdated(look):
            yield case.gap("obstacle.not-withdrawn", look.place)


def _not_faded(case: _Case) -> Iterator[Obstacle]:
    if not case.rotation.old:
        return
    for look in case.replicas():
        if isinstance(look, Obstacle):
            yield look
        elif case.outdated(look):
            yield case.stopped("obstacle.not-faded", look.place)


def _publish(case: _Case) -> Action:
    return Publish(case.rotation.server, case.rotation.new, case.rotation.replica)


def _rehearse(case: _Case) -> Action:
    return Rehearse(case.rotation.server, case.rotation.new)


def _present(case: _Case) -> Action:
    return Present(case.rotation.server, case.rotation.new)


def _withdraw(case: _Case) -> Action:
    looks = (look for look in case.view.replicas(case.rotation.server) if look.primary)
    first = next(one for look in looks for one in case.outdated(look))
    return Withdraw(case.rotation.server, first.fingerprint, first.pin if case.rotation.compromised else None)


_CHECKLIST: tuple[
    tuple[Phase, Callable[[_Case], Iterator[Obstacle]], Callable[[_Case], Action] | None], ...
] = (
    (Phase.INSTALL, _not_installed, None),
    (Phase.PUBLISH, _not_published, _publish),
    (Phase.SPREAD, _not_spread, None),
    (Phase.SPREAD, _not_rehearsed, _rehearse),
    (Phase.PRESENT, _not_presented, _present),
    (Phase.SETTLE, _not_settled, None),
    (Phase.WITHDRAW, _not_withdrawn, _withdraw),
    (Phase.FADE, _not_faded, None),
)
