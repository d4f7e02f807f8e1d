"""
The keys of very many certificates, each read in a sixth of the time that it takes alone.

Most of what it takes to read a certificate goes into its names, dates and extensions, and those that come off
one machine are alike there.  Their *make* is all that is left when everything is cut out that may differ and
can always be read: serial number, dates, the key's bits, signature, and the server's own name as long as
another one's.  Of two certificates of one make both can be read, or neither; both are authorities, or neither.
So each is loaded, which checks its whole structure, and its key is read; the rest is read of the first of its
make.
"""

from __future__ import annotations

import hashlib

from cryptography import x509

from mailtrust.core.model.certificate import UNREADABLE, Pin, believable_pin, pin_of_key
from mailtrust.core.model.server import ServerName
from mailtrust.errors import NotACertificate

_MOST_MAKES = 4096
_BEGIN = b"\xa0\x03\x02\x01\x02\x02"
"""The version, 3, and the serial number's tag."""
_TWO_UTC_TIMES = b"\x30\x1e\x17\x0d"
"""A validity of years that every calendar has; from 2050 on dates are written otherwise."""
_IDENTIFIERS = b"\x06\x03\x55\x1d\x0e", b"\x06\x03\x55\x1d\x23"
"""What introduces a key's name among the extensions (RFC 5280 sections 4.2.1.2 and 4.2.1.1)."""


class KeyReader:
    """Reads certificates one after the other and remembers their makes; for one look at everybody."""

    def __init__(self) -> None:
        self._makes: dict[bytes, bool] = {}
        """And whether the key stands in the first of it as one would write it anew."""

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
            cut = _cut(der, server.encode())
            if cut is None:
                return believable_pin(der)
            make, written = cut
            is_as_written = self._makes.get(make)
            if is_as_written is not None:
                # Bits that were read, in the place and under the head of some that are written anew as they
                # are: DER has one form of them.
                return Pin(hashlib.sha256(written).hexdigest()) if is_as_written else pin_of_key(key)
            pin = believable_pin(der)
        except (NotACertificate, *UNREADABLE):
            return None
        if pin is not None and len(self._makes) < _MOST_MAKES:
            self._makes[make] = hashlib.sha256(written).hexdigest() == pin
        return pin


def _cut(der: bytes, name: bytes) -> tuple[bytes, bytes] | None:
    """The make of a certificate that loads, and its key's SubjectPublicKeyInfo; None where it is unusual."""
    if der[1] != 0x82 or der[5] != 0x82 or der[8:14] != _BEGIN:
        return None
    behind_all = 8 + (der[6] << 8 | der[7])
    at, edges = _behind(der, 13), []
    for _ in range(5):
        edges.append(at)
        size = der[at + 1]
        at = at + 2 + size if size < 0x80 else _behind(der, at)
    algorithm, _, dates, subject, key = edges
    if der[dates : dates + 4] != _TWO_UTC_TIMES:
        dates = subject
    bits = _inside(der, _behind(der, _inside(der, key)))
    # How many bits are unused, and by what they are told to be a point or a number, is no bit of the key yet.
    make = b"".join((der[algorithm:dates], der[subject : bits + 2], der[at : _behind(der, behind_all)]))
    if any(one in make for one in _IDENTIFIERS):
        # The SHA-1 of the key's bits; nobody chooses it.
        make = make.replace(hashlib.sha1(der[bits + 1 : at], usedforsecurity=False).digest(), bytes(20))
    label = name.partition(b".")[0]
    for head, text in ((b"\x0c", name), (b"\x82", name), (b"\x82", label)):
        head += bytes((len(text),))
        make = make.replace(head + text, head + b"x" * len(text))
    return make, der[key:at]


def _inside(der: bytes, at: int) -> int:
    size = der[at + 1]
    return at + 2 if size < 0x80 else at + 2 + size - 0x80


def _behind(der: bytes, at: int) -> int:
    size = der[at + 1]
    if size < 0x80:
        return at + 2 + size
    inside = at + 2 + size - 0x80
    return inside + int.from_bytes(der[at + 2 : inside], "big")
