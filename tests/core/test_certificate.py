"""Certificates and how people name them."""

from __future__ import annotations

import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519
from hypothesis import given
from hypothesis import strategies as st

from mailtrust.core.model.certificate import (
    Fingerprint,
    certificate,
    certificate_reference,
    fingerprint_of,
    matches,
    short,
)
from mailtrust.errors import BadInput, NotACertificate
from tests.make import HUB1, NOON, a_certificate, a_key, an_x509, der, half_readable


def test_the_three_names_are_what_other_tools_compute() -> None:
    """Somebody will compare them with openssl's."""
    made = an_x509()
    leaf = certificate(der(made))
    spki = made.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    assert leaf.fingerprint == hashlib.sha256(der(made)).hexdigest()
    assert leaf.pin == hashlib.sha256(spki).hexdigest()
    assert leaf.thumbprint == hashlib.sha1(der(made)).hexdigest()
    assert fingerprint_of(der(made)) == leaf.fingerprint


def test_a_renewal_with_the_same_key_has_the_same_pin() -> None:
    """That is why it changes nothing for peers."""
    first, second = a_certificate(serial=1), a_certificate(serial=2)

    assert first.pin == second.pin
    assert first != second


def test_names_are_the_common_name_and_the_dns_names_once() -> None:
    """A certificate says its name twice as a rule."""
    leaf = a_certificate("Hub1.example.test", names=("hub1.example.test", "hub1"))

    assert leaf.names == ("Hub1.example.test", "hub1")
    assert a_certificate(names=()).names == (HUB1,)


@pytest.mark.parametrize(
    ("held", "asked", "covered"),
    [
        ("hub1.example.test", "HUB1.example.test.", True),
        ("*.example.test", "hub1.example.test", True),
        ("*.example.test", "a.hub1.example.test", False),
        ("*.example.test", "example.test", False),
        ("hub1", "hub1.example.test", False),
        ("*.", "hub1", False),
    ],
)
def test_a_wildcard_stands_for_one_label(held: str, asked: str, covered: bool) -> None:
    """RFC 6125 section 6.4.3."""
    from dataclasses import replace

    assert replace(a_certificate(), names=(held,)).covers(asked) is covered


def test_expiry_is_the_moment_after_the_last_valid_one() -> None:
    """NotAfter itself is still valid (RFC 5280 section 4.1.2.5)."""
    leaf = a_certificate()

    assert not leaf.expired(leaf.not_after)
    assert leaf.expired(leaf.not_after.replace(year=leaf.not_after.year + 1))


def test_key_types_are_named() -> None:
    """Administrators know them by these names."""
    keys = {
        "EC": ec.generate_private_key(ec.SECP384R1()),
        "Ed25519": ed25519.Ed25519PrivateKey.generate(),
        "Ed448": ed448.Ed448PrivateKey.generate(),
        "DSA": dsa.generate_private_key(1024),
    }
    name = x509.Name([])
    for key_type, key in keys.items():
        from cryptography.hazmat.primitives import hashes

        algorithm = None if key_type.startswith("Ed") else hashes.SHA256()
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(5)
            .not_valid_before(NOON)
            .not_valid_after(NOON.replace(year=2030))
            .sign(key, algorithm)
        )
        leaf = certificate(der(made))
        assert leaf.key_type == key_type
        assert leaf.signature_hash == ("" if algorithm is None else "sha256")
        assert not leaf.is_ca
    assert a_certificate(key="rsa", kind="rsa2048").key_bits == 2048


def test_a_key_type_that_nobody_can_use_is_no_certificate_but_a_strange_one_is_unknown() -> None:
    """X25519 keys agree on secrets and cannot be presented; we still must not fall over them."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import x25519

    name = x509.Name([])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(x25519.X25519PrivateKey.generate().public_key())
        .serial_number(5)
        .not_valid_before(NOON)
        .not_valid_after(NOON.replace(year=2030))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(a_key(), hashes.SHA256())
    )
    leaf = certificate(der(made))

    assert (leaf.key_type, leaf.key_bits, leaf.is_ca) == ("unknown", 0, True)


@given(st.binary(max_size=300))
def test_garbage_is_not_a_certificate(data: bytes) -> None:
    """Whatever stands in the directory, reading it must cost that value only."""
    with pytest.raises(NotACertificate):
        certificate(data)


@pytest.mark.parametrize("data", half_readable(), ids=["x400-address", "same-extension-twice"])
def test_half_a_certificate_is_none(data: bytes) -> None:
    """The library has errors of their own for these; anything but ours would end the hub that meets them."""
    with pytest.raises(NotACertificate):
        certificate(data)


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_certificate_gives_our_own_error_or_a_certificate(place: int, byte: int) -> None:
    """One flipped byte reaches every corner of the parser sooner or later."""
    data = bytearray(der(an_x509(serial=99)))
    data[place % len(data)] = byte
    try:
        leaf = certificate(bytes(data))
    except NotACertificate:
        return
    assert leaf.fingerprint == hashlib.sha256(bytes(data)).hexdigest()


def test_a_reference_is_taken_as_people_paste_it() -> None:
    """Windows' dialog puts an invisible mark in front and blanks between."""
    leaf = a_certificate()
    spaced = " ".join(leaf.thumbprint[place : place + 2] for place in range(0, 40, 2)).upper()
    colons = ":".join(leaf.fingerprint[place : place + 2] for place in range(0, 64, 2))

    for pasted in (f"\u200e{spaced}", colons, leaf.pin[:8], f"  {short(leaf.fingerprint)}\n"):
        assert matches(certificate_reference(pasted), leaf)
    assert not matches(certificate_reference("0" * 64), leaf)


@pytest.mark.parametrize("pasted", ["", "1234567", "not-hexadecimal", "a" * 65, Fingerprint("zz" * 32)])
def test_what_names_no_certificate_is_refused_with_a_hint(pasted: str) -> None:
    """Seven digits are a typing mistake, not a name."""
    with pytest.raises(BadInput, match="does not name a certificate") as refused:
        certificate_reference(pasted)
    assert "mailtrust list" in refused.value.hint
