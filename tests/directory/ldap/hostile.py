"""
A directory server that behaves as badly as a test wants, on a socket or behind TLS.

A *script* gets each connection's streams, already behind TLS unless it is asked to be plain, and does what it
likes; what it forgets to close is closed for it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mailtrust.ldap import ber
from mailtrust.ldap.responses import Answer, Control, Entry, Response, Result
from tests import slapd
from tests.ldap import wire
from tests.loopback import LOOPBACK, Script, serving

AN_ENTRY = Entry("cn=mx1", {"cn": (b"mx1",)})


@asynccontextmanager
async def server(script: Script, folder: Path, *, plain: bool = False) -> AsyncIterator[str]:
    """Its URL."""
    slapd.authority(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    async with serving(script, tls=None if plain else context) as port:
        yield f"{'ldap' if plain else 'ldaps'}://{LOOPBACK}:{port}"


async def asked(reader: asyncio.StreamReader) -> wire.Asked:
    """The next request."""
    head = await reader.readexactly(2)
    size = head[1]
    if size >= 0x80:
        size = int.from_bytes(await reader.readexactly(size - 0x80), "big")
    return wire.asked(await reader.readexactly(size))


def message(number: int, answer: Answer, *controls: Control, tag: int = 0x65) -> bytes:
    return wire.message(Response(number, answer, controls), tag=tag)


async def let_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer whoever signs in as nobody."""
    number, _, _ = await asked(reader)
    writer.write(message(number, Result(0), tag=0x61))


def huge_head() -> bytes:
    return bytes((ber.SEQUENCE, 0x84, 0x7F, 0xFF, 0xFF, 0xFF))
