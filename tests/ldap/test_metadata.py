"""Active Directory's own records of its replication, and certificates as Windows wraps them."""

from __future__ import annotations

import struct
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrust.errors import BadInput, NotACertificate
from mailtrust.ldap.metadata import (
    Stamp,
    attribute_key,
    certificate_in,
    cursors,
    stamps,
    worded_stamp,
)

WRITER = UUID("5d6d1d3c-7a0a-4c1c-9e54-4f8f0a9f2b11")
# 13 409 020 000 seconds after 1601.
NOON = datetime(2025, 12, 3, 4, 40, tzinfo=UTC)
SECONDS = int((NOON - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds())


def head(version: int, count: int) -> bytes:
    return struct.pack("<IIII", version, 0, count, 0)


def record(key: int, stamp: Stamp) -> bytes:
    seconds = int((stamp.written_at - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds())
    numbers = struct.pack("<QQ", stamp.writer_number, stamp.local_number)
    return struct.pack("<IIQ", key, stamp.version, seconds) + stamp.writer.bytes_le + numbers


U32 = st.integers(min_value=0, max_value=2**32 - 1)
U64 = st.integers(min_value=0, max_value=2**64 - 1)
TIMES = st.integers(min_value=0, max_value=10**11).map(
    lambda seconds: datetime(1601, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
STAMPS = st.builds(Stamp, U32, TIMES, st.uuids(), U64, U64)


@given(st.dictionaries(U32, STAMPS, max_size=4))
def test_stamps_come_back(written: dict[int, Stamp]) -> None:
    blob = head(1, len(written)) + b"".join(record(key, stamp) for key, stamp in written.items())

    assert stamps(blob) == written


@given(st.dictionaries(st.uuids(), U64, max_size=4), st.sampled_from([1, 2]))
def test_what_was_seen_comes_back(seen: dict[UUID, int], version: int) -> None:
    when = struct.pack("<Q", SECONDS) if version == 2 else b""
    blob = head(version, len(seen)) + b"".join(
        writer.bytes_le + struct.pack("<Q", number) + when for writer, number in seen.items()
    )

    assert cursors(blob) == seen


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_plainly_refused(noise: bytes) -> None:
    for version in (b"", head(1, 1), head(1, 2), head(2, 1)):
        for read in (stamps, cursors, certificate_in, worded_stamp):
            with suppress(BadInput):
                read(version + noise)


def test_the_bytes_are_those_of_the_standard() -> None:
    """One stamp by hand: MS-DRSR's PROPERTY_META_DATA_EXT, little endian throughout."""
    blob = bytes.fromhex(
        "01000000 00000000 01000000 00000000"
        "fe010900 03000000" + SECONDS.to_bytes(8, "little").hex() + "3c1d6d5d0a7a1c4c9e544f8f0a9f2b11"
        "d204000000000000 1027000000000000"
    )

    assert stamps(blob) == {0x901FE: Stamp(3, NOON, WRITER, 1234, 10000)}


@pytest.mark.parametrize(
    ("blob", "why"),
    [
        (b"", "cut off"),
        (head(1, 1), "cut off"),
        (head(1, 2**32 - 1) + b"x" * 480, "cut off"),
        (head(3, 0), "version 3 is unknown"),
        (head(1, 1) + struct.pack("<IIQ", 1, 1, 2**63) + b"x" * 32, "a time beyond all calendars"),
    ],
)
def test_damaged_stamps_are_refused(blob: bytes, why: str) -> None:
    """Reading none out of them would be taken for: never written."""
    with pytest.raises(BadInput, match=why):
        stamps(blob)


def test_an_attributes_key_has_no_sign() -> None:
    """The wire's numbers have 32 bits and one, the keys have none."""
    assert attribute_key(b"-1803488377") == 2491478919
    assert attribute_key(b"590334") == 0x901FE
    with pytest.raises(BadInput):
        attribute_key(b"many")


WORDED = f"""\
<DS_REPL_ATTR_META_DATA>
\t<pszAttributeName>msExchServerInternalTLSCert</pszAttributeName>
\t<dwVersion>3</dwVersion>
\t<ftimeLastOriginatingChange>2025-12-03T04:40:00Z</ftimeLastOriginatingChange>
\t<uuidLastOriginatingDsaInvocationID>{WRITER}</uuidLastOriginatingDsaInvocationID>
\t<usnOriginatingChange>1234</usnOriginatingChange>
\t<usnLocalChange>10</usnLocalChange>
\t<pszLastOriginatingDsaDN></pszLastOriginatingDsaDN>
</DS_REPL_ATTR_META_DATA>
\0"""


def test_windows_tells_a_stamp_in_words_as_well() -> None:
    """In a form that Microsoft documents; Samba 4.17 has none of it, so that only the words were tried."""
    name, stamp = worded_stamp(WORDED.encode())

    assert name == "msExchServerInternalTLSCert"
    assert stamp == Stamp(3, NOON, WRITER, 1234, 10)


@pytest.mark.parametrize(
    ("true", "false"), [("<dwVersion>3", "<dwVersion>many"), ("2025-12-03T", "then"), ("usnLocal", "usn")]
)
def test_a_stamp_in_words_that_lack_something_is_refused(true: str, false: str) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        worded_stamp(WORDED.replace(true, false).encode())


def wrapped(*properties: tuple[int, bytes]) -> bytes:
    return b"".join(struct.pack("<III", kind, 1, len(value)) + value for kind, value in properties)


@pytest.mark.parametrize("before", [3, 48])
@given(der=st.binary(max_size=60), thumbprint=st.binary(max_size=20))
def test_a_certificate_comes_out_of_windows_wrapping(before: int, der: bytes, thumbprint: bytes) -> None:
    """Property 48 begins like DER."""
    assert certificate_in(wrapped((before, thumbprint), (32, der))) == der


def test_bare_der_is_left_alone() -> None:
    assert certificate_in(b"\x30\x82\x01\x00") == b"\x30\x82\x01\x00"


@pytest.mark.parametrize(
    "value", [b"", b"\x00" * 5, wrapped((3, b"abc")), wrapped((32, b"abc"))[:-1], wrapped((3, b"abc"))[:-1]]
)
def test_what_holds_no_certificate_is_refused(value: bytes) -> None:
    with pytest.raises(NotACertificate):
        certificate_in(value)
