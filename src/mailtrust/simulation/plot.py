"""
Three ways to a new certificate in one world: rejected sessions against the replicas' lag, and a picture.

*replace* publishes the new value in the old one's place and switches, as an attribute with one value
makes it.  *timer* publishes, waits for a fixed time, switches, waits, and withdraws.  *checklist* is the
engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mailtrust.core.model.sighting import Intent
from mailtrust.core.succession import start
from mailtrust.simulation.agent import look
from mailtrust.simulation.host import Host
from mailtrust.simulation.live import Living
from mailtrust.simulation.search import Setting, world_of
from mailtrust.simulation.world import World

TIMER = 30
"""How many minutes the timer waits, each time."""
LAGS = tuple(range(0, 121, 5))
_MINUTES = 600
_READS_EVERY = 5


def rejected(way: str, lag: int) -> int:
    """Of one session a minute to each of two peers, how many were rejected in ten hours."""
    world = world_of(Setting(hubs=(False, False, False)))
    host = world.hosts[0]
    living = Living(world, (0, lag // 2, lag), (host,) if way == "checklist" else (), _READS_EVERY)
    count = 0
    for minute in range(_MINUTES):
        WAYS[way](world, host, minute)
        living.minute()
        leaves = [host.leaves[one] for one in host.shown(world.minute)[:1]]
        count += sum(leaf.pin not in peer.snapshot.servers for leaf in leaves for peer in world.hosts[1:])
    return count


def _replace(world: World, host: Host, minute: int) -> None:
    now = host.clock(world.minute)
    if minute == 10:
        old = host.slots.current
        new = host.make(now)
        if old is not None:
            world.withdraw(host, old, now)
        world.publish(host, new.fingerprint, now)
        _switch(world, host)


def _timer(world: World, host: Host, minute: int) -> None:
    now = host.clock(world.minute)
    if minute == 10:
        world.publish(host, host.make(now).fingerprint, now)
    elif minute == 10 + TIMER:
        _switch(world, host)
    elif minute == 10 + 2 * TIMER:
        for old in host.slots.previous:
            world.withdraw(host, old, now)


def _checklist(world: World, host: Host, minute: int) -> None:
    if minute == 10:
        rotation = start(host.name, look(world, host))
        if rotation is not None:
            host.diary.begin(Intent(rotation, "start", host.clock(world.minute)))


def _switch(world: World, host: Host) -> None:
    newest = list(host.leaves)[-1]
    host.set_slots(host.slots.with_current(newest))
    world.put_chain_right(host)


WAYS: Mapping[str, Callable[[World, Host, int], None]] = {
    "replace": _replace, "timer": _timer, "checklist": _checklist,
}  # fmt: skip
_NAMES = {
    "replace": "replace the value and switch (one-valued attribute)",
    "timer": f"publish, switch after {TIMER} minutes",
    "checklist": "mailtrust's checklist",
}
_COLOURS = {"replace": "#c0392b", "timer": "#d68910", "checklist": "#1e8449"}
_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 720, 400, 70, 40, 20, 60


def figures(lags: Sequence[int] = LAGS) -> Mapping[str, tuple[tuple[int, int], ...]]:
    """By way, the lag in minutes and how many sessions were rejected."""
    return {way: tuple((lag, rejected(way, lag)) for lag in lags) for way in WAYS}


def picture(found: Mapping[str, Sequence[tuple[int, int]]]) -> str:
    """The figures as an SVG."""
    highest = max(count for points in found.values() for _, count in points) or 1
    longest = max(lag for points in found.values() for lag, _ in points) or 1

    def at(lag: int, count: int) -> tuple[float, float]:
        across = _LEFT + lag / longest * (_WIDTH - _LEFT - _RIGHT)
        return round(across, 1), round(_HEIGHT - _BOTTOM - count / highest * (_HEIGHT - _TOP - _BOTTOM), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif"'
        ' font-size="13">',
        "<title>Rejected sessions against replication lag, for three ways to a new certificate</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
    ]
    for step in range(5):
        count = highest * step // 4
        x, y = at(0, count)
        parts.append(f'<path d="M{x} {y}H{_WIDTH - _RIGHT}" stroke="#dddddd"/>')
        parts.append(f'<text x="{x - 8}" y="{y + 4}" text-anchor="end">{count}</text>')
    for lag in range(0, longest + 1, max(longest // 6, 1)):
        x, y = at(lag, 0)
        parts.append(f'<text x="{x}" y="{y + 20}" text-anchor="middle">{lag}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{_HEIGHT - 15}" text-anchor="middle">minutes of replication lag</text>'
    )
    parts.append(
        f'<text x="{_LEFT - 60}" y="22">rejected sessions, of {_MINUTES} to each of two peers</text>'
    )
    for number, (way, points) in enumerate(found.items()):
        line = " ".join("{},{}".format(*at(*point)) for point in points)
        colour = _COLOURS[way]
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        y = _TOP + 20 + 20 * number
        parts.append(f'<path d="M{_LEFT + 15} {y - 4}h24" stroke="{colour}" stroke-width="2.5"/>')
        parts.append(f'<text x="{_LEFT + 46}" y="{y}">{_NAMES[way]}</text>')
    return "\n".join([*parts, "</svg>", ""])
