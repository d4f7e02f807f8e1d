"""
A certificate, found by whatever digest of it somebody wrote down.

Mail servers are told fingerprints in many digests (Postfix had MD5 as its default until 3.9) and of two
things, the certificate or its public key.  The length of a digest says which function made it; of what, only
trying tells.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Generic, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from mailtrust.core.model.certificate import Certificate
from mailtrust.errors import BadInput

FUNCTIONS = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
"""By the number of hex digits."""
_Owner = TypeVar("_Owner")


def digest(text: str) -> str:
    """
    A fingerprint as mail servers write it, with colons or without, as lower-case hex.

    Raises: BadInput for what is no digest of a function that we know.
    """
    bare = text.replace(":", "").strip().lower()
    if len(bare) not in FUNCTIONS or not re.fullmatch(r"[0-9a-f]+", bare):
        raise BadInput(
            f"{text!r} is no fingerprint", hint="it is 32 to 128 hex digits, with colons or without"
        )
    return bare


def function_of(digest: str) -> str:
    """The function that made a digest from `digest`, such as ``sha256``."""
    return FUNCTIONS[len(digest)]


def digests_of(leaf: Certificate, function: str) -> tuple[str, str]:
    """The digest of the certificate, and that of its public key (the DER of its SubjectPublicKeyInfo)."""
    if function == "sha256":
        return leaf.fingerprint, leaf.pin
    return _hashed(leaf.der, function), _hashed(_public_key(leaf), function)


class Digests(Generic[_Owner]):
    """Certificates with their owners; each function is computed when the first digest of it is asked for."""

    def __init__(self, held: Iterable[tuple[Certificate, _Owner]]) -> None:
        self._held = tuple(held)
        self._found: dict[str, dict[str, list[tuple[Certificate, _Owner]]]] = {}

    def find(self, digest: str) -> tuple[tuple[Certificate, _Owner], ...]:
        """Whose certificate or public key has that digest; several where several have the key."""
        function = function_of(digest)
        if function not in self._found:
            self._found[function] = self._by(function)
        return tuple(self._found[function].get(digest, ()))

    def _by(self, function: str) -> dict[str, list[tuple[Certificate, _Owner]]]:
        found: dict[str, list[tuple[Certificate, _Owner]]] = {}
        for one in self._held:
            for each in digests_of(one[0], function):
                found.setdefault(each, []).append(one)
        return found


def _hashed(data: bytes, function: str) -> str:
    return hashlib.new(function, data, usedforsecurity=False).hexdigest()


def _public_key(leaf: Certificate) -> bytes:
    # It was read before, or there would be no Certificate: this cannot fail.
    key = x509.load_der_x509_certificate(leaf.der).public_key()
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
