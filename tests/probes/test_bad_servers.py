"""
Servers that do not do as they should.

None of them may raise, cost more than its own deadline, or be taken for a server that presents.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from mailtrust.core.model.server import Endpoint
from mailtrust.core.model.sighting import WireFailure
from tests.loopback import free_port
from tests.probes.listeners import (
    BANNER,
    EHLO_STARTTLS,
    Script,
    honest,
    leaf_of,
    listening,
    look_once,
    pair,
    says,
    server_context,
    up_to_tls,
)

GO_AHEAD = b"220 go ahead\r\n"
ALERT_NO_SHARED_CIPHER = bytes.fromhex("15 0303 0002 0228")


async def test_a_closed_port_is_unreachable() -> None:
    sighting = await look_once(Endpoint("127.0.0.1", free_port()))

    assert sighting.found is None
    assert (sighting.failure, sighting.phase) == (WireFailure.UNREACHABLE, "connect")
    assert sighting.why == "connection refused"


@pytest.mark.parametrize(
    ("sayings", "phase", "why"),
    [
        ((b"",), "banner", "no banner within 0.3 s"),
        ((b"220 hub1.exam",), "banner", "no banner within 0.3 s"),
        ((b"220-hub1\r\n",), "banner", "no banner within 0.3 s"),
        ((BANNER,), "ehlo", "no answer to EHLO within 0.3 s"),
        ((BANNER, b"250-hub1\r\n250-STARTTLS\r\n"), "ehlo", "no answer to EHLO within 0.3 s"),
        ((BANNER, EHLO_STARTTLS), "starttls", "no answer to STARTTLS within 0.3 s"),
    ],
)
async def test_silence_is_unreachable_and_says_what_was_awaited(
    sayings: tuple[bytes, ...], phase: str, why: str
) -> None:
    async with listening(says(*sayings)) as place:
        begun = time.monotonic()
        sighting = await look_once(place, seconds=0.3)
        took = time.monotonic() - begun

    assert (sighting.found, sighting.failure) == (None, WireFailure.UNREACHABLE)
    assert (sighting.phase, sighting.why) == (phase, why)
    assert 0.29 < took < 3


async def test_silence_in_the_handshake_is_a_failed_handshake() -> None:
    async with listening(says(BANNER, EHLO_STARTTLS, GO_AHEAD)) as place:
        sighting = await look_once(place, seconds=0.3)

    assert (sighting.failure, sighting.phase) == (WireFailure.HANDSHAKE, "handshake")
    assert sighting.why == "the TLS handshake did not finish: it took longer than 0.3 s"


@pytest.mark.parametrize(
    ("sayings", "phase", "why"),
    [
        ((b"",), "banner", "the server closed the connection without a banner"),
        ((b"220 hub1",), "banner", "the server closed the connection without a banner"),
        ((BANNER, b""), "ehlo", "the server closed the connection without an answer to EHLO"),
        (
            (BANNER, EHLO_STARTTLS, b""),
            "starttls",
            "the server closed the connection without an answer to STARTTLS",
        ),
    ],
)
async def test_hanging_up_is_unreachable(sayings: tuple[bytes, ...], phase: str, why: str) -> None:
    async with listening(says(*sayings, then_close=True)) as place:
        sighting = await look_once(place)

    assert (sighting.found, sighting.failure) == (None, WireFailure.UNREACHABLE)
    assert (sighting.phase, sighting.why) == (phase, why)


async def test_hanging_up_in_the_handshake_is_a_failed_handshake() -> None:
    async with listening(says(BANNER, EHLO_STARTTLS, GO_AHEAD, then_close=True)) as place:
        sighting = await look_once(place)

    assert (sighting.failure, sighting.phase) == (WireFailure.HANDSHAKE, "handshake")
    assert sighting.why == "the TLS handshake did not finish: the server closed the connection"


@pytest.mark.parametrize(
    ("sayings", "failure", "phase", "why"),
    [
        (
            (b"554 5.7.1 not you\r\n",),
            WireFailure.UNREACHABLE,
            "banner",
            "the banner was 554 5.7.1 not you",
        ),
        (
            (b"421 4.3.2 full\r\n",),
            WireFailure.UNREACHABLE,
            "banner",
            "the banner was 421 4.3.2 full",
        ),
        (
            (b"\x00\xff garbage \x1b[2J\r\n",),
            WireFailure.UNREACHABLE,
            "banner",
            "instead of the banner the server sent a line that is no SMTP reply: '?\ufffd garbage ?[2J'",
        ),
        (
            (b"HTTP/1.1 400 Bad Request\r\n",),
            WireFailure.UNREACHABLE,
            "banner",
            "instead of the banner the server sent a line that is no SMTP reply: 'HTTP/1.1 400 Bad Request'",
        ),
        (
            (BANNER, b"250-hub1\r\n250 8BITMIME\r\n"),
            WireFailure.NOT_OFFERED,
            "ehlo",
            "the answer to EHLO does not offer X-ANONYMOUSTLS or STARTTLS",
        ),
        (
            (BANNER, b"502 5.5.1 what?\r\n"),
            WireFailure.NOT_OFFERED,
            "ehlo",
            "EHLO was answered 502 5.5.1 what?",
        ),
        (
            (BANNER, EHLO_STARTTLS, b"454 4.7.0 TLS not available\r\n"),
            WireFailure.NOT_OFFERED,
            "starttls",
            "STARTTLS was answered 454 4.7.0 TLS not available",
        ),
    ],
)
async def test_a_no_is_told_in_the_server_s_own_words(
    sayings: tuple[bytes, ...], failure: WireFailure, phase: str, why: str
) -> None:
    async with listening(says(*sayings)) as place:
        sighting = await look_once(place)

    assert sighting.found is None
    assert (sighting.failure, sighting.phase, sighting.why) == (failure, phase, why)


async def test_a_no_is_answered_with_quit() -> None:
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await up_to_tls(reader, writer)
        writer.write(b"454 4.7.0 TLS not available\r\n")
        heard.set_result(await reader.read())

    async with listening(script) as place:
        await look_once(place)

        assert await asyncio.wait_for(heard, 5) == b"QUIT\r\n"


@pytest.mark.parametrize("sent_together", [True, False])
async def test_what_is_said_in_the_clear_behind_starttls_is_never_taken_for_the_server_s(
    tmp_path: Path, sent_together: bool
) -> None:
    """
    Somebody on the way can put plaintext behind the 220 (CVE-2011-0411 and its children).

    Together with the 220 it is thrown away, and TLS goes on; later it is inside TLS, and breaks it.
    """
    context = server_context(tmp_path)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await up_to_tls(reader, writer)
        if sent_together:
            writer.write(GO_AHEAD + b"250 injected\r\n")
        else:
            writer.write(GO_AHEAD)
            # The first bytes of TLS prove that the 220 was read alone.
            await reader.readexactly(1)
            writer.write(b"250 injected\r\n")
            await reader.read()
            return
        await writer.start_tls(context)
        await reader.read()

    async with listening(script) as place:
        sighting = await look_once(place)

    if sent_together:
        assert leaf_of(sighting) == pair()[1]
    else:
        assert (sighting.failure, sighting.phase) == (WireFailure.HANDSHAKE, "handshake")
        assert sighting.why.endswith("the server answered with something that is not TLS")


async def test_a_refused_handshake_is_told_in_the_alert_s_words() -> None:
    async with listening(says(BANNER, EHLO_STARTTLS, GO_AHEAD + b"", ALERT_NO_SHARED_CIPHER)) as place:
        sighting = await look_once(place)

    assert sighting.failure is WireFailure.HANDSHAKE
    assert "handshake failure" in sighting.why


def _endless(piece: bytes, before: int) -> Script:
    """*piece* for ever, from the answer with that number on."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for saying in (BANNER, EHLO_STARTTLS, GO_AHEAD)[:before]:
            writer.write(saying)
            await reader.readline()
        while True:
            writer.write(piece)
            await writer.drain()

    return script


@pytest.mark.parametrize(
    ("piece", "before", "phase"),
    [
        (b"220-and another line\r\n" * 50, 0, "banner"),
        (b"220 " + b"x" * 5000, 0, "banner"),
        (b"250-X-THING\r\n" * 50, 1, "ehlo"),
        (b"\x16\x03\x03\x40\x00\x0b" + b"\x00" * 0x3FFF, 3, "handshake"),
    ],
)
async def test_endless_words_end_before_the_deadline(piece: bytes, before: int, phase: str) -> None:
    """A hostile server may fill neither our memory nor our time."""
    async with listening(_endless(piece, before)) as place:
        begun = time.monotonic()
        sighting = await look_once(place, seconds=20)
        took = time.monotonic() - begun

    assert sighting.found is None
    assert sighting.phase == phase
    assert took < 10


async def test_a_server_that_speaks_byte_by_byte_is_heard(tmp_path: Path) -> None:
    """TLS too: every byte arrives alone, as over a bad line."""
    context = server_context(tmp_path)
    async with listening(honest(context)) as behind, listening(_dribble(behind)) as place:
        sighting = await look_once(place, seconds=30)

    assert leaf_of(sighting) == pair()[1]


def _dribble(behind: Endpoint) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection(behind.host, behind.port)

        async def there() -> None:
            while data := await reader.read(1 << 14):
                behind_writer.write(data)

        async def back() -> None:
            while byte := await behind_reader.read(1):
                writer.write(byte)
                await writer.drain()

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(there())
                await back()
                writer.close()
        finally:
            behind_writer.transport.abort()

    return script


async def test_a_server_that_never_answers_quit_is_seen_nevertheless(tmp_path: Path) -> None:
    """What we came for is told before the good-byes; they cost no more than two seconds."""
    context = server_context(tmp_path)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await up_to_tls(reader, writer)
        writer.write(GO_AHEAD)
        await writer.start_tls(context)
        await asyncio.Event().wait()

    async with listening(script) as place:
        begun = time.monotonic()
        sighting = await look_once(place, seconds=60)
        took = time.monotonic() - begun

    assert leaf_of(sighting) == pair()[1]
    assert took < 10
