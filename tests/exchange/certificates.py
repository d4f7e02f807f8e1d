"""Certificates as Exchange makes and publishes them, with their keys, so that a listener can present them."""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass, field
from functools import cache

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mailtrust.clock import now
from mailtrust.core.model.certificate import Certificate, certificate
from tests.make import a_key, an_x509, days, der

DOMAIN = "corp.example"
_TODAY = now().replace(microsecond=0)
# sha256WithRSAEncryption and sha1WithRSAEncryption (RFC 4055, RFC 3279), as long as each other.
_SHA256, _SHA1 = (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01" + last for last in (b"\x0b", b"\x05"))


@dataclass(frozen=True)
class Pair:
    """A certificate with its key."""

    certificate: Certificate
    pem: bytes = field(repr=False)


@cache
def internal(
    name: str,
    *,
    key: str = "",
    age: int = 400,
    life: int = 1826,
    sha1: bool = False,
) -> Pair:
    """
    As New-ExchangeCertificate makes it: of both of a server's names, self-signed, for five years.

    *age* and *life* are in days.
    """
    both = (name, f"{name.lower()}.{DOMAIN}")
    return _pair(name, key or name, age, life, names=both, sha1=sha1)


def in_memory(name: str) -> Pair:
    """As Exchange makes it where it cannot use the one that is published: for twelve months."""
    return internal(name, key=f"{name} in memory", age=3, life=365)


@cache
def public(name: str = f"mail.{DOMAIN}", *, issuer: str = "Public CA", age: int = 60) -> Pair:
    """For STARTTLS, from a public authority."""
    return _pair(name, name, age, 397, issuer=issuer)


def serialised(der_bytes: bytes) -> bytes:
    """As Exchange publishes it: Windows' properties (MS-GPEF 2.2.1.1.1), the certificate last."""
    provider = "Microsoft RSA SChannel Cryptographic Provider\0".encode("utf-16-le")
    properties = (
        (2, provider),
        (3, hashlib.sha1(der_bytes).digest()),
        (11, "Microsoft Exchange\0".encode("utf-16-le")),
        (32, der_bytes),
    )
    return b"".join(struct.pack("<III", kind, 1, len(value)) + value for kind, value in properties)


def _pair(
    name: str,
    key: str,
    age: int,
    life: int,
    *,
    names: tuple[str, ...] | None = None,
    issuer: str | None = None,
    sha1: bool = False,
) -> Pair:
    made = an_x509(
        name,
        key=key,
        kind="rsa2048",
        not_before=_TODAY - days(age),
        life=days(life),
        names=names,
        issuer=issuer,
    )
    # Nobody signs with SHA-1 any more, and nobody who looks at a certificate verifies it.
    signed = der(made).replace(_SHA256, _SHA1) if sha1 else der(made)
    leaf = certificate(signed)
    private = a_key(key, "rsa2048").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Pair(leaf, private + _pem(signed))


def _pem(der_bytes: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der_bytes) + b"-----END CERTIFICATE-----\n"
