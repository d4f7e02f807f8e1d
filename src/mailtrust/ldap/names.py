"""
The names of entries (RFC 4514), from the leaf to the root: ``cn=hub1,ou=servers,dc=example,dc=org``.

A name is a sequence of steps, and a step is one attribute with its value or, rarely, several joined by ``+``.
A value may hold anything; what means something in the text form is escaped.  So never glue a name together:
build it with `Name.child`, and a server called ``x,dc=evil`` stays where it belongs.

How a server compares values is up to its schema.  Here case and repeated blanks do not count, which is right
for every attribute that names are made of in the directories we know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailtrust.errors import BadInput

Step = tuple[tuple[str, str], ...]
"""Attributes and values of one step."""

_KIND = re.compile(r"[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+")
_SPECIAL = frozenset('"+,;<>\\')
_ESCAPABLE = frozenset(' "#+,;<=>\\')
_HEX_PAIR = re.compile(r"[0-9A-Fa-f]{2}")


@dataclass(frozen=True, slots=True)
class Name:
    """An entry's name.  The one without steps is the root, whose entry tells about the server."""

    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        return ",".join("+".join(f"{kind}={escape(value)}" for kind, value in step) for step in self.steps)

    @property
    def parent(self) -> Name:
        """The name one step up; the root is its own."""
        return Name(self.steps[1:])

    @property
    def leaf(self) -> str:
        """The first value of the first step, unescaped; empty for the root."""
        return self.steps[0][0][1] if self.steps else ""

    @property
    def key(self) -> tuple[Step, ...]:
        """Equal for names that mean the same entry."""
        return tuple(
            tuple(sorted((kind.lower(), _folded(value)) for kind, value in step)) for step in self.steps
        )

    def child(self, kind: str, value: str) -> Name:
        """The name one step down."""
        return Name((((kind, value),), *self.steps))

    def is_same(self, other: Name) -> bool:
        """True if both name the same entry, however they are written."""
        return self.key == other.key

    def is_under(self, other: Name) -> bool:
        """True if this entry is the other one, or below it."""
        above = other.key
        return not above or self.key[-len(above) :] == above


def parse(text: str) -> Name:
    """
    The name that *text* writes, blanks around its parts left out.

    Raises BadInput.  A value in the form ``#04026869`` stays as it is written, escaped: only a server that
    does not know its own attributes writes it.
    """
    if not text.strip(" "):
        return Name()
    steps: list[Step] = []
    for step in _split(text, ",;"):
        pairs = [_pair(pair, text) for pair in _split(step, "+")]
        steps.append(tuple(pairs))
    return Name(tuple(steps))


def escape(value: str) -> str:
    """A value as it stands in a name."""
    last = len(value) - 1
    return "".join(_escaped(one, first=at == 0, last=at == last) for at, one in enumerate(value))


def _escaped(one: str, *, first: bool, last: bool) -> str:
    if one in _SPECIAL or (one == " " and (first or last)) or (one == "#" and first):
        return f"\\{one}"
    # NUL must be escaped so; other characters without a shape may be, and then no log or screen is moved.
    return one if one.isprintable() else "".join(f"\\{byte:02X}" for byte in one.encode())


def _split(text: str, separators: str) -> list[str]:
    parts, start, at = [], 0, 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] in separators:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    return [*parts, text[start:]]


def _pair(pair: str, whole: str) -> tuple[str, str]:
    kind, equals, value = pair.partition("=")
    kind = kind.strip(" ")
    if not equals or not _KIND.fullmatch(kind):
        raise BadInput(f"{whole!r} is no name of an entry: {pair!r} is not an attribute, = and a value")
    return kind, _unescape(value, whole)


def _unescape(text: str, whole: str) -> str:
    raw, at = bytearray(), 0
    text = text.lstrip(" ")
    # Blanks at the end go, the one that is escaped stays.
    while text.endswith(" ") and not _ends_escaped(text[:-1]):
        text = text[:-1]
    while at < len(text):
        one = text[at]
        if one in _SPECIAL - {"\\"}:
            raise BadInput(f"{whole!r} is no name of an entry: {one} in a value needs \\ in front")
        if one != "\\":
            raw += one.encode()
            at += 1
        elif _HEX_PAIR.fullmatch(text, at + 1, at + 3):
            raw.append(int(text[at + 1 : at + 3], 16))
            at += 3
        elif text[at + 1 : at + 2] in _ESCAPABLE:
            raw += text[at + 1].encode()
            at += 2
        else:
            raise BadInput(f"{whole!r} is no name of an entry: \\ stands before nothing that it can escape")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"{whole!r} is no name of an entry: its escapes are no UTF-8") from error


def _ends_escaped(text: str) -> bool:
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


def _folded(value: str) -> str:
    return " ".join(value.casefold().split())
