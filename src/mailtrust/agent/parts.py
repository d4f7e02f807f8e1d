"""
The parts of one server's agent, side by side: the loop, what wakes it, and what runs in its process.

Each is kept going by itself (`supervision`): a directory server that does not answer, a transport that cannot
start, or a fault in one of them stops none of the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, suppress
from datetime import timedelta
from functools import partial

from mailtrust import clock
from mailtrust.agent import noticing
from mailtrust.agent.loop import Round, Tending
from mailtrust.agent.outgoing import Out, keep_shipping
from mailtrust.agent.postfix import hands_of, trust_of
from mailtrust.agent.rotate import Hands
from mailtrust.agent.serve import Recorder, hub_of
from mailtrust.agent.site import Site
from mailtrust.agent.supervision import kept_going, sentence
from mailtrust.agent.wake import LOOK_AGAIN_AFTER, Wake
from mailtrust.agent.writer import being_the_agent
from mailtrust.config.log_kind import Kind
from mailtrust.core.events.catalog import AGENT_PART_STOPPED
from mailtrust.core.model.certificate import Fingerprint
from mailtrust.core.model.sighting import Act
from mailtrust.directory.base import Replica
from mailtrust.directory.replicate import replicate_once
from mailtrust.errors import StoreUnavailable
from mailtrust.transports.base import Raised
from mailtrust.transports.postfix.follow import NotWritten, Written, follow

Part = tuple[str, Callable[[], Awaitable[None]]]
"""Its name, and its work: until it is cancelled."""


async def tend(
    site: Site,
    hands: Hands,
    stopping: asyncio.Event,
    turned: Callable[[Round | None], None],
    beat: timedelta,
    out: Out | None = None,
) -> None:
    """
    Look after one server until *stopping* is set.

    Raises: Refused where another process does already; StoreUnavailable.
    """
    async with being_the_agent(site.store.folder, clock.now()):
        tending = Tending(site, hands, stopping, turned, beat)
        kept = [
            asyncio.create_task(kept_going(name, work, partial(fell, site), until=stopping))
            for name, work in _parts(site, tending.wake, out or Out())
        ]
        try:
            await tending.run()
        finally:
            for one in kept:
                one.cancel()
            await asyncio.gather(*kept, return_exceptions=True)


def _parts(site: Site, wake: Wake, out: Out) -> Iterator[Part]:
    yield "the watch over the store", partial(wake.attend, site)
    for replica in dict.fromkeys((site.directory.home, site.directory.primary)):
        yield f"the watch over {replica.url}", partial(wake.watch, site, replica)
    if site.config.log.to is not Kind.NONE:
        yield "what goes to the log", partial(keep_shipping, site, out)
    yield from noticing.parts(site, out.shelf)
    if site.config.agent.replicate:
        yield "replication", partial(_replicate, site)
    if site.config.transport.kind == "postfix":
        yield "the tables of Postfix", partial(_follow, site)
    if site.config.agent.hub:
        yield "the hub", partial(_serve, site)


async def _serve(site: Site) -> None:
    """The embedded transport.  Raises: BadConfiguration, TransportUnavailable."""
    hub = hub_of(site)
    await hub.start()
    try:
        await hub.wait()
    finally:
        await hub.stop()


async def _follow(site: Site) -> None:
    """Keep Postfix's tables as the directory is.  Raises: Refused, TransportUnavailable."""
    transport, trust = site.config.transport, trust_of(site, Recorder(site.journal).record)
    with closing(hands_of(site.config)) as hands:
        await trust.start()
        keeping = asyncio.create_task(trust.keep())
        try:
            steps = follow(trust, hands, transport.next_hops, defer_when_stale=transport.on_stale == "defer")
            async for step in steps:
                _tell(site, step)
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})


def _tell(site: Site, step: Written | NotWritten) -> None:
    match step:
        case NotWritten(error):
            fell(site, "the tables of Postfix", sentence(error))
        case Written():
            act = Act("tables", site.server, Fingerprint(""), clock.now(), str(site.config.transport.tables))
            with suppress(StoreUnavailable):
                site.journal.record_act(act)


async def _replicate(site: Site) -> None:
    """Unite the embedded replicas whenever one changed; often, where a host that writes them tells nobody."""
    changed = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for one in site.directory.replicas:
            tasks.create_task(_listen(one, changed))
        while True:
            await _unite(site)
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), site.config.agent.every.total_seconds())
            changed.clear()


async def _unite(site: Site) -> None:
    now = clock.now()
    done = await replicate_once(site.directory, now)
    if done.changed:
        with suppress(StoreUnavailable):
            site.journal.record_act(Act("replicate", site.server, Fingerprint(""), now))


async def _listen(replica: Replica, changed: asyncio.Event) -> None:
    async for _ in replica.watch(LOOK_AGAIN_AFTER):
        changed.set()


def fell(site: Site, part: str, why: str) -> None:
    """Put on record that a part ended, and why."""
    raised = Raised(AGENT_PART_STOPPED, site.server, part, {"part": part, "why": why})
    with suppress(StoreUnavailable):
        site.journal.record_raised(raised, clock.now())
