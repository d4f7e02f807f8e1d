"""
Mail servers for the probe to look at: scripted ones, and OpenSSL's own behind a line of SMTP.

Every listener is on loopback, at a port that nobody else has, and gone when its block ends.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from mailtrust.clock import now
from mailtrust.core.model.server import Endpoint
from mailtrust.core.model.sighting import WireSighting
from mailtrust.probes.smtp import probe
from tests.loopback import LOOPBACK, Script, serving
from tests.make import HUB1, a_key, an_x509

BANNER = b"220 hub1.example.test ESMTP\r\n"
EHLO_STARTTLS = b"250-hub1.example.test\r\n250-STARTTLS\r\n250 8BITMIME\r\n"


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::1", 0))
    except OSError:
        return False
    return True


async def look(
    *places: Endpoint, seconds: float = 5, concurrency: int = 200, verb: str | None = None
) -> list[WireSighting]:
    """All sightings, in the order in which they came."""
    targets = [(HUB1, place) for place in places]
    sightings = probe(
        targets, timeout=timedelta(seconds=seconds), now=now, concurrency=concurrency, verb=verb
    )
    return [sighting async for sighting in sightings]


async def look_once(place: Endpoint, *, seconds: float = 5, verb: str | None = None) -> WireSighting:
    (sighting,) = await look(place, seconds=seconds, verb=verb)
    return sighting


def leaf_of(sighting: WireSighting) -> bytes:
    """The DER of what was found; fails with the reason where nothing was."""
    assert sighting.found is not None, sighting
    (leaf,) = sighting.found
    return leaf.der


def pair(kind: str = "p256", label: str = "a") -> tuple[str, bytes]:
    """A key and its certificate in one PEM, and the certificate's DER; always the same ones."""
    return _pair(kind, label)


@cache
def _pair(kind: str, label: str) -> tuple[str, bytes]:
    made = an_x509(HUB1, key=label, kind=kind)
    key = a_key(label, kind).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = key + made.public_bytes(serialization.Encoding.PEM)
    return pem.decode(), made.public_bytes(serialization.Encoding.DER)


def server_context(folder: Path, label: str = "a") -> ssl.SSLContext:
    """Python's own TLS server, for whatever needs no special one."""
    file = folder / f"{label}.pem"
    file.write_text(pair(label=label)[0])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@asynccontextmanager
async def listening(script: Script, host: str = LOOPBACK, port: int = 0) -> AsyncIterator[Endpoint]:
    """*script* plays the server, once for every connection; who hangs up on it does it no harm."""
    async with serving(script, host, port) as taken:
        yield Endpoint(host, taken)


async def up_to_tls(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ehlo: bytes = EHLO_STARTTLS
) -> bytes:
    """Banner, EHLO, and the verb that TLS was asked for with, still unanswered."""
    writer.write(BANNER)
    assert (await reader.readline()).startswith(b"EHLO ")
    writer.write(ehlo)
    return (await reader.readline()).strip()


def says(*sayings: bytes, then_close: bool = False) -> Script:
    """One saying at once, and one more for every line heard; silence behind the last."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *more = sayings
        writer.write(first)
        for saying in more:
            await reader.readline()
            writer.write(saying)
        await writer.drain()
        if then_close:
            writer.close()
            return
        await reader.read()

    return script


def honest(context: ssl.SSLContext, ehlo: bytes = EHLO_STARTTLS) -> Script:
    """Does all as it should be, up to the answer to QUIT."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await up_to_tls(reader, writer, ehlo)
        writer.write(b"220 go ahead\r\n")
        await writer.start_tls(context)
        if await reader.readline() == b"QUIT\r\n":
            writer.write(b"221 bye\r\n")

    return script


@dataclass(frozen=True, slots=True)
class OpenSslServer:
    """An ``openssl s_server``, which knows no SMTP, behind a front that says it."""

    place: Endpoint
    process: asyncio.subprocess.Process

    async def heard(self, text: bytes) -> bytes:
        """Wait until the server has decrypted *text*; what it printed up to there."""
        assert self.process.stdout is not None
        return await asyncio.wait_for(self.process.stdout.readuntil(text), 5)


@asynccontextmanager
async def openssl_server(
    folder: Path, *options: str, kind: str = "p256", ehlo: bytes = EHLO_STARTTLS
) -> AsyncIterator[OpenSslServer]:
    """Presents `pair(kind)`; *options* are s_server's own."""
    file = folder / f"{kind}.pem"
    file.write_text(pair(kind)[0])
    words = ("s_server", "-accept", "127.0.0.1:0", "-cert", str(file), "-key", str(file), *options)
    process = await asyncio.create_subprocess_exec(
        "openssl",
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        said = await asyncio.wait_for(process.stdout.readuntil(b"\nACCEPT "), 10)
        said += await process.stdout.readline()
        found = re.search(rb"ACCEPT \S+:(\d+)", said)
        assert found is not None, said
        async with listening(_front(int(found[1]), ehlo)) as place:
            yield OpenSslServer(place, process)
    finally:
        process.kill()
        await process.communicate()


def _front(port: int, ehlo: bytes) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await up_to_tls(reader, writer, ehlo)
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"220 go ahead\r\n")
            await asyncio.gather(_pass_on(reader, behind_writer), _pass_on(behind_reader, writer))
        finally:
            behind_writer.transport.abort()

    return script


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 14):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
