"""The end of every story: all is mended, nobody touches anything, and the world has to come to rest."""

from __future__ import annotations

from collections.abc import Iterable

from mailtrust.core import succession
from mailtrust.core.checks import diagnose
from mailtrust.core.model.event import Severity
from mailtrust.core.model.plan import Phase
from mailtrust.core.model.sighting import Act, Slot
from mailtrust.core.succession import asked
from mailtrust.simulation.agent import whole_view
from mailtrust.simulation.faults import happen
from mailtrust.simulation.host import Host
from mailtrust.simulation.values import POLICY
from mailtrust.simulation.world import World

_ROUNDS = 40
_PATIENCE = 95.0


def mend(world: World) -> None:
    """Every replica, link and process is well again, and all clocks run."""
    world.finish_steps(also_looking=True)
    world.cut.clear()
    for replica in world.directory.replicas:
        replica.is_up, replica.is_cut, replica.hides = True, False, False
    for host in world.hosts:
        host.is_blind = host.is_frozen = False
        host.has_readable_store = True
        for dead in list(host.diary.dead.values()):
            host.diary.dead.pop(dead.place)
        world.put_chain_right(host)


def replicate(world: World) -> None:
    """Every replica gets what the others have."""
    count = range(len(world.directory.replicas))
    for to in count:
        for origin in count:
            world.directory.replicate(to, origin)
    for to in count:
        world.directory.replicate(to, count[-1])


def come_to_rest(world: World, rotating: Iterable[Host]) -> None:
    """Let the world come to rest, and judge how it ends."""
    rotating = tuple(rotating)
    mend(world)
    for host in rotating:
        _judge_publishing(world, host)
    for host in rotating:
        # What was set back is met before anything fills it.
        world.advance(host, 0, None)
    for host in rotating:
        intent = host.diary.intent
        if intent is not None and intent.rotation.new in host.keyless:
            happen(world, ("undo", host.number, 0))
        waited = 0
        for _ in range(_ROUNDS):
            acts = len(host.diary.acts), host.diary.intent
            replicate(world)
            world.advance(host, 0, None)
            if world.broken:
                return
            if acts != (len(host.diary.acts), host.diary.intent):
                waited = 0
                continue
            waited += 1
            if waited == 5:
                break
            world.pass_time(_PATIENCE if waited > 1 else 1.0)
        _judge_rest(world, host)
        _tidy(world, host)
    # What readers keep of a replica that went back they keep for a week.
    world.rest(8 * 24 * 60.0)
    for host in rotating:
        if not world.broken:
            _judge_findings(world, host)


def _judge_publishing(world: World, host: Host) -> None:
    """While one other replica is stopped, what is to be published is published all the same."""
    stopped = world.directory.replicas[(world.directory.primary + 1) % len(world.directory.replicas)]
    stopped.is_up = False
    for _ in range(_ROUNDS):
        before = len(host.diary.acts), host.diary.intent, world.primary.state
        world.advance(host, 0, None)
        if before == (len(host.diary.acts), host.diary.intent, world.primary.state):
            break
    found = succession.course(host.name, whole_view(world, host), POLICY, host.clock(world.minute))
    if found is not None and found.plan.phase is Phase.PUBLISH and host.held_key(found.plan.rotation.new):
        world.breaks(f"{host.name} does not publish while {stopped.name} is stopped")
    stopped.is_up = True


def _tidy(world: World, host: Host) -> None:
    """What somebody enabled and gave up for another rotation, he takes away again."""
    left = [one.certificate.fingerprint for one in host.held if one.slot is Slot.NONE]
    for fingerprint in left:
        now = host.clock(world.minute)
        if world.withdraw(host, fingerprint, now):
            host.diary.record_act(Act("withdraw", host.name, fingerprint, now, world.primary.name))
        host.forget(fingerprint)
    replicate(world)


def _judge_rest(world: World, host: Host) -> None:
    view, now = whole_view(world, host), host.clock(world.minute)
    found = succession.course(host.name, view, POLICY, now)
    if host.diary.intent is not None:
        world.breaks(f"the rotation of {host.name} does not end")
    elif found is not None and found.plan.phase is not Phase.DONE:
        world.breaks(f"{host.name} still waits at {found.plan.phase.value}, for {found.why}")
    shown = [
        frozenset(one.certificate.fingerprint for one in look.found or ())
        for look in view.replicas(host.name)
    ]
    if len(set(shown)) != 1:
        world.breaks(f"the replicas do not agree about {host.name}")


def _judge_findings(world: World, host: Host) -> None:
    view, now = whole_view(world, host), host.clock(world.minute)
    under_way = asked(host.name, view, POLICY, now)
    plans = {host.name: under_way.plan} if under_way else {}
    diagnosis = diagnose(view, plans, POLICY, now, (host.name,), host.name)
    for finding in diagnosis.findings:
        if finding.severity is not Severity.INFORMATION:
            world.breaks(f"{finding.event.code} {finding.event.name} of {host.name} does not go away")
