"""Under which key an attribute is stamped whose schema entry does not say."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrust.errors import BadInput
from mailtrust.ldap.prefixes import key_of, prefixes

# The arcs up to Microsoft's own attributes, and Exchange's below them, as they are encoded.
MICROSOFT = bytes.fromhex("2a864886f7140104")
EXCHANGE = MICROSOFT + bytes.fromhex("b65866")


def stored(*known: tuple[int, bytes]) -> bytes:
    """As Samba 4.17 stores it: a count, the places with lengths and pointers, then the prefixes."""
    places = b"".join(struct.pack("<III", place, len(prefix), 1) for place, prefix in known)
    padded = (prefix + bytes(-len(prefix) % 4) for _, prefix in known)
    each = b"".join(
        struct.pack("<I", len(prefix)) + filled for (_, prefix), filled in zip(known, padded, strict=True)
    )
    return b"BDSD" + struct.pack("<IIII", 0, len(known), 0x20000, len(known)) + places + each


def test_the_last_part_stays_and_the_rest_is_a_place_in_the_table() -> None:
    """0x000901FE is what a controller shows for serviceBindingInformation, 1.2.840.113556.1.4.510."""
    table = prefixes(stored((0, b"\x55\x04"), (9, MICROSOFT), (41, EXCHANGE)))

    assert key_of(b"1.2.840.113556.1.4.510", table) == 0x000901FE
    assert key_of(b"1.2.840.113556.1.4.7000.102.3", table) == 0x00290003
    assert key_of(b"2.5.4.3", table) == 3
    assert key_of(b"1.2.3.4", table) is None


def test_a_last_part_that_needs_three_bytes_leaves_its_first_in_the_table() -> None:
    table = prefixes(stored((42, EXCHANGE + b"\x83")))

    assert key_of(b"1.2.840.113556.1.4.7000.102.50001", table) == 42 << 16 | 1 << 15 | 50001 % 16384


@pytest.mark.parametrize("identifier", [b"", b"1.2", b"1..2.3", b"one", b"1.2.03", b"3.2.1", b"1.2." * 50])
def test_what_is_no_object_identifier_is_refused(identifier: bytes) -> None:
    with pytest.raises(BadInput, match="no object identifier"):
        key_of(identifier, {})


@pytest.mark.parametrize(
    ("blob", "why"),
    [
        (b"", "cut off"),
        (stored((9, MICROSOFT))[:-1], "cut off"),
        (stored((9, MICROSOFT))[:24], "cut off"),
        (b"BDSD" + struct.pack("<IIII", 0, 2**32 - 1, 0, 0), "cut off"),
        (b"other" * 9, "form is unknown"),
    ],
)
def test_a_damaged_table_is_refused(blob: bytes, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        prefixes(blob)


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_plainly_refused(noise: bytes) -> None:
    for blob in (noise, b"BDSD" + noise):
        with suppress(BadInput):
            prefixes(blob)
