"""A certificate is found by any digest of it, or of its public key."""

from __future__ import annotations

import hashlib
from subprocess import run

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from mailtrust.core.digests import FUNCTIONS, Digests, digest, digests_of, function_of
from mailtrust.errors import BadInput
from tests.make import HUB1, HUB2, a_certificate
from tests.programs import needs

LEAF, OTHER = a_certificate(key="digests"), a_certificate(HUB2, key="other digests")


@pytest.mark.parametrize("function", FUNCTIONS.values())
@pytest.mark.parametrize("of", [0, 1], ids=["certificate", "public key"])
def test_every_function_finds_it(function: str, of: int) -> None:
    known = Digests([(LEAF, HUB1), (OTHER, HUB2)])

    assert known.find(digests_of(LEAF, function)[of]) == ((LEAF, HUB1),)
    assert known.find(hashlib.new(function, b"another").hexdigest()) == ()


def test_who_shares_a_key_is_found_with_the_others() -> None:
    renewed = a_certificate(key="digests", serial=7)
    known = Digests([(LEAF, HUB1), (renewed, HUB2)])

    assert known.find(LEAF.pin) == ((LEAF, HUB1), (renewed, HUB2))
    assert known.find(renewed.fingerprint) == ((renewed, HUB2),)


@needs("openssl")
def test_the_digest_of_a_key_is_that_of_openssl() -> None:
    """And so of Postfix, which digests the DER of the SubjectPublicKeyInfo."""
    made = x509.load_der_x509_certificate(LEAF.der)
    pem = made.public_bytes(serialization.Encoding.PEM)
    key = run(["openssl", "x509", "-pubkey", "-noout"], input=pem, capture_output=True, check=True).stdout
    spki = run(
        ["openssl", "pkey", "-pubin", "-outform", "DER"], input=key, capture_output=True, check=True
    ).stdout

    assert digests_of(LEAF, "sha1")[1] == hashlib.sha1(spki).hexdigest()


@pytest.mark.parametrize("text", ["AB:CD" * 8, "ab" * 16, " AB" + "ab" * 19 + "\n"])
def test_a_digest_is_read_as_people_write_it(text: str) -> None:
    found = digest(text)

    assert found == text.replace(":", "").strip().lower()
    assert function_of(found) in ("md5", "sha1", "sha256")


@pytest.mark.parametrize("text", ["", "ab:cd", "zz" * 32, "ab" * 33])
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="no fingerprint"):
        digest(text)
