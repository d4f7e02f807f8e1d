"""Plays a story, and tells it row by row: what happened, what agents did, and whether what must hold does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from mailtrust.core.checks import diagnose
from mailtrust.core.model.certificate import Fingerprint
from mailtrust.core.model.sighting import NOT_ENDED, Act, Dead
from mailtrust.core.succession import Course, asked, course
from mailtrust.simulation.agent import whole_view
from mailtrust.simulation.faults import EVENTS
from mailtrust.simulation.host import Host
from mailtrust.simulation.live import Living
from mailtrust.simulation.search import Setting, world_of
from mailtrust.simulation.stories import Row, Story
from mailtrust.simulation.values import POLICY, letter
from mailtrust.simulation.world import World

_READS_EVERY = 5
"""Minutes from one look of a reader to its next."""


@dataclass(frozen=True, slots=True)
class Told:
    """One line of a story, as it came."""

    minute: int
    happens: str
    did: tuple[str, ...]
    """What agents did since the line before."""
    presents: str
    holds: Mapping[str, str]
    """By replica, what it shows of hub1."""
    rejected: int
    """Sessions that were rejected since the line before."""
    unmet: tuple[str, ...]
    """What was to hold and does not."""


@dataclass(slots=True)
class _Stage:
    world: World
    living: Living
    did: list[str] = field(default_factory=list)
    refused: bool = False
    image: tuple[object, ...] = ()
    dying: str = ""
    rejected: int = 0

    @property
    def host(self) -> Host:
        return self.world.hosts[0]


def tell(story: Story) -> tuple[Told, ...]:
    """The whole story."""
    setting = Setting(embedded=story.embedded, hubs=story.hubs)
    world = world_of(setting)
    # Nobody sees to it that an agent looks in time: that is what some stories are about.
    world.agents = ()
    living = Living(world, story.lags, (world.hosts[0],), _READS_EVERY)
    stage = _Stage(world, living)
    world.tell = lambda what, values: _heard(stage, what, values)
    return tuple(_row(stage, story, row) for row in story.rows)


def _row(stage: _Stage, story: Story, row: Row) -> Told:
    world = stage.world
    while world.minute < row.minute - 0.5:
        stage.living.minute()
        stage.rejected += _count_rejected(world)
    for event in row.events:
        _happen(stage, event)
    world.judge_sessions()
    unmet = [claim for claim in row.must if not _holds(stage, claim)]
    if story.inside and world.broken:
        unmet.append(world.broken)
    told = Told(
        row.minute, row.happens, tuple(stage.did), _letters(stage.host, stage.host.shown(world.minute)),
        {one.name: _shown_at(stage, one.name) for one in world.directory.replicas}, stage.rejected,
        tuple(unmet),
    )  # fmt: skip
    stage.did, stage.rejected = [], 0
    return told


def _count_rejected(world: World) -> int:
    """Of one session a minute from the first host to each other one."""
    host = world.hosts[0]
    leaves = [host.leaves[one] for one in host.shown(world.minute)[:1]]
    return sum(leaf.pin not in peer.snapshot.servers for leaf in leaves for peer in world.hosts[1:])


def _heard(stage: _Stage, what: str, values: Mapping[str, str]) -> None:
    host = next(one for one in stage.world.hosts if one.name == values["server"])
    name = host.name.partition(".")[0]
    leaf = _letters(host, (Fingerprint(values["fingerprint"]),)) if values["fingerprint"] else ""
    line = f"{name}: {what.replace('-', ' ')} {leaf} {values.get('phase', '')}".strip()
    stage.refused = what == "refused"
    if line not in stage.did[-1:]:
        stage.did.append(line)


def _letters(host: Host, fingerprints: tuple[Fingerprint, ...]) -> str:
    order = list(host.leaves)
    return "".join(sorted({letter(order.index(one)) for one in fingerprints if one in order}))


def _shown_at(stage: _Stage, name: str) -> str:
    replica = next(one for one in stage.world.directory.replicas if one.name == name)
    if not replica.is_up:
        return "?"
    found = replica.state.found(stage.host.name)
    return _letters(stage.host, tuple(one.certificate.fingerprint for one in found))


def _happen(stage: _Stage, event: str) -> None:
    word, *names = event.split()
    if word in _OF_STORIES:
        _OF_STORIES[word](stage, *names)
        return
    numbers = [int(re.sub(r"\D", "", one)) - 1 for one in names] + [0, 0]
    busy = any(key[0] == numbers[0] for key in stage.world.under_way)
    stage.refused = busy and word in ("start", "now", "undo", "compromised", "enable")
    EVENTS[word](stage.world, numbers[0], numbers[1])


def _die(stage: _Stage, _: str, place: str) -> None:
    """The agent steps, and is killed where it has come as far as *place*."""
    _suspend(stage, _, place)
    stage.world.kill(stage.host, 0)


def _suspend(stage: _Stage, _: str, place: str) -> None:
    world, host = stage.world, stage.host
    running = world.steps(world, host)
    for at in running:
        if at == place.replace("-", " "):
            world.under_way[host.number, 0] = running, at
            return


def _declare_dead(stage: _Stage, replica: str, hours: str) -> None:
    for host in stage.world.hosts:
        now = host.clock(stage.world.minute)
        until = now + timedelta(hours=int(hours.rstrip("h")))
        host.diary.declare_dead(Dead(replica, until, "it burnt down", now))


def _home(stage: _Stage, host: str, replica: str) -> None:
    peer = stage.world.hosts[int(host[3:]) - 1]
    peer.home, peer.column = int(replica[2:]) - 1, None


def _cut_peer(stage: _Stage, one: str, other: str) -> None:
    low, high = sorted((int(one[3:]) - 1, int(other[3:]) - 1))
    stage.world.cut.add(("peer", low, high))


def _image(stage: _Stage, _: str) -> None:
    host = stage.host
    stage.image = host.slots, host.chain, replace_diary(host)


def replace_diary(host: Host) -> object:
    """The journal, as it is now."""
    return replace(host.diary, first_seen=dict(host.diary.first_seen), since=dict(host.diary.since))


def _restore_image(stage: _Stage, _: str) -> None:
    host = stage.host
    slots, chain, diary = stage.image
    known = {one: leaf for one, leaf in host.leaves.items() if one in slots.arrived}  # type: ignore[attr-defined]
    host.put_back(slots)  # type: ignore[arg-type]
    host.chain, host.diary = chain, diary  # type: ignore[assignment]
    host.lingering.clear()
    if len(known) < len(host.held):
        host.set_slots(host.slots)


def _enable_next(stage: _Stage, _: str) -> None:
    host = stage.host
    if host.slots.next is not None:
        now = host.clock(stage.world.minute)
        host.diary.record_act(Act("enable", host.name, host.slots.next, now, failed=NOT_ENDED))


def _sleep(stage: _Stage) -> None:
    stage.living.awake = ()


def _wake(stage: _Stage) -> None:
    stage.living.awake = (stage.host,)


_OF_STORIES: Mapping[str, Callable[..., None]] = {
    "die": _die, "suspend": _suspend, "declare-dead": _declare_dead, "home": _home, "cut-peer": _cut_peer,
    "image": _image, "restore-image": _restore_image, "enable-next": _enable_next,
    "sleep": _sleep, "wake": _wake,
}  # fmt: skip


def _holds(stage: _Stage, claim: str) -> bool:
    match claim.split():
        case ["rejected"]:
            return _count_rejected(stage.world) + stage.rejected > 0
        case ["finding", code]:
            return int(code) in _findings(stage)
        case ["nobody", "believes", letters]:
            return not any(_believed(stage, peer) & set(letters) for peer in stage.world.hosts[1:])
        case ["all", "hold", letters]:
            return all(_shown_at(stage, one.name) in (letters, "?") for one in stage.world.directory.replicas)
        case [replica, "holds", letters]:
            return _shown_at(stage, replica) == letters
        case [replica, "lacks", letters]:
            return not set(_shown_at(stage, replica)) & set(letters)
        case [_, "presents", letters]:
            return _letters(stage.host, stage.host.shown(stage.world.minute)[:1]) == letters
        case [peer, "believes", letters]:
            return set(letters) <= _believed(stage, stage.world.hosts[int(peer[3:]) - 1])
        case [_, "waits", phase]:
            found = _course(stage)
            return found is not None and found.plan.phase.value == phase
        case [_, "refused"]:
            return stage.refused
        case [_, "done"]:
            return stage.host.diary.intent is None
        case _:
            raise ValueError(claim)


def _believed(stage: _Stage, peer: Host) -> set[str]:
    host = stage.host
    known = (one for one, leaf in host.leaves.items() if leaf.pin in peer.snapshot.servers)
    return set(_letters(host, tuple(known)))


def _course(stage: _Stage) -> Course | None:
    host = stage.host
    return course(host.name, whole_view(stage.world, host), POLICY, host.clock(stage.world.minute))


def _findings(stage: _Stage) -> set[int]:
    host, now = stage.host, stage.host.clock(stage.world.minute)
    view = whole_view(stage.world, host)
    under_way = asked(host.name, view, POLICY, now)
    plans = {host.name: under_way.plan} if under_way else {}
    found = diagnose(view, plans, POLICY, now, (host.name,), host.name)
    return {one.event.code for one in found.findings} | {one.finding.event.code for one in found.silenced}
