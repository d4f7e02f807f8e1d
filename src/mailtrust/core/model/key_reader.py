"""
The keys of very many certificates, each read in a sixth of the time that it takes alone.

Most of what it takes to read a certificate goes into its names, dates and extensions, and those that come off
one machine are alike there. Their *make* is all that is left when everything is cut out that may differ and
can always be read: serial number, dates, the key's bits, signature, and the server's own name as long as
another one's. Of two certificates of one make both can be read, or neither, and both are authorities, or
neither. So each is loaded, which checks its whole structure, and its key is read; the rest is read of the
first of its make.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from cryptography import x509

from mailtrust.core.model.certificate import UNREADABLE, Pin, believable_pin, pin_of_key
from mailtrust.core.model.server import ServerName
from mailtrust.errors import NotACertificate

_MOST_MAKES = 4096
_BEGIN = b"\xa0\x03\x02\x01\x02\x02"
"""The version, 3, and the serial number's tag."""
_TWO_UTC_TIMES = b"\x30\x1e\x17\x0d"
"""A validity of years that every calendar has; from 2050 on dates are written otherwise."""
_HEAD = slice(4, 14)
"""Of what is signed, up to the serial number's own bytes."""
_IDENTIFIES = b"\x06\x03\x55\x1d\x0e"
"""What introduces the key's name among the extensions (RFC 5280 section 4.2.1.2)."""


class KeyReader:
    """Reads certificates one after the other and remembers their makes; for one look at everybody."""

    def __init__(self) -> None:
        self._makes: dict[bytes, bool] = {}
        """And whether the key stands in the first of it as one would write it anew."""
        self._parts: dict[bytes, _Parts] = {}
        """Where the parts of a certificate stood that began alike, and is as long but for its signature."""

    @property
    def makes(self) -> int:
        """How many it met."""
        return len(self._makes)

    def believable_pin(self, der: bytes, server: ServerName) -> Pin | None:
        """
        The key of a certificate that *server* publishes, as `certificate.believable_pin` has it.

        None for an authority's, and where *der* is no certificate.
        """
        try:
            key = x509.load_der_x509_certificate(der).public_key()
            name, parts = server.encode(), self._parts.get(der[_HEAD])
            # Every head up to a part is in the make: where it is known, the parts do stand there.
            make = _make(der, name, parts) if parts is not None else None
            if make not in self._makes:
                parts = _parts(der)
                make = _make(der, name, parts) if parts is not None else None
            if parts is None or make is None:
                return believable_pin(der)
            written = hashlib.sha256(der[parts.key : parts.behind_key]).hexdigest()
            is_as_written = self._makes.get(make)
            if is_as_written is not None:
                # Bits that were read, under the head of some that are written anew as they are: DER has one
                # form of them.
                return Pin(written) if is_as_written else pin_of_key(key)
            pin = believable_pin(der)
        except (NotACertificate, *UNREADABLE):
            return None
        if pin is not None and len(self._makes) < _MOST_MAKES:
            self._makes[make] = written == pin
            self._parts[der[_HEAD]] = parts
        return pin


class _Parts(NamedTuple):
    """Where the parts of a certificate begin."""

    algorithm: int
    dates: int
    subject: int
    key: int
    bits: int
    behind_key: int
    behind_all: int


def _parts(der: bytes) -> _Parts | None:
    """Of a certificate that loads; None where it is written unusually."""
    if der[1] != 0x82 or der[5] != 0x82 or der[8:14] != _BEGIN:
        return None
    at, edges = _behind(der, 13), []
    for _ in range(5):
        edges.append(at)
        at = _behind(der, at)
    algorithm, _, dates, subject, key = edges
    bits = _inside(der, _behind(der, _inside(der, key)))
    # The signature's algorithm is told again behind all that is signed.
    behind_all = _behind(der, 8 + int.from_bytes(der[6:8], "big"))
    return _Parts(algorithm, dates, subject, key, bits, at, behind_all)


def _make(der: bytes, name: bytes, parts: _Parts) -> bytes | None:
    """The make of a certificate whose parts stand there; None where it has dates that may be unreadable."""
    algorithm, dates, subject, _, bits, behind_key, behind_all = parts
    if der[dates : dates + 4] != _TWO_UTC_TIMES:
        return None
    # How many bits are unused, and by what they are told to be a point or a number, is no bit of the key yet.
    kept = der[:2], der[_HEAD], der[algorithm:dates], der[subject : bits + 2], der[behind_key:behind_all]
    make = b"".join(kept)
    if _IDENTIFIES in make:
        # The SHA-1 of the key's bits; nobody chooses it.
        identifier = hashlib.sha1(der[bits + 1 : behind_key], usedforsecurity=False).digest()
        make = make.replace(identifier, bytes(20))
    label = name.partition(b".")[0]
    for head, text in ((b"\x0c", name), (b"\x82", name), (b"\x82", label)):
        head += bytes((len(text),))
        make = make.replace(head + text, head + b"x" * len(text))
    return make


def _inside(der: bytes, at: int) -> int:
    size = der[at + 1]
    return at + 2 if size < 0x80 else at + 2 + size - 0x80


def _behind(der: bytes, at: int) -> int:
    size = der[at + 1]
    if size < 0x80:
        return at + 2 + size
    inside = at + 2 + size - 0x80
    return inside + int.from_bytes(der[at + 2 : inside], "big")
