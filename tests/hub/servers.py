"""Next hops that answer as a test wants: a few lines of SMTP, in the clear or behind Python's TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from tempfile import NamedTemporaryFile

from mailtrust.core.model.server import Endpoint
from tests.hub.organization import Held
from tests.loopback import LOOPBACK, serving

FINE = {
    "EHLO": "250-scripted.example.test\r\n250 8BITMIME",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go ahead",
    ".": "250 2.0.0 taken",
    "RSET": "250 2.0.0 ok",
    "QUIT": "221 2.0.0 bye",
}
HANG_UP = ""
"""In place of an answer."""


@dataclass
class Scripted:
    """What a scripted server says, and what it heard."""

    presenting: Held | None
    answers: dict[str, str]
    endpoint: Endpoint
    sessions: int = 0
    heard: list[str] = field(default_factory=list)
    """Every command; content lines left out."""
    mails: list[str] = field(default_factory=list)
    delays: Mapping[str, float] = field(default_factory=dict)
    """How many seconds it waits: before its ``BANNER``, after ``STAR`` and before ``TLS`` begins, before its
    answer to a verb, and to ``EHLO-TLS`` inside."""

    def said(self, verb: str) -> list[str]:
        """The commands that begin so."""
        return [line for line in self.heard if line.upper().startswith(verb)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        await self._wait("BANNER")
        writer.write(b"220 scripted.example.test\r\n")
        secured = False
        while line := (await reader.readline()).decode().rstrip():
            self.heard.append(line)
            verb = line[:4].upper()
            await self._wait("EHLO-TLS" if secured and verb == "EHLO" else verb)
            if line == "STARTTLS":
                if "TLS" in self.delays:
                    # What comes meanwhile belongs to TLS, and must not be read before it.
                    writer.transport.pause_reading()  # type: ignore[attr-defined]
                writer.write(b"220 2.0.0 go ahead\r\n")
                await self._wait("TLS")
                await writer.start_tls(self._context())
                secured = True
                continue
            answer = self.answers[verb]
            if verb == "EHLO" and self.presenting is not None and not secured:
                answer = answer.replace("\r\n250 ", "\r\n250-STARTTLS\r\n250 ")
            if answer == HANG_UP:
                return
            writer.write(f"{answer}\r\n".encode())
            if verb == "DATA" and answer.startswith("354"):
                self.mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                if self.answers["."] == HANG_UP:
                    return
                writer.write(f"{self.answers['.']}\r\n".encode())
            if verb == "QUIT":
                return

    async def _wait(self, at: str) -> None:
        if at in self.delays:
            await asyncio.sleep(self.delays[at])

    def _context(self) -> ssl.SSLContext:
        assert self.presenting is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with NamedTemporaryFile() as file:
            file.write(self.presenting.pem)
            file.flush()
            context.load_cert_chain(file.name)
        return context


@asynccontextmanager
async def scripted(
    presenting: Held | None,
    answers: Mapping[str, str] | None = None,
    port: int = 0,
    delays: Mapping[str, float] | None = None,
) -> AsyncIterator[Scripted]:
    """A server that answers as *answers* says, by command, and else as it should, as late as *delays* say."""
    here = Scripted(presenting, {**FINE, **(answers or {})}, Endpoint(LOOPBACK, 0), delays=delays or {})
    async with serving(here.serve, port=port) as taken:
        here.endpoint = Endpoint(LOOPBACK, taken)
        yield here


@asynccontextmanager
async def silent() -> AsyncIterator[Endpoint]:
    """A server that takes every connection and never says a word."""
    with socket.create_server((LOOPBACK, 0)) as server:
        yield Endpoint(LOOPBACK, server.getsockname()[1])


@asynccontextmanager
async def dripping() -> AsyncIterator[Endpoint]:
    """A server whose banner comes byte by byte and never ends."""

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.transport.is_closing():
            writer.write(b"2")
            await asyncio.sleep(0.05)

    async with serving(drip) as port:
        yield Endpoint(LOOPBACK, port)
