"""
A search over random schedules: each is a list of events made from one number, played in a world of its own.

A schedule that breaks what must hold is named by its number, and cut down to the events that it needs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from mailtrust.simulation.agent import step
from mailtrust.simulation.directory import Directory
from mailtrust.simulation.faults import Event, happen
from mailtrust.simulation.host import Host
from mailtrust.simulation.quiet import come_to_rest
from mailtrust.simulation.values import moment
from mailtrust.simulation.world import World

REPLICAS = 3

_WEIGHTS: dict[str, float] = {
    "wait": 26, "step": 30, "halt": 2, "second": 2, "kill": 2, "kill-second": 1,
    "replicate": 8, "sync": 8, "renew": 5,
    "down": 1.5, "up": 2, "cut": 1.5, "join": 2, "hide": 0.6, "reveal": 1.5,
    "backup": 1.5, "restore": 1.5, "promote": 0.7, "dead": 0.7,
    "cut-home": 1.2, "join-home": 2, "cut-peer": 1.2, "join-peer": 2,
    "freeze": 0.7, "thaw": 1.5, "blind": 0.7, "see": 1.5, "old-chain": 0.7,
    "clock": 1, "restart": 0.7, "lose-key": 0.4, "lose-certificate": 0.3, "lose-journal": 0.4,
    "start": 4, "now": 1, "undo": 2.5, "compromised": 0.5, "enable": 0.8, "withdraw": 0.8,
}  # fmt: skip
_WORDS = tuple(_WEIGHTS)
_CUMULATED = tuple(accumulate(_WEIGHTS.values()))
_OF_A_HOST = frozenset({
    "step", "halt", "second", "kill", "kill-second", "freeze", "thaw", "blind", "see", "old-chain",
    "clock", "lose-key", "lose-certificate", "lose-journal",
    "start", "now", "undo", "compromised", "enable", "withdraw",
})  # fmt: skip
"""These happen to a server that rotates."""
_LENGTH = 30


@dataclass(frozen=True, slots=True)
class Setting:
    """How a world begins."""

    embedded: bool = True
    hosts: int = 3
    hubs: tuple[bool, ...] = (True, False, False)
    rotating: int = 1
    """How many of the hosts have an agent that is awake."""
    days_left: int = 1795
    successor: bool = False
    """The next certificate stands everywhere already, and has for a day."""
    drifts: tuple[float, ...] = (0.0, 0.0, 0.0)
    comes_to_rest: bool = True


@dataclass(frozen=True, slots=True)
class Schedule:
    """A setting, and what happens in it."""

    setting: Setting
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """A schedule that breaks what must hold."""

    seed: int
    broken: str
    schedule: Schedule


def schedule_of(seed: int) -> Schedule:
    """The schedule of that number; always the same."""
    chance = random.Random(seed)  # noqa: S311  # chance, and no secret
    number = chance.random
    hubs = tuple(number() < 0.4 for _ in range(3))
    setting = Setting(
        embedded=number() < 0.5,
        hubs=hubs,
        rotating=2 if number() < 0.1 else 1,
        days_left=92 if number() < 0.1 else 1795,
        successor=number() < 0.5,
        drifts=tuple(number() * 0.01 - 0.005 for _ in range(3)),
        comes_to_rest=seed % 8 == 0,
    )
    events: list[Event] = []
    words = chance.choices(_WORDS, cum_weights=_CUMULATED, k=_LENGTH)
    for word in words:
        one = int(number() * (setting.rotating if word in _OF_A_HOST else 6))
        events.append((word, one, int(number() * 6)))
    return Schedule(setting, tuple(events))


def world_of(setting: Setting) -> World:
    """The world as it begins."""
    hosts = tuple(
        Host.presenting(number, number % REPLICAS, is_hub=setting.hubs[number], days_left=setting.days_left)
        for number in range(setting.hosts)
    )
    day = moment(-24 * 60)
    published = {host.name: tuple(host.leaves.values()) for host in hosts}
    if setting.successor:
        for host in hosts[: setting.rotating]:
            published[host.name] += (host.make(day, successor=True),)
    directory = Directory.holding(published, REPLICAS, day, embedded=setting.embedded)
    world = World(hosts, directory, step, agents=tuple(range(setting.rotating)))
    for host, drift in zip(hosts, setting.drifts, strict=True):
        host.drift = drift
        world.renew(host)
        for replica in directory.replicas:
            for leaf in published[host.name]:
                host.diary.since[host.name, replica.name, leaf.fingerprint] = day
                host.diary.first_seen[host.name, replica.name, leaf.fingerprint] = day
    return world


def play(schedule: Schedule) -> World:
    """Let a schedule happen, until the first thing that must not be."""
    world = world_of(schedule.setting)
    for event in schedule.events:
        happen(world, event)
        if world.broken:
            return world
    if schedule.setting.comes_to_rest:
        come_to_rest(world, world.hosts[: schedule.setting.rotating])
    return world


def search(seeds: Sequence[int]) -> Iterator[Failure]:
    """The schedules of these numbers that break what must hold."""
    for seed in seeds:
        schedule = schedule_of(seed)
        world = play(schedule)
        if world.broken:
            yield Failure(seed, world.broken, schedule)


def shrunk(failure: Failure) -> Failure:
    """The same failure with no event that it does not need."""
    schedule = failure.schedule
    events = list(schedule.events)
    size = len(events) // 2
    while size:
        at = 0
        while at < len(events):
            fewer = events[:at] + events[at + size :]
            if play(Schedule(schedule.setting, tuple(fewer))).broken == failure.broken:
                events = fewer
            else:
                at += size
        size //= 2
    return Failure(failure.seed, failure.broken, Schedule(schedule.setting, tuple(events)))
