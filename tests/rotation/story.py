"""
The story that is told of hubs and of Postfix alike: every server rotates, one after the other, and each of
their agents is killed in every phase; the second one turns round half-way, and rotates once more.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from mailtrust.agent import rotate as engine
from mailtrust.core.model.plan import Phase
from mailtrust.core.model.sighting import Slot, View
from tests.rotation.counted import Counted
from tests.rotation.servers import Server, has_ended, knows_next, made, switched

PHASES = frozenset(Phase) - {Phase.DONE}


@dataclass(frozen=True, slots=True)
class Told:
    """How it went."""

    rotations: int
    seconds: float
    killed: Counter[Phase]
    """How often an agent died, by what it was at."""
    mail: Counted = field(default_factory=Counted)
    troubles: Sequence[str] = ()
    """What was said of mail that was not taken, for whoever looks why."""


async def rotate_under_load(servers: Sequence[Server], sent: Collection[str], at_least: int) -> Told:
    """The whole story, until so many messages were *sent* meanwhile; no agent runs at the end."""
    began = time.monotonic()
    try:
        rotations = await rotate_all(servers, lambda: len(sent) >= at_least)
    finally:
        for one in servers:
            one.stop()
    killed = sum((one.killed for one in servers), Counter[Phase]())
    return Told(rotations, time.monotonic() - began, killed)


async def rotate_all(servers: Sequence[Server], is_enough: Callable[[], bool]) -> int:
    """
    Rotate each of *servers*, whose agents do not run yet, and go on until *is_enough*; how many rotations.
    """
    for one in servers:
        await prepare(one)
    for number, one in enumerate(servers):
        if number == 1:
            await turn_round(one)
            one.start()
        await rotate(one)
        one.start()
    rotations = len(servers)
    while not is_enough():
        one = servers[rotations % len(servers)]
        await rotate(one)
        one.start()
        rotations += 1
    return rotations


async def prepare(one: Server) -> None:
    """Let its next certificate be made, by an agent that is killed at it; it runs at the end."""
    await one.killed_at_work()
    await one.killed_having(made)
    await one.killed_at_work()
    one.start()
    if await one.killed_in(Phase.SPREAD):
        one.start()


async def rotate(one: Server) -> None:
    """A planned rotation, to its end; the agent does not run then."""
    before, after = await _begin(one)
    # Nobody is at work meanwhile: what is left to wait for is time.
    await one.comes_to(Phase.PRESENT)
    await one.killed_at_work()
    await one.killed_having(switched)
    await finish(one)
    await _shows(one, after, before)


async def turn_round(one: Server) -> None:
    """A rotation that somebody takes back when the next certificate is presented already."""
    before, after = await _begin(one)
    one.start()
    while not await one.killed_in(Phase.SETTLE, counting=True):
        # A busy machine sees it when it is over: then it is the next rotation that is taken back.
        await one.until(has_ended)
        before, after = await _begin(one)
        one.start()
    await one.type("rotate", "undo", "--yes")
    await finish(one)
    await _shows(one, before, after)


async def _begin(one: Server) -> tuple[str, str]:
    """As `mailtrust rotate start` begins, and no more; the current certificate and the next one."""
    await one.until(knows_next(one))
    await one.kill()
    view = await one.view()
    await engine.begin(one.site, "start")
    return _held(one, view, Slot.CURRENT), _held(one, view, Slot.NEXT)


async def finish(one: Server) -> None:
    """What follows the switch, with an agent that does not run at the beginning, nor at the end."""
    one.start()
    if await one.killed_in(Phase.SETTLE, counting=True):
        await one.comes_to(Phase.WITHDRAW)
        await one.killed_at_work()
        one.start()
    if await one.killed_in(Phase.FADE):
        one.start()
    await one.until(has_ended)
    await one.kill()


async def _shows(one: Server, current: str, gone: str) -> None:
    view = await one.view()
    published = {
        held.certificate.fingerprint for look in view.replicas(one.site.server) for held in look.found or ()
    }
    assert _held(one, view, Slot.CURRENT) == current != gone
    assert gone not in published


def _held(one: Server, view: View, slot: Slot) -> str:
    store = view.store(one.site.server)
    held = [held for held in (store.found if store else None) or () if held.slot is slot]
    return held[-1].certificate.fingerprint if held else ""
