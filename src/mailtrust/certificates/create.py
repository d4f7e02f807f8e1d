"""
New keys, certificates and requests.

A certificate of ours is made for both sides of a connection (serverAuth and clientAuth: strict peers
refuse a client without the latter), is no CA, since a CA could vouch for others, and begins an hour ago,
since clocks differ.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mailtrust.core.model.server import ServerName
from mailtrust.errors import BadInput

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
"""The kinds of key that every peer takes.  Not Ed25519: where a peer's list lacks it, it gets no
certificate at all, and neither side reports an error."""

CLOCK_SKEW = timedelta(hours=1)
_CURVES: dict[str, type[ec.EllipticCurve]] = {"p256": ec.SECP256R1, "p384": ec.SECP384R1}
_RSA_BITS = {"rsa2048": 2048, "rsa3072": 3072, "rsa4096": 4096}
# X.520 ends a common name there; longer names stand among the alternative names alone.
_LONGEST_COMMON_NAME = 64
_USAGES = x509.KeyUsage(
    digital_signature=True, key_encipherment=True, content_commitment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
)  # fmt: skip


def new_key(kind: str) -> PrivateKey:
    """
    A key of one of the configuration's kinds.

    Raises: BadInput for another kind.
    """
    if kind in _RSA_BITS:
        return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS[kind])
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind]())
    raise BadInput(
        f"no key of the kind {kind!r} is made here", hint=f"choose {', '.join((*_RSA_BITS, *_CURVES))}"
    )


def self_signed(key: PrivateKey, name: ServerName, *, days: int, now: datetime) -> x509.Certificate:
    """A certificate of *name*, valid for *days* from *now*, signed by its own key with SHA-256."""
    subject = _subject(name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(secrets.token_bytes(16)) or 1)
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
    )
    for extension, critical in _extensions(name):
        builder = builder.add_extension(extension, critical=critical)
    subject_key = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return builder.add_extension(subject_key, critical=False).sign(key, hashes.SHA256())


def request(key: PrivateKey, name: ServerName) -> bytes:
    """A request (PKCS#10, RFC 2986) for a CA to sign, in PEM; it asks for what `self_signed` grants."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(_subject(name))
    for extension, critical in _extensions(name):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _subject(name: ServerName) -> x509.Name:
    common_name = name if len(name) <= _LONGEST_COMMON_NAME else name.partition(".")[0]
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _extensions(name: ServerName) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.DNSName(name.partition(".")[0])])
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    return (
        (names, False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_USAGES, True),
        (purposes, False),
    )
