"""
The keys of very many certificates, each read in a fifth of the time that it takes alone.

Most of what it takes to read a certificate goes into its names, dates and extensions, and those that come off
one machine are alike there. Their *make* is all that is left when everything is cut out that may differ and
can always be read: serial number, dates, the key's bits, signature, and the server's own name as long as
another one's. Of two certificates of one make both can be read, or neither, and both are authorities, or
neither. So each is loaded, which checks its whole structure, and its key is read; the rest is read of the
first of its make. Where it is cut is its *form*, which is looked for in the first that is as long.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from struct import Struct
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
_HEAD = slice(4, 15)
"""Of what is signed, up to the serial number's own bytes."""

_NAME, _LABEL, _IDENTIFIER = range(3)
"""What is a server's own and stands within a make, as `_belongings` has it."""
_Make = tuple[str | bytes, ...]
_Span = tuple[int, int]


class KeyReader:
    """Reads certificates one after the other and remembers their makes; for one look at everybody."""

    def __init__(self) -> None:
        self._makes: dict[_Make, bool] = {}
        """And whether the key stands in the first of it as one would write it anew."""
        self._forms: dict[tuple[bytes, int, int, int], _Form] = {}
        """Of the latest new make that began alike and is as long, as are its server's name and label."""

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
            name = server.encode()
            looks = der[_HEAD], len(der), len(name), name.find(b".")
            form = self._forms.get(looks)
            # Every head up to a part is in the make: where it is known, the parts do stand there.
            make = form.make(der, name) if form is not None else ()
            is_as_written = self._makes.get(make)
            if is_as_written is None:
                form = _form(der, name)
                make = form.make(der, name) if form is not None else ()
                is_as_written = self._makes.get(make)
            if form is None:
                return believable_pin(der)
            written = hashlib.sha256(der[form.key : form.behind_key]).hexdigest()
            if is_as_written is not None:
                # Bits that were read, under the head of some that are written anew as they are: DER has one
                # form of them.
                return Pin(written) if is_as_written else pin_of_key(key)
            pin = believable_pin(der)
        except (NotACertificate, *UNREADABLE):
            return None
        if pin is not None and len(self._makes) < _MOST_MAKES:
            self._makes[make] = written == pin
            self._forms[looks] = form
        return pin


class _Form(NamedTuple):
    """Where in a certificate stands what makes its make, and in between what is the server's own."""

    alike: Struct
    own: Struct
    owner: tuple[int, ...]
    """For each of its own, which of the `_belongings` it is."""
    key: int
    bits: int
    behind_key: int

    def make(self, der: bytes, name: bytes) -> _Make:
        """The make of a certificate that loads and is as long; none where another's stands for its own."""
        bits = der[self.bits + 1 : self.behind_key] if _IDENTIFIER in self.owner else None
        mine = _belongings(name, bits)
        if self.own.unpack_from(der) != tuple([mine[one] for one in self.owner]):
            return ()
        return self.alike.format, *self.alike.unpack_from(der)


def _belongings(name: bytes, bits: bytes | None) -> tuple[bytes, ...]:
    """The server's name, its first label and, for a key's bits, their identifier (RFC 5280 4.2.1.2)."""
    label = name.partition(b".")[0]
    if bits is None:
        return name, label
    # Nobody chooses it.
    return name, label, hashlib.sha1(bits, usedforsecurity=False).digest()


def _form(der: bytes, name: bytes) -> _Form | None:
    """Of a certificate that loads; None where it is written unusually, or its dates may be unreadable."""
    if der[1] != 0x82 or der[5] != 0x82 or der[8:14] != _BEGIN or der[14] >= 0x80:
        return None
    behind_key, edges = _behind(der, 13), []
    for _ in range(5):
        edges.append(behind_key)
        behind_key = _behind(der, behind_key)
    algorithm, _, dates, subject, key = edges
    if der[dates : dates + 4] != _TWO_UTC_TIMES:
        return None
    bits = _inside(der, _behind(der, _inside(der, key)))
    # The signature's algorithm is told again behind all that is signed.
    behind_all = _behind(der, 8 + int.from_bytes(der[6:8], "big"))
    # How many bits are unused, and by what they are told to be a point or a number, is no bit of the key yet.
    alike: list[_Span] = [
        (0, 2),
        (_HEAD.start, _HEAD.stop),
        (algorithm, dates + 4),
        (subject, bits + 2),
        (behind_key, behind_all),
    ]
    own: list[tuple[_Span, int]] = []
    mine = _belongings(name, der[bits + 1 : behind_key])
    for heads, one in ((b"", _IDENTIFIER), (b"\x0c", _NAME), (b"\x82", _NAME), (b"\x82", _LABEL)):
        head = heads + bytes((len(mine[one]),)) * len(heads)
        alike, found = _without(der, alike, head, mine[one])
        own += [(span, one) for span in found]
    own.sort()
    owner = tuple(one for _, one in own)
    return _Form(_cut(alike), _cut(span for span, _ in own), owner, key, bits, behind_key)


def _without(der: bytes, spans: list[_Span], head: bytes, text: bytes) -> tuple[list[_Span], list[_Span]]:
    """What of these spans is not *text* behind its *head*, and what is."""
    rest: list[_Span] = []
    found: list[_Span] = []
    for start, stop in spans:
        while (at := der.find(head + text, start, stop)) >= 0:
            begin = at + len(head)
            rest.append((start, begin))
            start = begin + len(text)
            found.append((begin, start))
        rest.append((start, stop))
    return rest, found


def _cut(spans: Iterable[_Span]) -> Struct:
    """What takes exactly these out of a certificate."""
    form, at = "=", 0
    for start, stop in spans:
        form += f"{start - at}x{stop - start}s"
        at = stop
    return Struct(form)


def _inside(der: bytes, at: int) -> int:
    size = der[at + 1]
    return at + 2 if size < 0x80 else at + 2 + size - 0x80


def _behind(der: bytes, at: int) -> int:
    size = der[at + 1]
    if size < 0x80:
        return at + 2 + size
    inside = at + 2 + size - 0x80
    return inside + int.from_bytes(der[at + 2 : inside], "big")
