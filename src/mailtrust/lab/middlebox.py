"""
A device on the way, as firewalls that "inspect" SMTP are: it takes out of what a server offers, or is slow.

It sits in front of a server, at the address that everybody knows.  TLS, once it has begun, passes through
unread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

from mailtrust.core.model.server import Endpoint

TLS_VERBS = frozenset({"STARTTLS", "X-ANONYMOUSTLS"})
_READ_BYTES = 1 << 16
_LONGEST_LINE = 1 << 16


@dataclass(frozen=True, slots=True)
class Conduct:
    """What it does to a session."""

    strips: Collection[str] = ()
    """Keywords that it takes out of the answer to EHLO, in capitals."""
    overwrites: bool = False
    """It writes X over them instead of taking them out, as some devices do."""
    delay: timedelta = timedelta()
    """How late it passes on each answer of the server."""


@asynccontextmanager
async def middlebox(where: Endpoint, server: Endpoint, conduct: Conduct) -> AsyncIterator[Endpoint]:
    """One that listens at *where* (port 0: a free one, which it gives) and passes on to *server*."""
    sessions: set[asyncio.Task[None]] = set()

    def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_Session(reader, writer, server, conduct).run())
        sessions.add(task)
        task.add_done_callback(sessions.discard)

    listening = await asyncio.start_server(
        meet, where.host, where.port, limit=_LONGEST_LINE, reuse_address=True
    )
    try:
        yield Endpoint(where.host, listening.sockets[0].getsockname()[1])
    finally:
        listening.close()
        for task in tuple(sessions):
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)


class _Session:
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: Endpoint, conduct: Conduct
    ) -> None:
        self._client = (reader, writer)
        self._server = server
        self._conduct = conduct
        self._asked_for_tls = False
        self._encrypted = False

    async def run(self) -> None:
        """Until one side hangs up."""
        reader, writer = self._client
        try:
            await self._pass_on(reader, writer)
        finally:
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(
                self._server.host, self._server.port, limit=_LONGEST_LINE
            )
        except OSError:
            return
        ways = [
            asyncio.create_task(self._asks(reader, far_writer)),
            asyncio.create_task(self._answers(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            far_writer.close()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _asks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError):
            while data := await (reader.read(_READ_BYTES) if self._encrypted else reader.readline()):
                self._asked_for_tls = data.strip().upper().decode("latin-1") in TLS_VERBS
                writer.write(data)
                await writer.drain()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError):
            while data := await (reader.read(_READ_BYTES) if self._encrypted else self._reply(reader)):
                await asyncio.sleep(self._conduct.delay.total_seconds())
                self._encrypted = self._encrypted or (self._asked_for_tls and data.startswith(b"220"))
                writer.write(data)
                await writer.drain()

    async def _reply(self, reader: asyncio.StreamReader) -> bytes:
        """The next whole reply, without what is not to pass; empty at the end."""
        lines: list[bytes] = []
        while line := await reader.readline():
            lines.append(line)
            if line[3:4] != b"-":
                break
        return self._inspected(lines)

    def _inspected(self, lines: list[bytes]) -> bytes:
        passed: list[bytes] = []
        for line in lines:
            words = line[4:].split()
            if len(lines) == 1 or not words or words[0].decode("latin-1").upper() not in self._conduct.strips:
                passed.append(line)
            elif self._conduct.overwrites:
                passed.append(line[:4] + b"X" * len(words[0]) + b"\r\n")
        # Whichever is the last line now says so (RFC 5321 section 4.2.1).
        return b"".join(
            line[:3] + (b" " if at == len(passed) - 1 else line[3:4]) + line[4:]
            for at, line in enumerate(passed)
        )
