"""Filters read back from the wire, as a server reads them: the other half of what the client only writes."""

from __future__ import annotations

from mailtrust.ldap.ber import Reader
from mailtrust.ldap.filters import (
    And,
    Approximately,
    AtLeast,
    AtMost,
    Equal,
    Filter,
    Matches,
    Not,
    Or,
    Present,
    Substrings,
)

COMPARISONS: dict[int, type[Equal | AtLeast | AtMost | Approximately]] = {
    0xA3: Equal,
    0xA5: AtLeast,
    0xA6: AtMost,
    0xA8: Approximately,
}


def read(reader: Reader) -> Filter:
    """The next filter."""
    if reader.next_tag == 0x87:
        return Present(reader.text(0x87))
    tag, inside = reader.enter_any()
    if tag in (0xA0, 0xA1):
        parts = []
        while inside.next_tag is not None:
            parts.append(read(inside))
        return And(tuple(parts)) if tag == 0xA0 else Or(tuple(parts))
    if tag == 0xA2:
        return Not(read(inside))
    if tag == 0xA4:
        return _substrings(inside)
    if tag == 0xA9:
        return _matches(inside)
    return COMPARISONS[tag](inside.text(), inside.take())


def _substrings(inside: Reader) -> Substrings:
    attribute, pieces = inside.text(), inside.enter()
    initial = pieces.take(0x80) if pieces.next_tag == 0x80 else b""
    middle = []
    while pieces.next_tag == 0x81:
        middle.append(pieces.take(0x81))
    final = pieces.take(0x82) if pieces.next_tag == 0x82 else b""
    return Substrings(attribute, initial, tuple(middle), final)


def _matches(inside: Reader) -> Matches:
    rule = inside.text(0x81) if inside.next_tag == 0x81 else ""
    attribute = inside.text(0x82) if inside.next_tag == 0x82 else ""
    value = inside.take(0x83)
    return Matches(value, attribute, rule, inside.next_tag == 0x84 and inside.boolean(0x84))
