"""
Move a server to a certificate without breaking trust.

One invariant carries it: what a server presents is published where its peers read.  So publish first
and present next; and what was withdrawn never returns, because its withdrawal may still be on its way.

A rotation is a checklist, and its phase is the first line that is not ticked.  Ticks are read off the
view each time and never stored, so that a crash, a restart and an administrator's own edit all lead to
the same next step.  Enrolment is a rotation from nothing; repair is a rotation to what is there already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from mailtrust.core.model.certificate import Fingerprint, short
from mailtrust.core.model.event import Said, when
from mailtrust.core.model.plan import Action, Obstacle, Pace, Phase, Plan, Present, Publish, Rotation
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import Installed, ReplicaSighting, Slot, View


def plan(rotation: Rotation, view: View, pace: Pace, now: datetime) -> Plan:
    """The next safe step, or what it waits on.  Proposes; changes nothing."""
    case = _Case(rotation, view, pace, now)
    for phase, line, action in _CHECKLIST:
        if obstacles := tuple(line(case)):
            may_act = all(obstacle.is_gap for obstacle in obstacles)
            return Plan(rotation, phase, action(rotation) if may_act and action else None, obstacles)
    return Plan(rotation, Phase.DONE)


def pending(server: ServerName, view: View) -> Rotation | None:
    """
    The rotation that was asked for here and is not finished: the last `enable` whose certificate is
    in the store, was not withdrawn, and is not the current one yet.

    Where nobody knows of an `enable` and nothing is current, what home publishes of the store was asked for.
    """
    store = view.store(server)
    if store is None or store.found is None:
        return None
    asked = [act for act in view.history.acts if act.what == "enable" and act.server == server]
    latest = asked[-1].fingerprint if asked else _published_at_home(server, view)
    held = next((one for one in store.found if one.certificate.fingerprint == latest), None)
    if held is None or held.slot is Slot.CURRENT or view.is_withdrawn(server, held.certificate):
        return None
    return Rotation(server, held.certificate.fingerprint)


def _published_at_home(server: ServerName, view: View) -> Fingerprint | None:
    """The newest usable certificate that home publishes, where nothing is current: both diaries were lost."""
    home, store = view.home(server), view.store(server)
    if home is None or store is None or view.current(server) is not None:
        return None
    published = {one.certificate.fingerprint for one in home.found or ()}
    fit = [one for one in store.found or () if one.has_key and one.certificate.fingerprint in published]
    newest = max(fit, key=lambda one: one.arrived_at, default=None)
    return newest.certificate.fingerprint if newest else None


@dataclass(frozen=True, slots=True)
class _Case:
    """What a line of the checklist may look at."""

    rotation: Rotation
    view: View
    pace: Pace
    now: datetime

    @property
    def held(self) -> Installed | None:
        store = self.view.store(self.rotation.server)
        found = (store.found if store else None) or ()
        return next((one for one in found if one.certificate.fingerprint == self.rotation.new), None)

    @property
    def something_is_current(self) -> bool:
        return self.view.current(self.rotation.server) is not None

    @property
    def replicas(self) -> tuple[ReplicaSighting, ...]:
        return self.view.replicas(self.rotation.server)

    def holds(self, look: ReplicaSighting) -> bool:
        """True if *look* found the new certificate itself, and not only its key in an older one."""
        return any(one.certificate.fingerprint == self.rotation.new for one in look.found or ())

    def publication(self, look: ReplicaSighting) -> datetime | None:
        """Since when *look* holds the new key, by which peers believe; or None."""
        found = look.publication(self.held.certificate.pin) if self.held else None
        return found.published_at if found else None

    def say(self, phrase: str, place: str, **values: str) -> Said:
        return Said(phrase, {"fingerprint": short(self.rotation.new), "place": place, **values})


def _not_installed(case: _Case) -> Iterator[Obstacle]:
    store = case.view.store(case.rotation.server)
    if store is None or store.found is None:
        why = store.why if store else ""
        yield Obstacle(case.say("obstacle.store-unread", store.place if store else "", why=why))
    elif case.held is None:
        yield Obstacle(case.say("obstacle.not-installed", store.place), store.place)
    elif not case.held.has_key:
        yield Obstacle(case.say("obstacle.no-key", store.place), store.place)


def _not_published(case: _Case) -> Iterator[Obstacle]:
    """Judges the replica that we write to alone: a stopped one must not keep us from publishing."""
    if case.held and case.view.is_withdrawn(case.rotation.server, case.held.certificate):
        # Never publish it again: its withdrawal may still be on the way to a slow replica.
        yield Obstacle(case.say("obstacle.withdrawn", ""))
        return
    for look in case.replicas:
        written_here = look.place == case.rotation.replica if case.rotation.replica else look.primary
        if not written_here or case.holds(look):
            continue
        if look.found is None:
            yield Obstacle(case.say("obstacle.replica-unread", look.place, why=look.why), look.place)
        else:
            yield Obstacle(case.say("obstacle.not-published", look.place), look.place, is_gap=True)


def _not_spread(case: _Case) -> Iterator[Obstacle]:
    if not case.something_is_current:
        # Nothing is presented yet, so that no peer can lose what it believes.
        return
    for look in case.replicas:
        since = case.publication(look)
        if look.found is None:
            if case.pace.unreadable_blocks:
                yield Obstacle(case.say("obstacle.replica-unread", look.place, why=look.why), look.place)
        elif since is None:
            yield Obstacle(case.say("obstacle.not-spread", look.place), look.place)
        # The writer's clock may run ahead of ours: that is no reason to wait longer than the pace.
        elif (until := min(since, case.now) + case.pace.spread) > case.now:
            yield Obstacle(
                case.say("obstacle.too-recent", look.place, until=when(until)), look.place, until=until
            )


def _not_presented(case: _Case) -> Iterator[Obstacle]:
    held = case.held
    if held is not None and held.slot is not Slot.CURRENT:
        yield Obstacle(case.say("obstacle.not-current", ""), is_gap=True)


def _publish(rotation: Rotation) -> Action:
    return Publish(rotation.server, rotation.new, rotation.replica)


def _present(rotation: Rotation) -> Action:
    return Present(rotation.server, rotation.new)


_CHECKLIST: tuple[
    tuple[Phase, Callable[[_Case], Iterator[Obstacle]], Callable[[Rotation], Action] | None], ...
] = (
    (Phase.INSTALL, _not_installed, None),
    (Phase.PUBLISH, _not_published, _publish),
    (Phase.SPREAD, _not_spread, None),
    (Phase.PRESENT, _not_presented, _present),
)
