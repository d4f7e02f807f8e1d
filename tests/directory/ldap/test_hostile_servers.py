"""A server may be broken, or a stranger: it costs the deadline, and never more memory than was allowed."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.directory.ldap_wire import Settings, Wire
from mailtrust.errors import BadInput, DirectoryUnavailable
from mailtrust.ldap.controls import paged
from mailtrust.ldap.requests import Change, How, Scope, Search
from mailtrust.ldap.responses import Entry, Intermediate, Reference, Result
from tests.directory.ldap import hostile
from tests.directory.ldap.hostile import AN_ENTRY, asked, let_in, message
from tests.loopback import eventually

PATIENCE = timedelta(seconds=20)
SOON = timedelta(seconds=0.3)
ONE = Search("cn=mx1", Scope.BASE)

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


async def opened(url: str, folder: Path, settings: Settings | None = None) -> Wire:
    return await Wire.open(url, ca_file=folder / "ca.pem", timeout=PATIENCE, settings=settings)


async def forever() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("plain", [True, False])
async def test_silence_costs_the_deadline_at_every_step(short: Path, plain: bool) -> None:
    async def silent(reader: Reader, writer: Writer) -> None:
        await forever()

    async with hostile.server(silent, short, plain=plain) as url:
        with pytest.raises(DirectoryUnavailable, match=r"did not answer within 0\.3 seconds"):
            await Wire.open(url, ca_file=short / "ca.pem", timeout=SOON)
        # Here the handshake itself is never answered: a plain server, and a client that begins with TLS.
        if plain:
            with pytest.raises(DirectoryUnavailable, match="turning to TLS"):
                await Wire.open(url.replace("ldap:", "ldaps:"), ca_file=short / "ca.pem", timeout=SOON)


async def test_silence_after_the_promise_of_tls_costs_the_deadline(short: Path) -> None:
    async def promise(reader: Reader, writer: Writer) -> None:
        number, _, _ = await asked(reader)
        writer.write(message(number, Result(0), tag=0x78))
        await forever()

    async with hostile.server(promise, short, plain=True) as url:
        with pytest.raises(DirectoryUnavailable, match="turning to TLS"):
            await Wire.open(url, ca_file=short / "ca.pem", timeout=SOON)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
async def test_silence_in_the_middle_of_the_handshake_costs_the_deadline(short: Path, share: float) -> None:
    """A server stopped there has said a part of its first words, and will not say the rest."""

    async def half(reader: Reader, writer: Writer) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(short / "server.pem", short / "server.key")
        arriving, leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = context.wrap_bio(arriving, leaving, server_side=True)
        while leaving.pending == 0:
            arriving.write(await reader.read(1000))
            with suppress(ssl.SSLWantReadError):
                server.do_handshake()
        words = leaving.read()
        writer.write(words[: int(len(words) * share)])
        await forever()

    loop = asyncio.get_running_loop()
    async with hostile.server(half, short, plain=True) as url:
        begun = loop.time()
        with pytest.raises(DirectoryUnavailable, match="turning to TLS"):
            await Wire.open(url.replace("ldap:", "ldaps:"), ca_file=short / "ca.pem", timeout=SOON)
        assert 0.295 <= loop.time() - begun < 3


async def test_who_is_cancelled_while_opening_leaves_no_connection(short: Path) -> None:
    met, left = asyncio.Event(), asyncio.Event()

    async def silent(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(1)
        met.set()
        with suppress(ConnectionError):
            await reader.read()
        left.set()

    async with hostile.server(silent, short, plain=True) as url:
        opening = asyncio.create_task(Wire.open(url, timeout=PATIENCE))
        await met.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await asyncio.wait_for(left.wait(), 5)


async def test_words_slipped_in_before_tls_are_not_believed(short: Path) -> None:
    async def slip(reader: Reader, writer: Writer) -> None:
        number, _, _ = await asked(reader)
        writer.write(message(number, Result(0), tag=0x78) + message(2, Result(0), tag=0x61))
        await forever()

    async with hostile.server(slip, short, plain=True) as url:
        with pytest.raises(DirectoryUnavailable, match="in the clear before encryption began"):
            await opened(url, short)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "sent no LDAP"),
        (hostile.huge_head(), "above the limit"),
        (b"", "closed the connection"),
        (b"\x30\x10\x02\x01", "closed the connection in the middle of a message"),
    ],
)
async def test_what_is_no_ldap_is_said(short: Path, said: bytes, words: str) -> None:
    async def blurt(reader: Reader, writer: Writer) -> None:
        await let_in(reader, writer)
        await asked(reader)
        writer.write(said)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with hostile.server(blurt, short) as url, await opened(url, short) as wire:
        with pytest.raises(DirectoryUnavailable, match=words):
            await wire.search(ONE, timeout=PATIENCE)


async def test_a_web_server_is_recognized_in_the_handshake(short: Path) -> None:
    async def web(reader: Reader, writer: Writer) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await forever()

    async with hostile.server(web, short, plain=True) as url:
        with pytest.raises(DirectoryUnavailable, match="not TLS"):
            await opened(url.replace("ldap:", "ldaps:"), short)


@pytest.mark.parametrize("answer", [AN_ENTRY, Reference(("ldap://elsewhere",)), Intermediate("1.2.3")])
async def test_endless_answers_end_with_the_question(
    short: Path, answer: Entry | Reference | Intermediate
) -> None:
    async def endless(reader: Reader, writer: Writer) -> None:
        await let_in(reader, writer)
        number, _, _ = await asked(reader)
        while True:
            writer.write(message(number, answer) * 100)
            await writer.drain()
            # To drain may not wait at all, and then nobody could end this.
            await asyncio.sleep(0)

    async with hostile.server(endless, short) as url, await opened(url, short) as wire:
        with pytest.raises(DirectoryUnavailable, match="sent more than was asked for"):
            await wire.search(ONE, timeout=PATIENCE, most=1000)


async def test_large_answers_are_counted_by_their_bytes(short: Path) -> None:
    large = Entry("cn=mx1", {"cn": (bytes(100_000),)})

    async def flood(reader: Reader, writer: Writer) -> None:
        await let_in(reader, writer)
        number, _, _ = await asked(reader)
        while True:
            writer.write(message(number, large))
            await writer.drain()
            await asyncio.sleep(0)

    settings = Settings(held_bytes=1_000_000)
    async with hostile.server(flood, short) as url, await opened(url, short, settings) as wire:
        with pytest.raises(DirectoryUnavailable, match="sent more"):
            await wire.search(ONE, timeout=PATIENCE)


async def test_a_full_page_may_point_elsewhere_as_well(short: Path) -> None:
    """Active Directory does, in every search that reaches the head of another naming context."""

    async def page(reader: Reader, writer: Writer) -> None:
        await let_in(reader, writer)
        number, _, _ = await asked(reader)
        writer.write(message(number, AN_ENTRY) * 3 + message(number, Reference(("ldap://elsewhere",))))
        writer.write(message(number, Result(0), paged(0)))

    async with hostile.server(page, short) as url, await opened(url, short) as wire:
        found = [one.name async for one in wire.stream(ONE, timeout=PATIENCE, page=3)]

    assert found == ["cn=mx1"] * 3


async def test_pages_without_entries_come_to_an_end(short: Path) -> None:
    async def pages(reader: Reader, writer: Writer) -> None:
        await let_in(reader, writer)
        while True:
            number, _, _ = await asked(reader)
            writer.write(message(number, Result(0), paged(0, b"more")))

    async with hostile.server(pages, short) as url, await opened(url, short) as wire:
        with pytest.raises(DirectoryUnavailable, match="comes to no end"):
            async for _ in wire.stream(ONE, timeout=PATIENCE):
                pass


async def test_a_connection_closed_in_mid_write_leaves_the_outcome_unknown(short: Path) -> None:
    async def hang_up(reader: Reader, writer: Writer) -> None:
        await let_in(reader, writer)
        await asked(reader)

    async with hostile.server(hang_up, short) as url, await opened(url, short) as wire:
        with pytest.raises(DirectoryUnavailable, match="outcome is unknown"):
            await wire.modify("cn=mx1", Change(How.ADD, "cn", (bytes(1_000_000),)), timeout=PATIENCE)


async def test_a_write_that_is_not_answered_in_time_has_an_unknown_outcome(short: Path) -> None:
    async def mute(reader: Reader, writer: Writer) -> None:
        await let_in(reader, writer)
        await forever()

    async with hostile.server(mute, short) as url, await opened(url, short) as wire:
        with pytest.raises(DirectoryUnavailable, match=r"within 0\.3 seconds; the outcome is unknown"):
            await wire.delete("cn=mx1", timeout=SOON)


async def test_a_write_longer_than_servers_take_is_not_sent(short: Path) -> None:
    settings = Settings(message_bytes=10_000)
    async with hostile.server(let_in, short) as url, await opened(url, short, settings) as wire:
        with pytest.raises(BadInput, match="longer than 10000 bytes"):
            await wire.modify("cn=mx1", Change(How.ADD, "cn", (bytes(10_000),)), timeout=PATIENCE)


async def test_no_more_than_the_limit_are_open_at_once(short: Path) -> None:
    open_at_once = most = 0

    async def count(reader: Reader, writer: Writer) -> None:
        nonlocal open_at_once, most
        await let_in(reader, writer)
        while True:
            numbers = [(await asked(reader))[0]]
            while len(numbers) < 4:
                numbers.append((await asked(reader))[0])
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await reader.read(1)
            most = max(most, len(numbers))
            for number in numbers:
                writer.write(message(number, AN_ENTRY) + message(number, Result(0)))

    async with (
        hostile.server(count, short) as url,
        await opened(url, short, Settings(requests=4)) as wire,
    ):
        found = await asyncio.gather(*(wire.search(ONE, timeout=PATIENCE) for _ in range(12)))
        assert [len(one) for one in found] == [1] * 12
        assert most == 4


async def test_a_watcher_that_takes_nothing_leaves_the_rest_with_the_server(short: Path) -> None:
    """But whoever asks something in the meantime is answered, also the watcher itself."""
    sent_bytes = 0
    large = Entry("cn=mx1", {"cn": (bytes(50_000),)})

    async def flood(reader: Reader, writer: Writer) -> None:
        nonlocal sent_bytes
        await let_in(reader, writer)
        watch, _, _ = await asked(reader)
        answering = asyncio.create_task(answer(reader, writer))
        try:
            for _ in range(1000):
                data = message(watch, large)
                writer.write(data)
                await writer.drain()
                sent_bytes += len(data)
            # Leaving now could cut off what is still on its way.
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await answering
        finally:
            answering.cancel()

    async def answer(reader: Reader, writer: Writer) -> None:
        while True:
            number, request, _ = await asked(reader)
            if isinstance(request, Search):
                writer.write(message(number, AN_ENTRY) + message(number, Result(0)))

    # The kernel holds some as well, which comes before the answer.
    settings = Settings(held_bytes=8_000_000)
    async with hostile.server(flood, short) as url, await opened(url, short, settings) as wire:
        events = wire.watch(ONE, [])
        await anext(events)
        await eventually(lambda: sent_bytes > 8_000_000, "enough was sent to be left waiting")
        before = 0
        while before != sent_bytes:
            before = sent_bytes
            await asyncio.sleep(0.2)
        assert sent_bytes < 30_000_000
        assert len(await wire.search(ONE, timeout=PATIENCE)) == 1
        taken = 1
        async for _ in events:
            taken += 1
            if taken == 1000:
                break
        assert taken == 1000
