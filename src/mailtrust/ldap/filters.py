"""
What a search looks for (RFC 4511 section 4.5.1.7), as values and as the text that people write (RFC 4515).

    (&(objectClass=computer)(!(cn=old*)))     And((Equal(...), Not(Substrings(...))))

Build a filter from values, never from pieces of text: then nothing that a value holds can change what is
asked.  The text is for configuration, logs, and the command that does the same by hand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailtrust.errors import BadInput
from mailtrust.ldap import ber


@dataclass(frozen=True, slots=True)
class And:
    """All of these; of none at all it is always true (RFC 4526)."""

    parts: tuple[Filter, ...]

    def __str__(self) -> str:
        return f"(&{''.join(map(str, self.parts))})"


@dataclass(frozen=True, slots=True)
class Or:
    """Any of these; of none at all it is never true (RFC 4526)."""

    parts: tuple[Filter, ...]

    def __str__(self) -> str:
        return f"(|{''.join(map(str, self.parts))})"


@dataclass(frozen=True, slots=True)
class Not:
    """Not this; and not what is neither true nor false, such as a comparison with a value not there."""

    part: Filter

    def __str__(self) -> str:
        return f"(!{self.part})"


@dataclass(frozen=True, slots=True)
class Present:
    """The attribute has any value."""

    attribute: str

    def __str__(self) -> str:
        return f"({self.attribute}=*)"


@dataclass(frozen=True, slots=True)
class Equal:
    """One of the attribute's values is this one."""

    attribute: str
    value: bytes

    def __str__(self) -> str:
        return f"({self.attribute}={escape(self.value)})"


@dataclass(frozen=True, slots=True)
class AtLeast:
    """One of the attribute's values is this one or a greater one."""

    attribute: str
    value: bytes

    def __str__(self) -> str:
        return f"({self.attribute}>={escape(self.value)})"


@dataclass(frozen=True, slots=True)
class AtMost:
    """One of the attribute's values is this one or a smaller one."""

    attribute: str
    value: bytes

    def __str__(self) -> str:
        return f"({self.attribute}<={escape(self.value)})"


@dataclass(frozen=True, slots=True)
class Approximately:
    """One of the attribute's values is like this one, whatever the server takes for like."""

    attribute: str
    value: bytes

    def __str__(self) -> str:
        return f"({self.attribute}~={escape(self.value)})"


@dataclass(frozen=True, slots=True)
class Substrings:
    """A value that begins so, has these in its middle in this order, and ends so.  One at least is given."""

    attribute: str
    initial: bytes = b""
    middle: tuple[bytes, ...] = ()
    final: bytes = b""

    def __post_init__(self) -> None:
        # RFC 4511 section 4.5.1.7.2: at least one, and none of them empty.
        if not (self.initial or self.middle or self.final) or not all(self.middle):
            raise BadInput(f"a search for a part of {self.attribute} needs a part that is not empty")

    def __str__(self) -> str:
        return f"({self.attribute}={'*'.join(map(escape, (self.initial, *self.middle, self.final)))})"


@dataclass(frozen=True, slots=True)
class Matches:
    """A comparison by a rule of its own: ``(userAccountControl:1.2.840.113556.1.4.803:=8192)``."""

    value: bytes
    attribute: str = ""
    rule: str = ""
    names_too: bool = False
    """Look at the parts of the entry's name too."""

    def __post_init__(self) -> None:
        if not (self.attribute or self.rule):
            raise BadInput("a comparison by a rule needs an attribute or a rule")

    def __str__(self) -> str:
        rule = f":{self.rule}" if self.rule else ""
        return f"({self.attribute}{':dn' if self.names_too else ''}{rule}:={escape(self.value)})"


Comparison = Equal | AtLeast | AtMost | Approximately
Filter = And | Or | Not | Present | Comparison | Substrings | Matches

EVERYTHING = Present("objectClass")
"""Every entry has a class.  Active Directory's change notification takes no other filter."""

_COMPARISONS: dict[str, type[Comparison]] = {">=": AtLeast, "<=": AtMost, "~=": Approximately}
_TAGS: dict[type[Comparison], int] = {Equal: 0xA3, AtLeast: 0xA5, AtMost: 0xA6, Approximately: 0xA8}
_ATTRIBUTE = r"[A-Za-z0-9][A-Za-z0-9.-]*(?:;[A-Za-z0-9-]+)*"
_OPERATOR = re.compile(rf"({_ATTRIBUTE})(>=|<=|~=|=)")
_MATCHES = re.compile(rf"({_ATTRIBUTE})?(:[dD][nN])?(?::([A-Za-z0-9][A-Za-z0-9.-]*))?:=")
_HEX_PAIR = re.compile(r"[0-9A-Fa-f]{2}")
_BLANKS = " \t\r\n"
# Nobody writes such a filter, and a deeper one would exhaust the stack.
_DEEPEST = 50


def encode(wanted: Filter) -> bytes:
    """The filter as an element of a search request."""
    match wanted:
        case And(parts):
            return ber.element(0xA0, *map(encode, parts))
        case Or(parts):
            return ber.element(0xA1, *map(encode, parts))
        case Not(part):
            return ber.element(0xA2, encode(part))
        case Present(attribute):
            return ber.octets(attribute, 0x87)
        case Substrings(attribute, initial, middle, final):
            pieces = [ber.octets(piece, 0x81) for piece in middle]
            if initial:
                pieces.insert(0, ber.octets(initial, 0x80))
            if final:
                pieces.append(ber.octets(final, 0x82))
            return ber.element(0xA4, ber.octets(attribute), ber.sequence(*pieces))
        case Matches():
            return _encode_matches(wanted)
        case _:
            tag = _TAGS[type(wanted)]
            return ber.element(tag, ber.octets(wanted.attribute), ber.octets(wanted.value))


def _encode_matches(wanted: Matches) -> bytes:
    return ber.element(
        0xA9,
        ber.octets(wanted.rule, 0x81) if wanted.rule else b"",
        ber.octets(wanted.attribute, 0x82) if wanted.attribute else b"",
        ber.octets(wanted.value, 0x83),
        ber.boolean(wanted.names_too, 0x84) if wanted.names_too else b"",
    )


def escape(value: bytes) -> str:
    """A value as it stands in a filter: whatever has a meaning, or does not print, as ``\\5c``."""
    text = value.decode("utf-8", "surrogateescape")
    return "".join(
        one if one.isprintable() and one not in "*()\\" else _hex(one.encode("utf-8", "surrogateescape"))
        for one in text
    )


def parse(text: str) -> Filter:
    """The filter that *text* writes; blanks may stand between its parts.  Raises BadInput."""
    parser = _Parser(text)
    found = parser.filter(_DEEPEST)
    if parser.at != len(text):
        raise parser.bad("something stands behind its end")
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def filter(self, depth: int) -> Filter:
        if depth == 0:
            raise self.bad(f"it is nested more than {_DEEPEST} deep")
        self._pass("(")
        mark = self.text[self.at : self.at + 1]
        found: Filter
        if mark == "&":
            found = And(self._parts(depth))
        elif mark == "|":
            found = Or(self._parts(depth))
        elif mark == "!":
            self.at += 1
            found = Not(self.filter(depth - 1))
        else:
            found = self._item()
        self._pass(")")
        return found

    def bad(self, why: str) -> BadInput:
        return BadInput(f"the filter {self.text!r} cannot be read: at character {self.at + 1}, {why}")

    def _pass(self, mark: str) -> None:
        self._skip_blanks()
        if self.text[self.at : self.at + 1] != mark:
            raise self.bad(f"{mark} is missing")
        self.at += 1
        self._skip_blanks()

    def _skip_blanks(self) -> None:
        while self.text[self.at : self.at + 1] and self.text[self.at] in _BLANKS:
            self.at += 1

    def _parts(self, depth: int) -> tuple[Filter, ...]:
        self.at += 1
        self._skip_blanks()
        parts: list[Filter] = []
        while self.text[self.at : self.at + 1] == "(":
            parts.append(self.filter(depth - 1))
        return tuple(parts)

    def _item(self) -> Filter:
        if found := _OPERATOR.match(self.text, self.at):
            self.at = found.end()
            attribute, operator = found[1], found[2]
            if operator == "=":
                return self._equal(attribute, self._value().split("*"))
            return _COMPARISONS[operator](attribute, self._bytes(self._value()))
        found = _MATCHES.match(self.text, self.at)
        if found is None or not (found[1] or found[3]):
            raise self.bad("an attribute and how to compare it is missing")
        self.at = found.end()
        value = self._bytes(self._value())
        return Matches(value, found[1] or "", found[3] or "", names_too=found[2] is not None)

    def _equal(self, attribute: str, pieces: list[str]) -> Filter:
        if len(pieces) == 1:
            return Equal(attribute, self._bytes(pieces[0]))
        if pieces == ["", ""]:
            return Present(attribute)
        initial, *middle, final = map(self._bytes, pieces)
        if not all(middle):
            raise self.bad("two * stand side by side")
        return Substrings(attribute, initial, tuple(middle), final)

    def _value(self) -> str:
        start = self.at
        # An escaped parenthesis is written \28 or \29: the next bare one ends the value.
        while self.at < len(self.text) and self.text[self.at] not in "()":
            self.at += 1
        return self.text[start : self.at]

    def _bytes(self, text: str) -> bytes:
        head, *pieces = text.split("\\")
        raw = [head]
        for piece in pieces:
            if not _HEX_PAIR.match(piece):
                raise self.bad("\\ needs two hexadecimal digits behind it")
            raw += bytes.fromhex(piece[:2]).decode("latin-1"), piece[2:]
        if "*" in text:
            raise self.bad("* has no meaning in this comparison")
        return b"".join(piece.encode("latin-1" if odd % 2 else "utf-8") for odd, piece in enumerate(raw))


def _hex(raw: bytes) -> str:
    return "".join(f"\\{byte:02x}" for byte in raw)
