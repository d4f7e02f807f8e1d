"""
What a directory answers (RFC 4511 section 4), read from its bytes into values.

A search is answered by entries, references to other servers and, in between, whatever a control brings;
and every request in the end by one *result*.  A result counts by its message's number alone: Samba refuses
a control that it does not know with the tag of an extended operation, whatever the request was.

Text for people is made printable here and never again.  Names of entries are as the server wrote them:
two servers may write one name differently, and `names.py` compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailtrust.errors import NotLdap
from mailtrust.ldap import ber
from mailtrust.ldap.results import Code, in_words

_RESULTS = frozenset({0x61, 0x65, 0x67, 0x69, 0x6B, 0x6D, 0x6F, 0x78})
_ENTRY = 0x64
_REFERENCE = 0x73
_INTERMEDIATE = 0x79
_CONTROLS = 0xA0
_GREATEST_ID = 2**31 - 1
# A control of four bytes becomes an object of a hundred.
_MOST_CONTROLS = 64


@dataclass(frozen=True, slots=True)
class Control:
    """What changes a request, or an answer, a little; its *kind* is a number with dots."""

    kind: str
    value: bytes | None = None
    critical: bool = False
    """True: refuse rather than ignore it."""

    def encode(self) -> bytes:
        """The control on the wire."""
        return ber.sequence(
            ber.octets(self.kind),
            # RFC 4511 section 5.1: what has its default value is left out.
            ber.boolean(self.critical) if self.critical else b"",
            b"" if self.value is None else ber.octets(self.value),
        )


@dataclass(frozen=True, slots=True)
class Result:
    """The end of an operation.  A code above 0 is an answer, not an error."""

    code: int
    matched: str = ""
    """The nearest entry above the one asked for, when that does not exist."""
    diagnostic: str = ""
    """What the server says about it; printable."""
    referrals: tuple[str, ...] = ()
    """Where else to ask.  Following one would send a password wherever a stranger likes."""
    number: str = ""
    """Of an extended operation's answer."""
    value: bytes | None = None
    """Of an extended operation's answer."""
    credentials: bytes | None = None
    """The server's, in a step of a SASL bind."""

    @property
    def done(self) -> bool:
        """True if it was done as asked."""
        return self.code == Code.SUCCESS

    def __str__(self) -> str:
        return f"{in_words(self.code)}: {self.diagnostic}" if self.diagnostic else in_words(self.code)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a search found: a name, and the attributes that were asked for and may be seen."""

    name: str
    attributes: Mapping[str, tuple[bytes, ...]]
    """Each by its name as the server writes it; `values` does not mind capitals."""

    def values(self, attribute: str) -> tuple[bytes, ...]:
        """The values of an attribute, capitals or not; empty if absent, not asked for or not to be seen."""
        if (found := self.attributes.get(attribute)) is not None:
            return found
        wanted = attribute.lower()
        return next((values for name, values in self.attributes.items() if name.lower() == wanted), ())


@dataclass(frozen=True, slots=True)
class Reference:
    """Other servers hold this part of the tree.  Active Directory says it of every naming context."""

    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Intermediate:
    """Something to know before the result."""

    number: str = ""
    value: bytes | None = None


Answer = Entry | Reference | Intermediate | Result


@dataclass(frozen=True, slots=True)
class Response:
    """One message from a server."""

    message_id: int
    answer: Answer
    controls: tuple[Control, ...] = ()
    size_bytes: int = field(default=0, compare=False)
    """On the wire."""

    @property
    def is_last(self) -> bool:
        """True if nothing more will answer the request."""
        return isinstance(self.answer, Result)

    def control(self, kind: str) -> Control | None:
        """The control of this kind, if it came with one."""
        return next((one for one in self.controls if one.kind == kind), None)


def decode(message: bytes) -> Response:
    """The response in the content of one message.  Raises NotLdap."""
    end = len(message)
    tag, start, at = ber.read(message, 0, end)
    if tag != ber.INTEGER or not 0 < at - start <= ber.INTEGER_BYTES:
        raise NotLdap("a message without a number")
    message_id = int.from_bytes(message[start:at], "big", signed=True)
    if not 0 <= message_id <= _GREATEST_ID:
        raise NotLdap(f"a message numbered {message_id}")
    tag, start, at = ber.read(message, at, end)
    answer = _entry(message, start, at) if tag == _ENTRY else _answer(tag, ber.Reader(message, start, at))
    controls: tuple[Control, ...] = ()
    if at < end:
        reader = ber.Reader(message, at)
        if reader.next_tag == _CONTROLS:
            controls = _controls(reader.enter(_CONTROLS))
        reader.skip_rest()
    return Response(message_id, answer, controls, end)


def entry(reader: ber.Reader) -> Entry:
    """The entry inside the controls that bring one.  Raises NotLdap."""
    return _entry(*reader.span())


def printable(text: str) -> str:
    """The text, with ? for whatever does not print: Windows ends its texts with a NUL."""
    text = text.strip("\0\r\n ")
    return text if text.isprintable() else "".join(one if one.isprintable() else "?" for one in text)


def _answer(tag: int, inside: ber.Reader) -> Answer:
    if tag in _RESULTS:
        return _result(inside)
    if tag == _REFERENCE:
        return Reference(_texts(inside))
    if tag == _INTERMEDIATE:
        return _intermediate(inside)
    raise NotLdap(f"a message of an unknown kind, 0x{tag:02x}")


def _entry(data: bytes, at: int, end: int) -> Entry:
    # By `read` and not by `Reader`: a hundred thousand entries pass here, and objects would cost more time.
    name_tag, start, stop = ber.read(data, at, end)
    held_tag, first, last = ber.read(data, stop, end)
    if name_tag != ber.OCTETS or held_tag != ber.SEQUENCE:
        raise NotLdap("an entry without a name, or without attributes")
    try:
        name = data[start:stop].decode()
    except UnicodeDecodeError as error:
        raise NotLdap("a text that is no UTF-8") from error
    return Entry(name, _attributes(data, first, last))


def _attributes(data: bytes, at: int, end: int) -> dict[str, tuple[bytes, ...]]:
    read, octets = ber.read, ber.OCTETS
    found: dict[str, tuple[bytes, ...]] = {}
    while at < end:
        pair, start, at = read(data, at, end)
        kind, name, name_end = read(data, start, at)
        values, value, values_end = read(data, name_end, at)
        if (pair, kind, values) != (ber.SEQUENCE, octets, ber.SET):
            raise NotLdap("an entry whose attributes are none")
        each: list[bytes] = []
        while value < values_end:
            kind, start, value = read(data, value, values_end)
            if kind != octets:
                raise NotLdap(f"a value with tag 0x{kind:02x}")
            each.append(data[start:value])
        attribute = _ascii(data[name:name_end])
        if attribute in found:
            # RFC 4511 section 4.1.7 forbids it; joining a million of them would take hours.
            raise NotLdap(f"an entry with {printable(attribute)} twice")
        found[attribute] = tuple(each)
    return found


def _ascii(name: bytes) -> str:
    try:
        return name.decode("ascii")
    except UnicodeDecodeError as error:
        raise NotLdap("an attribute whose name is not ASCII") from error


def _result(inside: ber.Reader) -> Result:
    code = inside.integer(ber.ENUMERATED)
    matched = inside.text()
    diagnostic = printable(inside.take().decode("utf-8", "replace"))
    referrals: tuple[str, ...] = ()
    if inside.next_tag == 0xA3:
        referrals = _texts(inside.enter(0xA3))
    credentials = inside.take(0x87) if inside.next_tag == 0x87 else None
    number = inside.text(0x8A) if inside.next_tag == 0x8A else ""
    value = inside.take(0x8B) if inside.next_tag == 0x8B else None
    inside.skip_rest()
    return Result(code, matched, diagnostic, referrals, number, value, credentials)


def _intermediate(inside: ber.Reader) -> Intermediate:
    number = inside.text(0x80) if inside.next_tag == 0x80 else ""
    value = inside.take(0x81) if inside.next_tag == 0x81 else None
    inside.skip_rest()
    return Intermediate(number, value)


def _texts(inside: ber.Reader) -> tuple[str, ...]:
    texts = []
    while inside.next_tag is not None:
        texts.append(printable(inside.text()))
    return tuple(texts)


def _controls(inside: ber.Reader) -> tuple[Control, ...]:
    controls: list[Control] = []
    while inside.next_tag is not None:
        if len(controls) == _MOST_CONTROLS:
            raise NotLdap(f"a message with more than {_MOST_CONTROLS} controls")
        one = inside.enter()
        kind = one.text()
        critical = one.next_tag == ber.BOOLEAN and one.boolean()
        value = one.take() if one.next_tag == ber.OCTETS else None
        one.skip_rest()
        controls.append(Control(kind, value, critical))
    return tuple(controls)
