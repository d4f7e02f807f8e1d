"""
Replication links between servers that replicate by themselves, made to lag, to be cut and to heal.

A server copies from another one through a port of ours, and what the other one tells is passed on late.
Signing in is not held back: a link that lags thirty seconds would need a minute to come up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from mailtrust.lab.ports import LOOPBACK

_READ_BYTES = 65536
_ROUNDS_TO_LET_IN = 4
"""A socket is accepted, gets its transport, is told of it, and its task begins: a round of the loop each."""


@dataclass(eq=False)
class _Link:
    """One direction: *reader* copies from *source*."""

    reader: str
    source: str
    source_port: int
    server: asyncio.Server = field(init=False)
    connections: set[asyncio.Task[None]] = field(default_factory=set)


class SlowLinks:
    """The links between replicas, which are named as one likes."""

    def __init__(self) -> None:
        self.lag = timedelta(0)
        """How long what a server tells is under way, from now on."""
        self.lags: dict[str, timedelta] = {}
        """By name, replicas whose links lag otherwise, in both directions."""
        self._links: list[_Link] = []
        self._cut: set[str] = set()
        self._is_closed = False

    async def open(self, reader: str, source: str, source_port: int) -> int:
        """The port at which *reader* can copy from *source*, whose own port on this machine is given."""
        link = _Link(reader, source, source_port)

        def accept(asks: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
            carrying = asyncio.create_task(self._carry(link, asks, answers))
            link.connections.add(carrying)
            # Also of one that is cancelled before it has begun.
            carrying.add_done_callback(lambda _: answers.transport.abort())
            carrying.add_done_callback(link.connections.discard)

        link.server = await asyncio.start_server(accept, LOOPBACK, 0)
        self._links.append(link)
        port: int = link.server.sockets[0].getsockname()[1]
        return port

    def cut(self, name: str) -> None:
        """Cut the links of that replica, in both directions; what is under way is lost."""
        self._cut.add(name)
        self.drop(name)

    def heal(self, name: str) -> None:
        """Mend them: whoever copies comes again by itself, and asks for all that it lacks."""
        self._cut.discard(name)

    def drop(self, name: str) -> None:
        """Break what is open now, as when the machine stops; it may be opened again at once."""
        for link in self._of(name):
            for carrying in link.connections:
                carrying.cancel()

    async def close(self) -> None:
        """End all of it."""
        self._is_closed = True
        for link in self._links:
            link.server.close()
        # Who was being accepted at that moment is let in, to be turned away; to be let in takes some rounds
        # of the loop, and to be closed another one.
        for _ in range(_ROUNDS_TO_LET_IN):
            await asyncio.sleep(0)
        await _cancelled([one for link in self._links for one in link.connections])
        await asyncio.sleep(0)

    def _of(self, name: str) -> Iterator[_Link]:
        return (link for link in self._links if name in (link.reader, link.source))

    async def _carry(self, link: _Link, asks: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        ends = [answers]
        try:
            if self._is_closed or {link.reader, link.source} & self._cut:
                return
            tells, asked = await asyncio.open_connection(LOOPBACK, link.source_port)
            ends.append(asked)
            under_way = asyncio.Queue[tuple[float, bytes]]()
            await _until_one_ends(
                _pass_on(asks, asked),
                _hear(tells, answers, under_way),
                self._deliver(link, under_way, answers),
            )
        except OSError:
            # Nobody is there; whoever copies comes again.
            return
        finally:
            for end in ends:
                end.transport.abort()
            # An aborted connection is closed in the loop's next round; who waits for us may end the loop.
            await asyncio.sleep(0)

    async def _deliver(
        self, link: _Link, under_way: asyncio.Queue[tuple[float, bytes]], target: asyncio.StreamWriter
    ) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            told_at, data = await under_way.get()
            await asyncio.sleep(max(0.0, told_at + self._lag_of(link).total_seconds() - clock()))
            target.write(data)
            await target.drain()

    def _lag_of(self, link: _Link) -> timedelta:
        ends = (link.reader, link.source)
        return max((self.lags[name] for name in ends if name in self.lags), default=self.lag)


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(_READ_BYTES):
        target.write(data)
        await target.drain()


async def _hear(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, under_way: asyncio.Queue[tuple[float, bytes]]
) -> None:
    # What a server says first answers to signing in.
    target.write(await source.read(_READ_BYTES))
    while data := await source.read(_READ_BYTES):
        under_way.put_nowait((asyncio.get_running_loop().time(), data))


async def _until_one_ends(*works: Coroutine[None, None, None]) -> None:
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _cancelled(tasks)


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
