"""
A server that freezes: it stays, and says nothing more.  What that costs, and whether anybody else waits.

A relay of our own stands before the server and stops passing on what it says after so many bytes, so that one
can say where in the conversation it falls silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

import uvloop

from benchmarks.ldap.organization import organization, settings
from mailtrust.clock import now
from mailtrust.directory.ldap import LdapReplica
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import DirectoryUnavailable
from mailtrust.ldap.requests import Scope, Search
from tests import slapd
from tests.loopback import LOOPBACK

DEADLINE = timedelta(seconds=1)
AT_ONCE = 10
_ENTRIES = 2000
_EVERYBODY = Search(slapd.SERVERS, Scope.ONE_LEVEL)
_Work = Callable[[], Awaitable[object]]
_SILENT_AFTER = {"before TLS": 0, "in the TLS handshake": 700}
"""By name, how many bytes the server still says."""
_AMID_A_PAGE = 60_000


def freeze(folder: Path) -> None:
    """Print what it costs."""
    with organization(folder, _ENTRIES) as (server,):
        uvloop.run(_all(server))


async def _all(server: slapd.Server) -> None:
    print(f"\nA server that falls silent, {AT_ONCE} who ask at once; seconds until they are told,")
    print(f"where the deadline is {DEADLINE.total_seconds():g}\n")
    print(f"{'':28}{'a question: first':>18}{'last':>8}{'a look: first':>16}{'last':>8}{'loop stalls':>14}")
    for where, size in _SILENT_AFTER.items():
        async with _relay(server, size) as url:
            await _row(where, partial(_opened, server, url), partial(_look, server, url))
    async with _relay(server, _AMID_A_PAGE) as url, AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(await _opened(server, url)) for _ in range(AT_ONCE)]
        await _row("amid a page of entries", lambda: _question(wires.pop()), partial(_look, server, url))
    replica = LdapReplica(server.ldaps, settings(server), timeout=DEADLINE)
    async with await _opened(server, server.ldaps) as wire:
        await replica.column(now())
        server.freeze()
        try:
            await _row("signed in before", partial(_question, wire), lambda: replica.column(now()))
        finally:
            server.thaw()
    await replica.close()


async def _row(where: str, question: _Work, look: _Work) -> None:
    stalls = _Stalls()
    watching = asyncio.create_task(stalls.watch())
    figures = [f"{one:8.3f}" for work in (question, look) for one in await _told(work)]
    watching.cancel()
    print(f"{where:28}{figures[0]:>18}{figures[1]}{figures[2]:>16}{figures[3]}{stalls.worst * 1000:11.0f} ms")


async def _told(work: _Work) -> tuple[float, float]:
    """When the first and the last of all who ask at once are told that they get no answer."""
    loop = asyncio.get_running_loop()

    async def one() -> float:
        begun = loop.time()
        try:
            await work()
        except DirectoryUnavailable:
            return loop.time() - begun
        raise SystemExit("it answered")

    took = await asyncio.gather(*(one() for _ in range(AT_ONCE)))
    return min(took), max(took)


async def _question(wire: Wire) -> None:
    await wire.search(_EVERYBODY, timeout=DEADLINE)


async def _look(server: slapd.Server, url: str) -> None:
    replica = LdapReplica(url, settings(server), timeout=DEADLINE)
    try:
        await replica.column(now())
    finally:
        await replica.close()


async def _opened(server: slapd.Server, url: str) -> Wire:
    by = settings(server)
    return await Wire.open(url, credentials=by.credentials, ca_file=by.ca_file, timeout=DEADLINE)


class _Stalls:
    """The longest time that the event loop kept others waiting."""

    worst = 0.0

    async def watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            await asyncio.sleep(0.005)
            self.worst = max(self.worst, loop.time() - begun - 0.005)


@asynccontextmanager
async def _relay(server: slapd.Server, says_bytes: int) -> AsyncIterator[str]:
    """A server that says so many bytes to each who comes, and then nothing more."""

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        its_reader, its_writer = await asyncio.open_connection(LOOPBACK, server.tls_port)
        hearing = asyncio.create_task(_pass_on(its_reader, writer, says_bytes))
        await _pass_on(reader, its_writer, None)
        hearing.cancel()
        its_writer.close()
        writer.close()

    async with await asyncio.start_server(conversation, LOOPBACK, 0) as relay:
        yield f"ldaps://{LOOPBACK}:{relay.sockets[0].getsockname()[1]}"


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int | None) -> None:
    with suppress(OSError):
        while most is None or most > 0:
            data = await reader.read(65536 if most is None else most)
            if not data:
                return
            writer.write(data)
            await writer.drain()
            most = None if most is None else most - len(data)
