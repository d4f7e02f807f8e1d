"""
Under which key Samba stamps an attribute that its schema gave no key of its own.

A key is then made of the attribute's object identifier: the last part is kept, and what stands before it is
replaced by its place in a table (MS-DRSR 5.16.4).  The table is ``prefixMap`` of the schema; every controller
keeps its own, so that a key holds on that controller alone.  Samba stores it as its interface language lays
it out, little-endian; what Windows stores there is documented nowhere, and not read.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping

from mailtrust.errors import BadInput

_HEAD = struct.Struct("<4sIIII")
_COUNT = struct.Struct("<I")
_PLACE = struct.Struct("<III")
_SAMBA = b"BDSD"
_IDENTIFIER = re.compile(rb"[0-2](\.(0|[1-9][0-9]{0,9})){2,40}")
_LOW_BITS = 14
"""How much of an identifier's last part stands in its last two bytes."""


def key_of(identifier: bytes, table: Mapping[bytes, int]) -> int | None:
    """
    The key of the attribute with that ``attributeID``; None where the table has no place for it.

    Raises BadInput for what is no object identifier.
    """
    if not _IDENTIFIER.fullmatch(identifier):
        raise BadInput(f"attributeID is no object identifier: {identifier[:40]!r}")
    first, second, *others = map(int, identifier.split(b"."))
    last = others[-1]
    encoded = b"".join(map(_part, (first * 40 + second, *others)))
    place = table.get(encoded[:-1] if last < 128 else encoded[:-2])
    if place is None:
        return None
    # One bit tells that more of the last part stands in the table.
    low = last % (1 << _LOW_BITS) + (1 << 15 if last >> _LOW_BITS else 0)
    return place << 16 | low


def prefixes(blob: bytes) -> Mapping[bytes, int]:
    """The places of encoded prefixes in ``prefixMap``.  Raises BadInput."""
    try:
        form, _, count, _, _ = _HEAD.unpack_from(blob)
        if form != _SAMBA:
            raise BadInput("prefixMap cannot be read: its form is unknown")
        # The places come first, and behind them the prefixes in the same order, each filled up to four bytes.
        at = _HEAD.size + count * _PLACE.size
        if at > len(blob):
            raise BadInput("prefixMap cannot be read: it was cut off")
        found: dict[bytes, int] = {}
        for place, length, _ in _PLACE.iter_unpack(blob[_HEAD.size : at]):
            at += _COUNT.size
            prefix = blob[at : at + length]
            if len(prefix) < length:
                raise BadInput("prefixMap cannot be read: it was cut off")
            found[prefix] = place
            at += length + -length % 4
    except struct.error as error:
        raise BadInput("prefixMap cannot be read: it was cut off") from error
    return found


def _part(number: int) -> bytes:
    """Seven bits a byte, the highest first; all but the last are marked (X.690 section 8.19.2)."""
    encoded = bytes((number & 0x7F,))
    while number := number >> 7:
        encoded = bytes((number & 0x7F | 0x80,)) + encoded
    return encoded
