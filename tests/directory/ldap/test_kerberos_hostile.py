"""A server that has a key of the realm, or pretends to, and then behaves as badly as it can."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.directory.ldap_kerberos import Kerberos
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import DirectoryUnavailable
from mailtrust.ldap.requests import Scope, Search
from mailtrust.ldap.responses import Entry, Result
from mailtrust.ldap.sasl import framed
from tests import kdc
from tests.directory.ldap import hostile, realm
from tests.directory.ldap.acceptor import goes_on, sealed_asked, signed_in
from tests.directory.ldap.hostile import AN_ENTRY, asked, message
from tests.directory.ldap.realm import HOST, PATIENCE
from tests.programs import needs

pytestmark = needs(*kdc.PROGRAMS)

ONE = Search("cn=mx1", Scope.BASE)
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


@pytest.fixture
def mx1(short: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kerberos]:
    """An account of a realm in which this process may also be ldap/localhost."""
    with realm.joined(short, monkeypatch) as made:
        monkeypatch.setenv("KRB5_KTNAME", str(made.keytab(f"ldap/{HOST}")))
        yield Kerberos("mx1", made.keytab("mx1"))


async def opened(url: str, credentials: Kerberos) -> Wire:
    url = url.replace("127.0.0.1", HOST)
    return await Wire.open(url, credentials=credentials, timeout=PATIENCE)


async def forever() -> None:
    await asyncio.Event().wait()


async def test_who_is_let_in_at_once_is_not_taken_in(short: Path, mx1: Kerberos) -> None:
    """Whoever stands between can say yes; then everything would go on in the clear."""

    async def yes(reader: Reader, writer: Writer) -> None:
        number, _, _ = await asked(reader)
        writer.write(message(number, Result(0), tag=0x61))
        assert not await reader.read(), "it was asked something"

    async with hostile.server(yes, short, plain=True) as url:
        with pytest.raises(DirectoryUnavailable, match="before it had proved who it is"):
            await opened(url, mx1)


async def test_a_server_that_cannot_answer_for_itself_is_not_believed(short: Path, mx1: Kerberos) -> None:
    async def pretend(reader: Reader, writer: Writer) -> None:
        number, _, _ = await asked(reader)
        writer.write(goes_on(number, b"\x60\x03\x06\x01\x00"))
        assert not await reader.read(), "it was asked something"

    async with hostile.server(pretend, short, plain=True) as url:
        with pytest.raises(DirectoryUnavailable, match="was not signed in to"):
            await opened(url, mx1)


@pytest.mark.parametrize(
    ("offer", "words"),
    [
        (b"\x03\xff\xff\xff", "does not offer to encrypt"),
        (b"\x01\x00\x00\x00", "does not offer to encrypt"),
        (b"\x04\x00\x01\x00", "takes no more than 256 bytes at once"),
        (b"\x04\x00\x00\x00", "takes no more than 0 bytes at once"),
        (b"\x04\xff", "sent an offer of 2 bytes"),
        (b"", "sent an offer of 0 bytes"),
    ],
)
async def test_an_offer_that_is_not_good_enough_ends_it(
    short: Path, mx1: Kerberos, offer: bytes, words: str
) -> None:
    async def poor(reader: Reader, writer: Writer) -> None:
        await signed_in(reader, writer, offer)

    async with hostile.server(poor, short, plain=True) as url:
        with pytest.raises(DirectoryUnavailable, match=words):
            await opened(url, mx1)


async def test_an_offer_that_was_changed_on_the_way_ends_it(short: Path, mx1: Kerberos) -> None:
    """It is signed, though not encrypted."""

    class Changed:
        def __init__(self, writer: Writer) -> None:
            self._writer = writer

        def write(self, data: bytes) -> None:
            self._writer.write(data.replace(b"\x04\xff\xff\xff", b"\x01\x00\x00\x00"))

    async def change(reader: Reader, writer: Writer) -> None:
        await signed_in(reader, Changed(writer))  # type: ignore[arg-type]

    async with hostile.server(change, short, plain=True) as url:
        with pytest.raises(DirectoryUnavailable, match="was not signed in to"):
            await opened(url, mx1)


async def test_a_server_that_says_nothing_but_go_on_is_left(short: Path, mx1: Kerberos) -> None:
    async def on_and_on(reader: Reader, writer: Writer) -> None:
        while True:
            number, _, _ = await asked(reader)
            writer.write(goes_on(number, b""))

    async with hostile.server(on_and_on, short, plain=True) as url:
        with pytest.raises(DirectoryUnavailable, match="was not signed in to"):
            await opened(url, mx1)


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_answers_may_be_cut_anywhere_and_share_packets_and_frames(
    short: Path, mx1: Kerberos, size: int
) -> None:
    """A message over several frames, two messages in a frame, two frames in a packet, byte by byte."""

    async def cut(reader: Reader, writer: Writer) -> None:
        acceptor = await signed_in(reader, writer)
        number, _, _ = await sealed_asked(reader, acceptor)
        plain = message(number, Entry("cn=mx1", {"cn": (bytes(3000),)})) + message(number, AN_ENTRY)
        plain += message(number, Result(0))
        pieces = (plain[start : start + 900] for start in range(0, len(plain), 900))
        stream = b"".join(framed(acceptor.wrap(piece)) for piece in pieces)
        for start in range(0, len(stream), size):
            writer.write(stream[start : start + size])
            await writer.drain()
        await forever()

    async with hostile.server(cut, short, plain=True) as url, await opened(url, mx1) as wire:
        found = await wire.search(ONE, timeout=PATIENCE)

    assert [one.values("cn") for one in found] == [(bytes(3000),), (b"mx1",)]


@pytest.mark.parametrize("size", [0, 2**24, 2**31, 2**32 - 1])
async def test_a_frame_that_would_be_too_long_is_refused_by_its_length(
    short: Path, mx1: Kerberos, size: int
) -> None:
    async def long(reader: Reader, writer: Writer) -> None:
        acceptor = await signed_in(reader, writer)
        await sealed_asked(reader, acceptor)
        writer.write(size.to_bytes(4, "big"))
        await forever()

    async with hostile.server(long, short, plain=True) as url, await opened(url, mx1) as wire:
        with pytest.raises(DirectoryUnavailable, match=f"sent a frame of {size} bytes, where 1 to 16777215"):
            await wire.search(ONE, timeout=PATIENCE)


@pytest.mark.parametrize("kind", ["signed", "in the clear", "changed", "twice", "left out", "nonsense"])
async def test_whatever_is_not_encrypted_in_order_ends_it(short: Path, mx1: Kerberos, kind: str) -> None:
    async def send(reader: Reader, writer: Writer) -> None:
        acceptor = await signed_in(reader, writer)
        number, _, _ = await sealed_asked(reader, acceptor)
        entry, end = message(number, AN_ENTRY), message(number, Result(0))
        first, second = acceptor.wrap(entry), acceptor.wrap(end)
        streams = {
            "signed": framed(acceptor.wrap(entry, encrypt=False)),
            "in the clear": entry + end,
            "changed": framed(first[:-1] + bytes((first[-1] ^ 1,))),
            "twice": framed(first) + framed(first),
            "left out": framed(second),
            "nonsense": framed(b"nonsense"),
        }
        writer.write(streams[kind])
        await forever()

    async with hostile.server(send, short, plain=True) as url, await opened(url, mx1) as wire:
        with pytest.raises(DirectoryUnavailable, match=r"sent (what|a frame)"):
            await wire.search(ONE, timeout=PATIENCE)
        assert wire.why_ended is not None


async def test_what_is_slipped_in_before_encryption_begins_is_not_believed(
    short: Path, mx1: Kerberos
) -> None:
    async def slip(reader: Reader, writer: Writer) -> None:
        class Beside:
            def write(self, data: bytes) -> None:
                last = b"\x61\x07\x0a\x01\x00\x04\x00\x04\x00" in data
                writer.write(data + (message(4, AN_ENTRY)[:9] if last else b""))

        await signed_in(reader, Beside())  # type: ignore[arg-type]
        with suppress(ConnectionError):
            assert not await reader.read(), "it was asked something"

    async with hostile.server(slip, short, plain=True) as url:
        with pytest.raises(DirectoryUnavailable, match="in the clear before encryption began"):
            await opened(url, mx1)


@pytest.mark.parametrize("at", ["the ticket", "the offer", "the choice"])
async def test_silence_costs_the_deadline_at_every_step(short: Path, mx1: Kerberos, at: str) -> None:
    async def silent(reader: Reader, writer: Writer) -> None:
        if at == "the ticket":
            await forever()

        class Until:
            said = 0

            def write(self, data: bytes) -> None:
                self.said += 1
                if self.said < (2 if at == "the offer" else 3):
                    writer.write(data)

        await signed_in(reader, Until())  # type: ignore[arg-type]
        await forever()

    begun = asyncio.get_running_loop().time()
    async with hostile.server(silent, short, plain=True) as url:
        with pytest.raises(DirectoryUnavailable, match=r"within 0\.5 seconds, signing in"):
            await Wire.open(url.replace("127.0.0.1", HOST), credentials=mx1, timeout=timedelta(seconds=0.5))
    assert 0.45 < asyncio.get_running_loop().time() - begun < 3
