"""
Everything that can happen in a world: what time, people, networks and failures do to it.

An event is a word and two numbers, so that a schedule is a list that can be printed, cut and run again.  What
the guarantee leaves out (`docs/rotation.md`) does not happen where a world is *inside*; the event then does
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from mailtrust.agent.refusals import refuse_to_enable, refuse_to_withdraw
from mailtrust.core import succession
from mailtrust.core.model.certificate import Fingerprint
from mailtrust.core.model.plan import Rotation
from mailtrust.core.model.sighting import NOT_ENDED, Act, Dead, Intent
from mailtrust.errors import MailtrustError
from mailtrust.simulation.agent import look
from mailtrust.simulation.diary import Diary
from mailtrust.simulation.host import Host
from mailtrust.simulation.world import World

Event = tuple[str, int, int]
WAITS = (1.0, 3.0, 7.0, 16.0, 31.0, 61.0, 95.0)
CLOCK_STEPS = (4.0, 8.0, -5.0, -90.0)
_FORWARD_AT_MOST = 8.0
"""Spread less a snapshot's greatest age, less what drift adds."""


def happen(world: World, event: Event) -> None:
    """Let one event happen, and judge every session afterwards."""
    word, one, two = event
    EVENTS[word](world, one, two)
    world.judge_sessions()


def _host(world: World, number: int) -> Host:
    return world.hosts[number % len(world.hosts)]


def _count(world: World) -> int:
    return len(world.directory.replicas)


# Time and agents


def _wait(world: World, one: int, _: int) -> None:
    world.pass_time(WAITS[one % len(WAITS)])


def _minutes(world: World, one: int, _: int) -> None:
    world.pass_time(float(one))


def _step(world: World, one: int, two: int) -> None:
    world.advance(_host(world, one), 0, None, two)


def _halt(world: World, one: int, two: int) -> None:
    world.advance(_host(world, one), 0, 1 + two % 6)


def _second(world: World, one: int, two: int) -> None:
    world.advance(_host(world, one), 1, 1 + two % 6 if two else None)


def _kill(world: World, one: int, _: int) -> None:
    world.kill(_host(world, one), 0)


def _kill_second(world: World, one: int, _: int) -> None:
    world.kill(_host(world, one), 1)


# The directory


def _replicate(world: World, one: int, two: int) -> None:
    count = _count(world)
    world.directory.replicate(one % count, (one + 1 + two % (count - 1)) % count, 1 + two)


def _sync(world: World, _: int, __: int) -> None:
    for _ in range(2):
        for to in range(_count(world)):
            for origin in range(_count(world)):
                world.directory.replicate(to, origin)


def _renew(world: World, one: int, _: int) -> None:
    world.renew(_host(world, one))


def _down(world: World, one: int, _: int) -> None:
    world.directory.replicas[one % _count(world)].is_up = False


def _up(world: World, one: int, _: int) -> None:
    number = one % _count(world)
    replica = world.directory.replicas[number]
    replica.is_up = True
    was_dead = False
    for host in world.hosts:
        # Whoever brings it back takes the word back that it is dead, and fills it before anybody reads it.
        dead = host.diary.dead.get(replica.name)
        if dead is not None:
            was_dead = True
            host.diary.declare_dead(replace(dead, until=dead.declared_at))
    if was_dead:
        world.directory.fill(number)


def _cut(world: World, one: int, _: int) -> None:
    world.directory.replicas[one % _count(world)].is_cut = True


def _join(world: World, one: int, _: int) -> None:
    world.directory.replicas[one % _count(world)].is_cut = False


def _hide(world: World, one: int, _: int) -> None:
    world.directory.replicas[one % _count(world)].hides = True


def _reveal(world: World, one: int, _: int) -> None:
    world.directory.replicas[one % _count(world)].hides = False


def _backup(world: World, one: int, _: int) -> None:
    replica = world.directory.replicas[one % _count(world)]
    replica.backup = replica.state


def _restore(world: World, one: int, _: int) -> None:
    directory, number = world.directory, one % _count(world)
    replica = directory.replicas[number]
    if number == directory.primary and not directory.embedded:
        return
    replica.state = replica.backup
    replica.unmet.update(world.agents)
    _forget(world)


def _promote(world: World, one: int, _: int) -> None:
    directory, number = world.directory, one % _count(world)
    replica = directory.replicas[number]
    if number == directory.primary or not replica.is_up or replica.hides:
        return
    for host in world.hosts:
        shown = {leaf.certificate.fingerprint for leaf in replica.state.found(host.name)}
        if not shown.issuperset(host.shown(world.minute)):
            return
    if not directory.embedded and world.primary.is_up and replica.state is not world.primary.state:
        return
    directory.promote(number)
    _forget(world)


def _dead(world: World, one: int, two: int) -> None:
    replica = world.directory.replicas[one % _count(world)]
    if replica.is_up:
        return
    for host in world.hosts:
        now = host.clock(world.minute)
        until = now + timedelta(hours=(1, 8, 72)[two % 3])
        host.diary.declare_dead(Dead(replica.name, until, "it burnt", now))


# Links


def _cut_home(world: World, one: int, two: int) -> None:
    world.cut.add(("home", one % len(world.hosts), two % _count(world)))


def _join_home(world: World, one: int, two: int) -> None:
    world.cut.discard(("home", one % len(world.hosts), two % _count(world)))


def _peers(world: World, one: int, two: int) -> tuple[str, int, int]:
    count = len(world.hosts)
    low, high = sorted((one % count, (one + 1 + two % (count - 1)) % count))
    return "peer", low, high


def _cut_peer(world: World, one: int, two: int) -> None:
    world.cut.add(_peers(world, one, two))


def _join_peer(world: World, one: int, two: int) -> None:
    world.cut.discard(_peers(world, one, two))


# Hosts


def _freeze(world: World, one: int, _: int) -> None:
    _host(world, one).is_frozen = True


def _thaw(world: World, one: int, _: int) -> None:
    host = _host(world, one)
    host.is_frozen = False
    if host.is_hub:
        world.put_chain_right(host)


def _blind(world: World, one: int, two: int) -> None:
    """Nothing of a server can be looked at: its listener, or else its store."""
    if two < 4:
        _host(world, one).is_blind = True
    else:
        _host(world, one).has_readable_store = False


def _see(world: World, one: int, _: int) -> None:
    host = _host(world, one)
    host.is_blind, host.has_readable_store = False, True


def _old_chain(world: World, one: int, _: int) -> None:
    """Somebody puts the file of before back; it stands there until an agent has looked."""
    host = _host(world, one)
    fit = _published(world, host) & set(host.presented)
    states = [replica.state for replica in world.directory.replicas]
    withdrawn = {one for state in states for one in state.withdrawn.get(host.name, {})} | _on_record(host)
    old = next((one for one in host.slots.previous if one in fit - withdrawn), None)
    if host.is_hub or old is None or world.under_way:
        return
    host.show(old, world.minute)
    host.is_shown_anew = True


def _clock(world: World, one: int, two: int) -> None:
    host, by = _host(world, one), CLOCK_STEPS[two % len(CLOCK_STEPS)]
    if by > 0 and host.stepped + by > _FORWARD_AT_MOST:
        return
    host.stepped += max(by, 0.0)
    host.offset += by


def _restart(world: World, one: int, _: int) -> None:
    world.restart(_host(world, one))


def _lose_key(world: World, one: int, _: int) -> None:
    host = _host(world, one)
    fingerprint = host.slots.next
    if fingerprint is not None and not world.under_way:
        host.lose_key(fingerprint)


def _lose_certificate(world: World, one: int, _: int) -> None:
    host = _host(world, one)
    fingerprint = host.slots.next
    shown = {
        leaf.certificate.fingerprint
        for one in world.directory.replicas
        for leaf in one.state.found(host.name)
    }
    if fingerprint is not None and not world.under_way and fingerprint not in shown:
        host.forget(fingerprint)


def _lose_journal(world: World, one: int, _: int) -> None:
    host = _host(world, one)
    if world.under_way:
        return
    host.diary = Diary()
    _forget(world)


def _forget(world: World) -> None:
    """What neither a journal nor the primary remembers nobody can keep from coming back."""
    state = world.primary.state
    for host in world.hosts:
        known = _on_record(host) | state.withdrawn.get(host.name, {}).keys()
        world.gone -= {one for one in world.gone if one[0] == host.name and one[1] not in known}


def _on_record(host: Host) -> set[Fingerprint]:
    history = host.diary.history()
    begun, done = history.withdrawals_begun(host.name), history.withdrawn(host.name)
    return {one for one, _ in (*begun, *done)}


# Operators


def _is_refused(world: World, host: Host) -> bool:
    """True where somebody else writes, or where nobody can read what is there."""
    is_busy = world.one_writer and any(key[0] == host.number for key in world.under_way)
    return is_busy or not host.has_readable_store


def _ask(world: World, host: Host, why: str, rotation: Rotation | None) -> None:
    if rotation is not None:
        host.diary.begin(Intent(rotation, why, host.clock(world.minute)))


def _start(world: World, one: int, _: int) -> None:
    host = _host(world, one)
    if not _is_refused(world, host) and host.diary.intent is None:
        _ask(world, host, "start", succession.start(host.name, look(world, host)))


def _now(world: World, one: int, _: int) -> None:
    host = _host(world, one)
    if not _is_refused(world, host):
        view, under_way = look(world, host), host.diary.intent
        found = succession.start(host.name, view)
        _ask(world, host, "now", found or (under_way.rotation if under_way else None))


def _undo(world: World, one: int, _: int) -> None:
    host = _host(world, one)
    if not _is_refused(world, host):
        _ask(world, host, "undo", succession.undo(host.name, look(world, host)))


def _compromised(world: World, one: int, _: int) -> None:
    host = _host(world, one)
    if _is_refused(world, host) or host.slots.current is None:
        return
    now, view = host.clock(world.minute), look(world, host)
    made = host.make(now)
    host.diary.record_act(Act("install", host.name, made.fingerprint, now))
    rotation = succession.compromised(host.name, view, made.fingerprint)
    _ask(world, host, "compromised", rotation)
    world.stolen |= rotation.old
    published = {
        leaf.certificate.fingerprint for seen in view.replicas(host.name) for leaf in seen.found or ()
    }
    for leaf in sorted(rotation.old - published - view.withdrawals(host.name).keys()):
        host.diary.record_act(Act("withdraw", host.name, leaf, now))
        world.gone.add((host.name, leaf))


def _enable(world: World, one: int, _: int) -> None:
    """`mailtrust enable`, of a certificate that was made a moment ago."""
    host = _host(world, one)
    if _is_refused(world, host):
        return
    now = host.clock(world.minute)
    made = host.make(now)
    held = next(held for held in host.held if held.certificate == made)
    refuse_to_enable(held, look(world, host), host.name)
    host.diary.record_act(Act("enable", host.name, made.fingerprint, now, failed=NOT_ENDED))


def _withdraw(world: World, one: int, two: int) -> None:
    """`mailtrust withdraw`, of anything that stands on the server's entry."""
    host = _host(world, one)
    if _is_refused(world, host):
        return
    view = look(world, host)
    found = sorted(_published(world, host))
    if not found:
        return
    fingerprint = found[two % len(found)]
    try:
        refuse_to_withdraw(fingerprint, view, host.name)
    except MailtrustError:
        return
    if fingerprint in host.shown(world.minute):
        # A process that no probe met: outside what can be promised to an administrator.
        return
    now = host.clock(world.minute)
    if world.withdraw(host, fingerprint, now):
        host.diary.record_act(Act("withdraw", host.name, fingerprint, now, world.primary.name))


def _published(world: World, host: Host) -> set[Fingerprint]:
    return {one.certificate.fingerprint for one in world.primary.state.found(host.name)}


EVENTS: Mapping[str, Callable[[World, int, int], None]] = {
    "wait": _wait, "minutes": _minutes, "step": _step, "halt": _halt, "second": _second,
    "kill": _kill, "kill-second": _kill_second,
    "replicate": _replicate, "sync": _sync, "renew": _renew,
    "down": _down, "up": _up, "cut": _cut, "join": _join, "hide": _hide, "reveal": _reveal,
    "backup": _backup, "restore": _restore, "promote": _promote, "dead": _dead,
    "cut-home": _cut_home, "join-home": _join_home, "cut-peer": _cut_peer, "join-peer": _join_peer,
    "freeze": _freeze, "thaw": _thaw, "blind": _blind, "see": _see, "old-chain": _old_chain,
    "clock": _clock, "restart": _restart,
    "lose-key": _lose_key, "lose-certificate": _lose_certificate, "lose-journal": _lose_journal,
    "start": _start, "now": _now, "undo": _undo, "compromised": _compromised, "enable": _enable,
    "withdraw": _withdraw,
}  # fmt: skip
