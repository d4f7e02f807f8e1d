"""Many servers at once, names, and addresses of both families."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack, aclosing
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.clock import now
from mailtrust.core.model.server import Endpoint, endpoint
from mailtrust.core.model.sighting import WireFailure
from mailtrust.probes.smtp import probe
from tests.loopback import free_port
from tests.make import HUB1, HUB2
from tests.probes.listeners import (
    has_ipv6,
    honest,
    leaf_of,
    listening,
    look,
    look_once,
    pair,
    says,
    server_context,
)

SILENT = says(b"")


async def test_one_dead_among_two_hundred_costs_its_own_deadline_only(tmp_path: Path) -> None:
    """The others are told at once, while it is still being waited for."""
    context = server_context(tmp_path)
    port = free_port()
    alive = [Endpoint(f"127.0.9.{host}", port) for host in range(1, 200)]
    async with AsyncExitStack() as stack:
        for place in alive:
            await stack.enter_async_context(listening(honest(context), place.host, place.port))
        dead = await stack.enter_async_context(listening(SILENT))
        places = random.sample([*alive, dead], 200)

        begun = time.monotonic()
        sightings = await look(*places, seconds=4)
        took = time.monotonic() - begun

    *seen, last = sightings
    assert {sighting.endpoint for sighting in seen} == set(alive)
    assert all(leaf_of(sighting) == pair()[1] for sighting in seen)
    assert (last.endpoint, last.why) == (dead, "no banner within 4 s")
    assert 3.9 < took < 8


async def test_dead_ones_hold_up_nobody_but_their_place_in_the_queue(tmp_path: Path) -> None:
    """Two at a time: five dead ones take three deadlines of one lane, and every living one is seen."""
    context = server_context(tmp_path)
    async with listening(honest(context)) as alive, listening(SILENT) as dead:
        sightings = await look(*[dead, alive] * 5, seconds=0.3, concurrency=2)

    assert sum(sighting.found is not None for sighting in sightings) == 5
    assert sum(sighting.why == "no banner within 0.3 s" for sighting in sightings) == 5


async def test_no_targets_no_sightings() -> None:
    assert await look() == []


async def test_who_leaves_early_leaves_nothing_open(tmp_path: Path) -> None:
    context = server_context(tmp_path)
    gone: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gone.set_result(await reader.read())

    async with listening(honest(context)) as alive, listening(waits) as silent:
        targets = [(HUB1, silent), (HUB2, alive)]
        sightings = probe(targets, timeout=timedelta(seconds=60), now=now)
        async with aclosing(sightings):  # type: ignore[type-var]
            first = await anext(sightings)

        assert first.server == HUB2
        assert await asyncio.wait_for(gone, 5) == b""


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_an_ipv6_address_is_looked_at(tmp_path: Path) -> None:
    async with listening(honest(server_context(tmp_path)), "::1") as place:
        sighting = await look_once(endpoint(f"[::1]:{place.port}"))

    assert leaf_of(sighting) == pair()[1]
    assert sighting.place == f"[::1]:{place.port}"


async def test_a_name_is_looked_up(tmp_path: Path) -> None:
    """localhost has an IPv6 address too on many machines, where nobody listens: the next one counts."""
    async with listening(honest(server_context(tmp_path))) as place:
        sighting = await look_once(Endpoint("localhost", place.port))

    assert leaf_of(sighting) == pair()[1]
    assert sighting.place == f"localhost:{place.port}"


async def test_why_a_name_failed_names_the_address() -> None:
    sighting = await look_once(Endpoint("localhost", free_port()))

    assert (sighting.failure, sighting.phase) == (WireFailure.UNREACHABLE, "connect")
    assert "127.0.0.1: connection refused" in sighting.why


@pytest.mark.parametrize("name", ["no-such-host.invalid", "x" * 64 + ".invalid"])
async def test_a_name_that_does_not_resolve_is_unreachable(name: str) -> None:
    """RFC 6761 section 6.4: nothing below .invalid ever resolves; the second has too long a label."""
    sighting = await look_once(Endpoint(name, 25), seconds=20)

    assert sighting.found is None
    assert (sighting.failure, sighting.phase) == (WireFailure.UNREACHABLE, "resolve")
    assert sighting.why.startswith("the name ")


async def test_one_name_at_many_ports_is_asked_for_once_and_seen_at_each(tmp_path: Path) -> None:
    context = server_context(tmp_path)
    async with AsyncExitStack() as stack:
        places = [await stack.enter_async_context(listening(honest(context))) for _ in range(5)]
        sightings = await look(*(Endpoint("localhost", place.port) for place in places))

    assert {sighting.endpoint.port for sighting in sightings} == {place.port for place in places}
    assert all(leaf_of(sighting) == pair()[1] for sighting in sightings)
