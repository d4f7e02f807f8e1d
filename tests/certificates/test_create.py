"""What a certificate of ours says, as openssl reads it."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from mailtrust.certificates.create import new_key, request, self_signed
from mailtrust.core.model.certificate import certificate
from mailtrust.core.model.server import server_name
from mailtrust.errors import BadInput
from tests.make import HUB1, NOON


@pytest.mark.parametrize(
    ("kind", "facts"),
    [("rsa2048", ("RSA", 2048)), ("rsa3072", ("RSA", 3072)), ("p256", ("EC", 256)), ("p384", ("EC", 384))],
)
def test_each_kind_of_key_is_what_it_says(kind: str, facts: tuple[str, int]) -> None:
    leaf = certificate(self_signed(new_key(kind), HUB1, days=1, now=NOON).public_bytes(Encoding.DER))

    assert (leaf.key_type, leaf.key_bits) == facts


def test_a_new_certificate_fits_both_sides_of_a_connection() -> None:
    made = self_signed(new_key("p256"), HUB1, days=1825, now=NOON)
    leaf = certificate(made.public_bytes(Encoding.DER))

    purposes = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(purposes) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert leaf.names == (HUB1, "hub1")
    assert not leaf.is_ca
    assert leaf.signature_hash == "sha256"
    assert leaf.not_before == NOON - timedelta(hours=1)
    assert leaf.not_after == NOON + timedelta(days=1825)


def test_a_name_too_long_for_a_common_name_still_stands_in_the_certificate() -> None:
    name = server_name(f"hub1.{'a' * 60}.{'b' * 60}.example.test")

    leaf = certificate(self_signed(new_key("p256"), name, days=1, now=NOON).public_bytes(Encoding.DER))

    assert leaf.covers(name)


def test_ed25519_is_not_made() -> None:
    with pytest.raises(BadInput, match="ed25519"):
        new_key("ed25519")


def test_openssl_finds_the_certificate_and_the_request_well_formed(tmp_path: Path) -> None:
    key = new_key("rsa2048")
    (tmp_path / "a.csr").write_bytes(request(key, HUB1))
    (tmp_path / "a.crt").write_bytes(self_signed(key, HUB1, days=3, now=NOON).public_bytes(Encoding.PEM))

    asked = subprocess.run(
        ["openssl", "req", "-in", "a.csr", "-verify", "-noout", "-text"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    shown = subprocess.run(
        ["openssl", "x509", "-in", "a.crt", "-noout", "-text"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    for text in (asked.stdout, shown.stdout):
        assert f"DNS:{HUB1}, DNS:hub1" in text
        assert "TLS Web Server Authentication, TLS Web Client Authentication" in text
        assert "CA:FALSE" in text
