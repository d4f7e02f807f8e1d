"""The keys of many certificates, read as strictly as each alone: what is skipped can hide nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from mailtrust.core.model.certificate import Pin, certificate
from mailtrust.core.model.key_reader import KeyReader
from mailtrust.errors import NotACertificate
from mailtrust.ldap import ber
from tests.make import AUTHORITY, HUB1, HUB2, a_key, an_x509, der, half_readable

NOT_CRITICAL = ((x509.BasicConstraints(ca=True, path_length=None), False),)
LEAF = ((x509.BasicConstraints(ca=False, path_length=None), True),)


def fleet(name: str = HUB1, key: str = "a", kind: str = "p256", **more: object) -> bytes:
    """As a fleet's certificates are: a leaf's constraints, and its key's identifier."""
    identifier = x509.SubjectKeyIdentifier.from_public_key(a_key(key, kind).public_key())
    more.setdefault("extensions", (*LEAF, (identifier, False)))
    return der(an_x509(name, key=key, kind=kind, **more))  # type: ignore[arg-type]


def alone(data: bytes) -> Pin | None:
    """What the reader has to say, by reading everything."""
    try:
        leaf = certificate(data)
    except NotACertificate:
        return None
    return None if leaf.is_ca else leaf.pin


@pytest.mark.parametrize(
    "data",
    [
        fleet(kind="rsa2048"),
        fleet(),
        fleet(HUB2, key="other"),
        fleet(extensions=AUTHORITY),
        fleet(extensions=NOT_CRITICAL),
        fleet(extensions=()),
        fleet(names=()),
        fleet(names=("HUB1.example.test", "hub1", "*.example.test")),
        fleet(issuer="An authority with a name of its own"),
        fleet(life=timedelta(days=40 * 365)),
        *half_readable(),
        b"",
        b"\x30\x82\x01\x00 no certificate",
    ],
)
def test_it_says_what_reading_everything_says(data: bytes) -> None:
    """At first, and when it has met the same before."""
    reader = KeyReader()

    assert [reader.believable_pin(data, HUB1) for _ in range(2)] == [alone(data)] * 2


def test_of_a_fleet_one_certificate_is_read_wholly() -> None:
    """That is what makes it fast."""
    reader = KeyReader()
    names = [f"hub{number}.example.test" for number in range(9)]

    pins = {
        reader.believable_pin(fleet(one, key=one, serial=7 << 80 | at), one) for at, one in enumerate(names)
    }  # type: ignore[arg-type]

    assert pins == {alone(fleet(one, key=one)) for one in names}
    assert reader.makes == 1


def test_makes_that_are_as_long_are_told_apart_in_turns() -> None:
    """Of each one is read wholly, though both stand where the other one would."""
    reader = KeyReader()
    served = [
        (name, fleet(name, key=name, serial=7 << 80, kind="rsa2048", issuer=f"Authority {letter}"))
        for name in (HUB1, HUB2)
        for letter in "AB"
    ]

    assert [reader.believable_pin(data, name) for name, data in served] == [alone(data) for _, data in served]
    assert reader.makes == 2


def test_an_authority_is_found_behind_a_leaf_as_long() -> None:
    """It may differ from it in five bytes."""
    reader = KeyReader()
    leaf, authority = (fleet(kind="rsa2048", serial=7, extensions=one) for one in (LEAF, NOT_CRITICAL))
    assert reader.believable_pin(leaf, HUB1) == alone(leaf)

    assert len(leaf) == len(authority)
    assert reader.believable_pin(authority, HUB1) is None


def test_an_authority_hides_nothing_in_a_serial_number() -> None:
    """What is cut out of one place is not cut out of another."""
    reader = KeyReader()
    reader.believable_pin(fleet(extensions=LEAF), HUB1)
    constraints = bytes.fromhex("30 0f 06 03 55 1d 13 01 01 ff 04 05 30 03 01 01 ff")

    authority = fleet(serial=int.from_bytes(constraints, "big"), extensions=AUTHORITY)

    assert constraints in authority
    assert reader.believable_pin(authority, HUB1) is None


@settings(deadline=None)
@given(st.integers(0, 2000), st.binary(min_size=1, max_size=3), st.booleans())
def test_a_damaged_certificate_of_a_known_make_is_read_as_alone(
    place: int, damage: bytes, is_long: bool
) -> None:
    reader = KeyReader()
    kind = "rsa2048" if is_long else "p256"
    reader.believable_pin(fleet(kind=kind), HUB1)
    whole = fleet(HUB2, kind=kind, key="other")
    at = place % len(whole)
    damaged = (whole[:at] + damage + whole[at + len(damage) :])[: len(whole)]

    assert reader.believable_pin(damaged, HUB2) == alone(damaged)


def test_a_certificate_of_the_first_version_is_read_wholly() -> None:
    """It has no extensions, and stands where another's version would."""
    outer = ber.Reader(fleet()).enter()
    inner, algorithm, signature = outer.enter(), outer.take(ber.SEQUENCE), outer.take(0x03)
    inner.take(0xA0)
    inner.take(ber.INTEGER)
    parts = [ber.integer(7), *(ber.sequence(inner.take(ber.SEQUENCE)) for _ in range(5))]
    old = ber.sequence(ber.sequence(*parts), ber.sequence(algorithm), ber.element(0x03, signature))
    reader = KeyReader()
    assert alone(old)

    assert [reader.believable_pin(old, HUB1) for _ in range(2)] == [alone(old)] * 2
    assert reader.makes == 0
