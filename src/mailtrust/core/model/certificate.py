"""
A certificate as the rest of mailtrust sees it: its three names, and the few facts that matter.

The *fingerprint* names a certificate.  The *pin* is the key inside it, and decides trust, so that a
renewal with the same key changes nothing for peers.  The *thumbprint* is what Windows shows.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NewType

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from mailtrust.errors import BadInput, NotACertificate

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

Fingerprint = NewType("Fingerprint", str)
"""SHA-256 of the DER certificate, 64 lower-case hex digits."""
Pin = NewType("Pin", str)
"""SHA-256 of the DER SubjectPublicKeyInfo (RFC 7469 section 2.4 hashes the same bytes), hex."""
Thumbprint = NewType("Thumbprint", str)
"""SHA-1 of the DER certificate, 40 lower-case hex digits: Windows' name for it.  Never decides."""


# Strangers choose these bytes, and cryptography's complaints about them have no base in common.
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What cryptography raises for certificates that it cannot read."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """One X.509 certificate.  Two are equal when their bytes are."""

    fingerprint: Fingerprint
    pin: Pin = field(compare=False)
    thumbprint: Thumbprint = field(compare=False)
    names: tuple[str, ...] = field(compare=False)
    """The common name, then every dNSName that differs from it, as written."""
    not_before: datetime = field(compare=False)
    not_after: datetime = field(compare=False)
    key_type: str = field(compare=False)
    """``RSA``, ``EC``, ``Ed25519``, ``Ed448``, ``DSA``, or ``unknown``."""
    key_bits: int = field(compare=False)
    signature_hash: str = field(compare=False)
    """``sha256`` and so on; empty where the signature has none of its own (Ed25519)."""
    self_signed: bool = field(compare=False)
    """Subject and issuer are the same name.  The signature is not checked: the directory vouches."""
    is_ca: bool = field(compare=False)
    subject: str = field(compare=False)
    issuer: str = field(compare=False)
    der: bytes = field(compare=False, repr=False)

    def expired(self, now: datetime) -> bool:
        """True from the first moment at which it is no longer valid."""
        return now > self.not_after

    def valid(self, now: datetime) -> bool:
        """True between its two dates.  Direct trust asks for neither; other programs do."""
        return self.not_before <= now <= self.not_after

    def covers(self, name: str) -> bool:
        """True if one of its names is *name*; a wildcard stands for exactly one label (RFC 6125 6.4.3)."""
        wanted = name.rstrip(".").lower()
        parent = wanted.partition(".")[2]
        return any(
            held == wanted or (held.startswith("*.") and parent != "" and held[2:] == parent)
            for held in (one.rstrip(".").lower() for one in self.names)
        )


@lru_cache(maxsize=16384)
def certificate(der: bytes) -> Certificate:
    """
    Read one DER certificate.  Its signature is not verified.

    Raises: NotACertificate, also when only part of it cannot be read (a key type or an extension
    that does not parse): half a certificate is not one.
    """
    try:
        parsed = x509.load_der_x509_certificate(der)
        public_key = parsed.public_key()
        hash_algorithm = parsed.signature_hash_algorithm
        key_type, key_bits = _key_facts(public_key)
        return Certificate(
            fingerprint=fingerprint_of(der),
            pin=pin_of_key(public_key),
            thumbprint=Thumbprint(hashlib.sha1(der, usedforsecurity=False).hexdigest()),
            names=_names(parsed),
            not_before=parsed.not_valid_before_utc,
            not_after=parsed.not_valid_after_utc,
            key_type=key_type,
            key_bits=key_bits,
            signature_hash=hash_algorithm.name if hash_algorithm else "",
            self_signed=parsed.subject == parsed.issuer,
            is_ca=_is_ca(parsed),
            subject=parsed.subject.rfc4514_string(),
            issuer=parsed.issuer.rfc4514_string(),
            der=der,
        )
    except UNREADABLE as error:
        raise NotACertificate("these bytes do not parse as an X.509 certificate") from error


def believable_pin(der: bytes) -> Pin | None:
    """
    The key of a certificate that may be believed; None for an authority's.

    It is half the work of `certificate`, and as strict: what that one cannot read, this one cannot either.
    Raises: NotACertificate.
    """
    try:
        parsed = x509.load_der_x509_certificate(der)
        pin = pin_of_key(parsed.public_key())
        # Each is read when it is asked for, and any of them may be unreadable.
        _ = parsed.extensions, parsed.subject, parsed.issuer, parsed.signature_hash_algorithm
        _ = parsed.not_valid_before_utc, parsed.not_valid_after_utc
        return None if _is_ca(parsed) else pin
    except UNREADABLE as error:
        raise NotACertificate("these bytes do not parse as an X.509 certificate") from error


def fingerprint_of(data: bytes) -> Fingerprint:
    """SHA-256 of any published value, also of one that does not parse: what names it."""
    return Fingerprint(hashlib.sha256(data).hexdigest())


# People paste what a dialog shows: colons, blanks, and the invisible mark Windows puts in front.
_NOISE = re.compile(r"[\s:\-\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_PREFIX_DIGITS = 8


def certificate_reference(text: str) -> str:
    """
    What a person pasted to name a certificate, as lower-case hex: a prefix of 8 digits or more.

    It may be a fingerprint, a thumbprint or a pin; `matches` decides which.
    Raises: BadInput when it is not hex or too short.
    """
    bare = _NOISE.sub("", text).lower()
    if not re.fullmatch(r"[0-9a-f]+", bare) or not _PREFIX_DIGITS <= len(bare) <= 64:
        raise BadInput(
            f"{text!r} does not name a certificate",
            hint="give its fingerprint, thumbprint or pin as `mailtrust list` shows it, 8 hex digits or more",
        )
    return bare


def matches(reference: str, held: Certificate) -> bool:
    """True if *reference* (from `certificate_reference`) begins one of the certificate's three names."""
    return any(one.startswith(reference) for one in (held.fingerprint, held.thumbprint, held.pin))


def short(name: str) -> str:
    """The first 12 digits, for people: enough to tell certificates apart on one screen."""
    return name[:12]


def pin_of_key(key: CertificatePublicKeyTypes) -> Pin:
    """Its pin."""
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Pin(hashlib.sha256(spki).hexdigest())


def _key_facts(key: object) -> tuple[str, int]:
    match key:
        case rsa.RSAPublicKey():
            return "RSA", key.key_size
        case ec.EllipticCurvePublicKey():
            return "EC", key.key_size
        case ed25519.Ed25519PublicKey():
            return "Ed25519", 256
        case ed448.Ed448PublicKey():
            return "Ed448", 456
        case dsa.DSAPublicKey():
            return "DSA", key.key_size
        case _:
            return "unknown", 0


def _names(parsed: x509.Certificate) -> tuple[str, ...]:
    names = [str(one.value) for one in parsed.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    try:
        extension = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names += extension.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        pass
    seen: dict[str, str] = {}
    for name in names:
        seen.setdefault(name.lower(), name)
    return tuple(seen.values())


def _is_ca(parsed: x509.Certificate) -> bool:
    try:
        return parsed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
