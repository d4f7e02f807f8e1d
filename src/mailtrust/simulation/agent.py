"""
One step of an agent, as `mailtrust.agent.rotate.step` makes it, that can be stopped at any point.

Looking and acting are the world's; thinking is the shipped engine's, called as the agent calls it.  A step is
a generator: where it yields, its process may be killed or suspended, and what it has done stays done.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mailtrust.core import rotation, succession
from mailtrust.core.model.plan import Action, Install, Present, Publish, Rehearse, Withdraw
from mailtrust.core.model.sighting import (
    NOT_ENDED,
    Act,
    RehearsalSighting,
    ReplicaSighting,
    SnapshotSighting,
    StoreSighting,
    View,
    WireSighting,
)
from mailtrust.core.model.trust import Trusted
from mailtrust.simulation.ticks import judge_ticks
from mailtrust.simulation.values import POLICY, host_name, listener

if TYPE_CHECKING:
    from mailtrust.core.model.certificate import Fingerprint
    from mailtrust.simulation.host import Host
    from mailtrust.simulation.world import World

STORE = "/var/lib/mailtrust"
UNREAD = "no answer in 10 s"
UNREADABLE = "permission denied"


def look(world: World, host: Host, sample: int = 0) -> View:
    """The view of a host's own server; the *sample*-th of its processes answers the probe."""
    now, server = host.clock(world.minute), host.name
    found: dict[tuple[type, str], StoreSighting | WireSighting | ReplicaSighting] = {
        (StoreSighting, STORE): StoreSighting(server, STORE, host.held, now)
        if host.has_readable_store
        else StoreSighting(server, STORE, None, now, UNREADABLE)
    }
    for number in range(len(world.directory.replicas)):
        seen = replica_sighting(world, host, number, host)
        found[ReplicaSighting, seen.place] = seen
    endpoint = listener(host.number)
    shown = host.shown(world.minute)
    if host.is_blind or not shown:
        wire = WireSighting(server, endpoint, None, now, UNREAD)
    else:
        # What was put there last is what a probe meets: a reload ends every process that is idle.
        met = shown[0 if host.chain != host.slots.current else sample % len(shown)]
        wire = WireSighting(server, endpoint, (host.leaves[met],), now)
    found[WireSighting, wire.place] = wire
    return View({server: found}, host.diary.history())


def replica_sighting(world: World, host: Host, number: int, of: Host) -> ReplicaSighting:
    """What *host* sees of *of*'s entry on a replica."""
    directory, server = world.directory, of.name
    replica, now = directory.replicas[number], host.clock(world.minute)
    home, primary = host.home == number, directory.primary == number
    if not world.reaches(host, number):
        return ReplicaSighting(server, replica.name, None, now, UNREAD, home=home, primary=primary)
    if replica.hides:
        return ReplicaSighting(server, replica.name, (), now, home=home, primary=primary)
    state = replica.state
    return ReplicaSighting(
        server, replica.name, state.found(server), now, withdrawn=state.withdrawn.get(server, {}),
        withdrawn_pins=state.withdrawn_pins, home=home, primary=primary, seen=state.seen,
        changed=None if directory.embedded else state.changed.get(server),
    )  # fmt: skip


def whole_view(world: World, host: Host) -> View:
    """The same with everybody's entries and the snapshot, as `mailtrust check` looks."""
    view, now = look(world, host), host.clock(world.minute)
    others = [
        replica_sighting(world, host, number, other)
        for other in world.hosts
        if other is not host
        for number in range(len(world.directory.replicas))
    ]
    held = host.snapshot
    kept = SnapshotSighting(
        host.name,
        "snapshot.jsonl",
        now,
        host.clock(host.renewed_at),
        held.replica,
        held.kept_of,
        held.kept_until,
    )
    return view.see((*others, kept))


def step(world: World, host: Host, sample: int = 0) -> Iterator[str]:
    """Look, think, do at most one thing; each yield names how far it has come."""
    world.put_chain_right(host)
    view = look(world, host, sample)
    yield "looked"
    now, diary = host.clock(world.minute), host.diary
    diary.record_seen(view.latest[host.name].values(), now)  # type: ignore[arg-type]  # it has no others
    _met(world, host, view)
    yield "remembered"
    now = host.clock(world.minute)
    judge_ticks(world, host, view, now)
    ended = succession.outcome(host.name, view, POLICY, now)
    if ended and view.history.intent is not None:
        world.end(host, view.history.intent, ended, view)
        return
    found = succession.course(host.name, view, POLICY, now)
    world.thought(host, found)
    action = found.plan.action if found is not None else None
    if found is None or action is None:
        return
    if found.begins is not None:
        diary.begin(found.begins)
        yield "begun"
    if isinstance(action, Rehearse):
        view = view.see(rehearse(world, host, action.fingerprint))
        yield "rehearsed"
        pace = succession.pace_of(found.why, POLICY)
        again = rotation.plan(found.plan.rotation, view, pace, host.clock(world.minute)).action
        if again is None or isinstance(again, Rehearse):
            return
        action = again
    yield "decided"
    is_stolen = found.plan.rotation.compromised
    yield from perform(world, host, action, "compromised" if is_stolen else found.why)


def _met(world: World, host: Host, view: View) -> None:
    """What somebody put back has been seen, and is on record."""
    host.is_shown_anew &= any(look.found is None for look in view.wires(host.name))
    for replica, look in zip(world.directory.replicas, view.replicas(host.name), strict=True):
        # A look from before it was set back, of an agent that was suspended since, does not count.
        if look.found in ((), replica.state.found(host.name)):
            replica.unmet.discard(host.number)


def perform(world: World, host: Host, action: Action, why: str) -> Iterator[str]:
    """Do one thing, then put it on record."""
    diary, now = host.diary, host.clock(world.minute)
    match action:
        case Install(successor=successor):
            leaf = host.make(now, successor=successor)
            yield "installed"
            diary.record_act(Act("install", host.name, leaf.fingerprint, now))
        case Publish(fingerprint=fingerprint):
            world.publish(host, fingerprint, now)
        case Present(fingerprint=fingerprint):
            world.present(host, fingerprint, why)
            yield "made current"
            diary.record_act(Act("present", host.name, fingerprint, now))
            yield "recorded"
            world.put_chain_right(host)
        case Withdraw(fingerprint=fingerprint, pin=pin):
            diary.record_act(Act("withdraw", host.name, fingerprint, now, failed=NOT_ENDED))
            yield "begun"
            if pin is not None:
                world.directory.withdraw_key(world.directory.primary, pin)
                yield "key withdrawn"
            if world.withdraw(host, fingerprint, now):
                yield "withdrawn"
                diary.record_act(Act("withdraw", host.name, fingerprint, now, world.primary.name))
        case _:
            return


def rehearse(world: World, host: Host, fingerprint: Fingerprint) -> tuple[RehearsalSighting, ...]:
    """What each peer says to a certificate that is not presented yet; None where it cannot be asked."""
    now, leaf = host.clock(world.minute), host.leaves[fingerprint]
    told: list[RehearsalSighting] = []
    for peer in world.hosts:
        if peer is host:
            continue
        accepted: bool | None = None
        if world.meets(host, peer):
            accepted = isinstance(world.judged(peer, leaf), Trusted)
        why = "" if accepted else "454 4.7.1" if accepted is False else UNREAD
        told.append(RehearsalSighting(host.name, host_name(peer.number), fingerprint, accepted, now, why))
    return tuple(told)
