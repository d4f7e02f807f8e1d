"""
Connections that fail in every way, hundreds of times each: no task, socket, thread or memory stays behind.

A server that reconnects every half minute does it three thousand times a day, and some of these days are bad.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import astuple, dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from OpenSSL import SSL

from mailtrust.directory.ldap_channel import Channel
from mailtrust.directory.ldap_link import Link
from mailtrust.directory.ldap_tls import Session
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import DirectoryUnavailable
from mailtrust.ldap.requests import Scope, Search
from mailtrust.ldap.responses import Result
from tests import slapd
from tests.directory.ldap import hostile
from tests.directory.ldap.hostile import AN_ENTRY, asked, let_in, message
from tests.loopback import eventually, free_port

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter

BEFORE, TIMES = 100, 200
MOST_BYTES = 3_000_000
"""Fifteen kilobytes each time, where a TLS connection takes sixty and its settings twenty."""

PATIENCE = timedelta(seconds=20)
# Long enough to get so far, on a machine that has nothing else to do; else it fails a little earlier.
AT_ONCE, AFTER_TLS = timedelta(milliseconds=3), timedelta(milliseconds=12)
ONE = Search("cn=mx1", Scope.BASE)


async def until_they_leave(reader: Reader) -> None:
    with suppress(OSError):
        await reader.read()


async def silent(reader: Reader, writer: Writer) -> None:
    await until_they_leave(reader)


async def silent_after_a_promise(reader: Reader, writer: Writer) -> None:
    number, _, _ = await asked(reader)
    writer.write(message(number, Result(0), tag=0x78))
    await until_they_leave(reader)


async def silent_in_the_handshake(reader: Reader, writer: Writer) -> None:
    await reader.read(1000)
    writer.write(b"\x16\x03\x03\x00\x7a\x02\x00")
    await until_they_leave(reader)


async def silent_when_asked(reader: Reader, writer: Writer) -> None:
    await asked(reader)
    await until_they_leave(reader)


async def gone_in_mid_answer(reader: Reader, writer: Writer) -> None:
    await let_in(reader, writer)
    number, _, _ = await asked(reader)
    writer.write(message(number, AN_ENTRY) + b"\x30\x50\x02")
    await writer.drain()


async def good(reader: Reader, writer: Writer) -> None:
    await let_in(reader, writer)
    while True:
        number, _, _ = await asked(reader)
        writer.write(message(number, AN_ENTRY) + message(number, Result(0)))


async def no_ldap(reader: Reader, writer: Writer) -> None:
    await let_in(reader, writer)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await until_they_leave(reader)


@dataclass(frozen=True)
class Way:
    """One way for a connection to fail."""

    script: hostile.Script
    words: str
    plain: bool = False
    scheme: str = ""
    timeout: timedelta = PATIENCE


WAYS = {
    "it goes well": Way(good, ""),
    "frozen before StartTLS": Way(silent, "did not answer", plain=True, timeout=AT_ONCE),
    "frozen before TLS": Way(silent, "did not answer", plain=True, scheme="ldaps", timeout=AT_ONCE),
    "frozen in place of TLS": Way(silent_after_a_promise, "did not", plain=True, timeout=AT_ONCE),
    "frozen in TLS": Way(silent_in_the_handshake, "did not", plain=True, scheme="ldaps", timeout=AT_ONCE),
    "frozen after TLS": Way(silent_when_asked, "did not answer", timeout=AFTER_TLS),
    "lost in mid-answer": Way(gone_in_mid_answer, "in the middle of a message"),
    "no LDAP": Way(no_ldap, "sent no LDAP"),
    "a stranger's certificate": Way(good, "authority that we were not given"),
    "refused": Way(good, "cannot be reached"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_nothing_is_left_however_it_ends(short: Path, way: str) -> None:
    asked_for = WAYS[way]
    slapd.authority(short)
    ca_file = slapd.client_pem(short, "stranger") if "stranger" in way else short / "ca.pem"

    async with hostile.server(asked_for.script, short, plain=asked_for.plain) as url:
        url = url.replace("ldap:", f"{asked_for.scheme or 'ldap'}:")
        if way == "refused":
            url = f"ldaps://127.0.0.1:{free_port()}"

        async def connect() -> str:
            try:
                wire = await Wire.open(url, ca_file=ca_file, timeout=asked_for.timeout)
                async with wire:
                    await wire.search(ONE, timeout=asked_for.timeout)
            except DirectoryUnavailable as error:
                return error.message
            return ""

        said = await again_and_again(connect)

    assert all(asked_for.words in one and bool(one) is bool(asked_for.words) for one in said), said


async def again_and_again(connect: Callable[[], Awaitable[str]]) -> set[str]:
    """What was said; fails where something is left of it."""
    before = Left.now()
    said = {await connect() for _ in range(BEFORE)}
    memory = resident_bytes()

    said |= {await connect() for _ in range(TIMES)}

    # The server's end of the last one may take a moment, and ours a turn of the loop.
    await eventually(lambda: Left.now().is_within(before), f"no more is left than {before}")
    assert resident_bytes() - memory < MOST_BYTES
    return said


@dataclass(frozen=True)
class Left:
    """What there is."""

    ours: int
    tasks: int
    descriptors: int
    threads: int
    """The event loop's own do not count: it makes a few, once."""

    def is_within(self, other: Left) -> bool:
        return all(one <= most for one, most in zip(astuple(self), astuple(other), strict=True))

    @classmethod
    def now(cls) -> Left:
        gc.collect()
        return cls(
            sum(isinstance(one, Channel | Link | Session | SSL.Context) for one in gc.get_objects()),
            len(asyncio.all_tasks()),
            sum(1 for _ in Path("/proc/self/fd").iterdir()),
            sum("aside" in one.name for one in threading.enumerate()),
        )


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
