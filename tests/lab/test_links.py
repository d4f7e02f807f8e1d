"""Replication links that lag, are cut and heal, between anything that speaks over TCP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

import pytest

from mailtrust.lab.links import SlowLinks
from tests.loopback import LOOPBACK, PATIENCE, free_port

LAG = timedelta(seconds=0.4)
NEVER = timedelta(hours=1)


class Talk:
    """One end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def say(self, text: bytes) -> None:
        self._writer.write(text)
        await self._writer.drain()

    async def hears(self, text: bytes) -> bool:
        async with asyncio.timeout(PATIENCE):
            return await self._reader.readexactly(len(text)) == text

    async def is_turned_away(self) -> bool:
        """Whether the connection ends, without a word more."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self._reader.read() == b""
            except ConnectionError:
                return True

    async def leave(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


class World:
    """A source that others copy from, links to it, and those who copy."""

    def __init__(self) -> None:
        self.links = SlowLinks()
        self.source_port = free_port()
        self._accepted: asyncio.Queue[Talk] = asyncio.Queue()
        self._ends: list[Talk] = []
        self._server: asyncio.Server | None = None

    async def start_source(self) -> None:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, self.source_port)

    async def connect(self, port: int) -> Talk:
        return self._kept(Talk(*await asyncio.open_connection(LOOPBACK, port)))

    async def sign_in(self, port: int) -> tuple[Talk, Talk]:
        """Who copies, and the source as it hears that one; signing in is over."""
        reader = await self.connect(port)
        await reader.say(b"bind")
        async with asyncio.timeout(PATIENCE):
            source = await self._accepted.get()
        assert await source.hears(b"bind")
        await source.say(b"welcome")
        assert await reader.hears(b"welcome")
        return reader, source

    async def close(self) -> None:
        await self.links.close()
        for end in self._ends:
            await end.leave()
        if self._server is not None:
            self._server.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._accepted.put_nowait(self._kept(Talk(reader, writer)))

    def _kept(self, talk: Talk) -> Talk:
        self._ends.append(talk)
        return talk


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await made.start_source()
    try:
        yield made
    finally:
        await made.close()


async def test_what_is_told_comes_late_and_in_order(world: World) -> None:
    port = await world.links.open("dc2", "dc1", world.source_port)
    reader, source = await world.sign_in(port)
    world.links.lag = LAG
    clock = asyncio.get_running_loop().time
    began = clock()
    for text in (b"one.", b"two.", b"three."):
        await source.say(text)

    assert await reader.hears(b"one.two.three.")
    assert clock() - began >= LAG.total_seconds()


async def test_one_replica_may_be_later_than_the_others(world: World) -> None:
    late = await world.links.open("dc3", "dc1", world.source_port)
    usual = await world.links.open("dc2", "dc1", world.source_port)
    world.links.lags["dc3"] = LAG
    clock = asyncio.get_running_loop().time
    began = clock()
    slow, source = await world.sign_in(late)
    await source.say(b"one.")
    quick, source = await world.sign_in(usual)
    await source.say(b"one.")

    assert await quick.hears(b"one.")
    quick_at = clock()
    assert await slow.hears(b"one.")
    assert quick_at < clock()
    assert clock() - began >= LAG.total_seconds()


async def test_what_is_told_later_is_under_way_beside_what_was_told_before(world: World) -> None:
    """Else a replica that hears much would fall behind more and more."""
    port = await world.links.open("dc2", "dc1", world.source_port)
    reader, source = await world.sign_in(port)
    world.links.lag = LAG
    clock = asyncio.get_running_loop().time
    began = clock()
    for _ in range(8):
        await source.say(b"x")
        # So that each is heard by itself.
        await asyncio.sleep(0.02)

    assert await reader.hears(b"x" * 8)
    assert clock() - began < LAG.total_seconds() * 8


async def test_signing_in_and_asking_are_not_held_back(world: World) -> None:
    """Else a link with a long lag would need that long, and again, before it copies anything."""
    world.links.lag = NEVER
    port = await world.links.open("dc2", "dc1", world.source_port)

    reader, source = await world.sign_in(port)
    await reader.say(b"search")

    assert await source.hears(b"search")


@pytest.mark.parametrize("name", ["dc1", "dc2"])
async def test_a_cut_link_gives_nothing_and_takes_nothing_until_it_heals(world: World, name: str) -> None:
    """Whichever end of it is named."""
    port = await world.links.open("dc2", "dc1", world.source_port)
    reader, source = await world.sign_in(port)
    world.links.lag = NEVER
    await source.say(b"under way, and lost")
    world.links.cut(name)

    assert await reader.is_turned_away()
    assert await (await world.connect(port)).is_turned_away()
    world.links.lag = timedelta(0)
    world.links.heal(name)
    reader, source = await world.sign_in(port)
    await source.say(b"found")
    assert await reader.hears(b"found")


async def test_only_the_links_of_that_replica_are_cut(world: World) -> None:
    await world.links.open("dc2", "dc1", world.source_port)
    reader, source = await world.sign_in(await world.links.open("dc3", "dc1", world.source_port))

    world.links.cut("dc2")

    await source.say(b"still here")
    assert await reader.hears(b"still here")


async def test_a_link_to_nobody_turns_away_until_somebody_is_there() -> None:
    """A directory server is stopped and started while others try to copy from it."""
    world = World()
    port = await world.links.open("dc2", "dc1", world.source_port)
    try:
        assert await (await world.connect(port)).is_turned_away()
        await world.start_source()
        await world.sign_in(port)
    finally:
        await world.close()


async def test_a_link_ends_with_its_source(world: World) -> None:
    """What is under way is asked for again: whoever copies has to hear at once that it must ask."""
    port = await world.links.open("dc2", "dc1", world.source_port)
    reader, source = await world.sign_in(port)
    world.links.lag = NEVER
    await source.say(b"under way")
    await source.leave()

    assert await reader.is_turned_away()


async def test_when_all_is_closed_nothing_listens(world: World) -> None:
    port = await world.links.open("dc2", "dc1", world.source_port)
    reader, _ = await world.sign_in(port)

    await world.links.close()

    assert await reader.is_turned_away()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(LOOPBACK, port)
