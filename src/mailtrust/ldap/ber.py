"""
The little of BER that LDAP needs (RFC 4511 section 5.1), read as strictly as a stranger's bytes deserve.

Everything on the wire is an *element*: a tag of one byte, a length, and that many bytes, which may be
elements again.  Indefinite lengths and tags of several bytes are not LDAP.  A length may be written longer
than it need be, for Active Directory always does.

Nothing here trusts a length: it is compared with what is there before anything is read or kept, so that no
bytes whatever can make us wait for more than the limit, copy more than was sent, or go round in circles.
"""

from __future__ import annotations

from mailtrust.errors import NotLdap

BOOLEAN = 0x01
INTEGER = 0x02
OCTETS = 0x04
ENUMERATED = 0x0A
SEQUENCE = 0x30
SET = 0x31

_LENGTH_BYTES = 4
INTEGER_BYTES = 8
_LONG_FORM = 0x80
_TWO_BYTES = 0x82
_LONGEST = _LONG_FORM + _LENGTH_BYTES
_MORE_TAG = 0x1F


def element(tag: int, *parts: bytes) -> bytes:
    """One element of these bytes, one behind the other."""
    content = b"".join(parts)
    size = len(content)
    if size < _LONG_FORM:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG_FORM | len(length))) + length + content


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE of these elements."""
    return element(SEQUENCE, *parts)


def integer(value: int, tag: int = INTEGER) -> bytes:
    """An INTEGER, in as few bytes as it takes; with another tag an ENUMERATED or a message's own."""
    magnitude = value if value >= 0 else ~value
    return element(tag, value.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True))


def boolean(value: bool, tag: int = BOOLEAN) -> bytes:  # noqa: FBT001 - it is the value itself
    """A BOOLEAN: 0xFF is true, as RFC 4511 section 5.1 wants it."""
    return element(tag, b"\xff" if value else b"\x00")


def octets(value: bytes | str, tag: int = OCTETS) -> bytes:
    """An OCTET STRING; text is UTF-8."""
    return element(tag, value.encode() if isinstance(value, str) else value)


def measure(data: bytes | bytearray, at: int, end: int) -> tuple[int, int, int] | None:
    """
    Tag, start and stop of the content of the element at *at*; None while its head is not all there by *end*.

    The stop may lie behind *end*: see to it.  Raises NotLdap for a tag or a length that LDAP does not have.
    """
    if end - at < 2:
        return None
    tag, size = data[at], data[at + 1]
    if tag & _MORE_TAG == _MORE_TAG:
        raise NotLdap(f"a tag that LDAP does not have, 0x{tag:02x}")
    at += 2
    if size < _LONG_FORM:
        return tag, at, at + size
    count = size - _LONG_FORM
    if not 0 < count <= _LENGTH_BYTES:
        raise NotLdap(f"a length that LDAP does not have, 0x{size:02x}")
    if end - at < count:
        return None
    start = at + count
    return tag, start, start + int.from_bytes(data[at:start], "big")


def read(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Tag, start and stop of the content of the element at *at*, which must end by *end*.  Raises NotLdap."""
    # A hundred thousand entries come through here a million times: most need no other call.
    if at + 4 <= end and (tag := data[at]) & _MORE_TAG != _MORE_TAG:
        size = data[at + 1]
        if size < _LONG_FORM:
            start = at + 2
            stop = start + size
        elif size == _TWO_BYTES:
            start = at + 4
            stop = start + (data[at + 2] << 8 | data[at + 3])
        else:
            start = at + 2 + size - _LONG_FORM
            stop = start + int.from_bytes(data[at + 2 : start], "big")
        if stop <= end and size != _LONG_FORM and size <= _LONGEST:
            return tag, start, stop
    found = measure(data, at, end)
    if found is None or found[2] > end:
        raise NotLdap("an element longer than what holds it")
    return found


class Reader:
    """
    The elements inside one element, taken in order, each by the tag it must have.

    Every method raises NotLdap where the next element is another one, or is missing.
    """

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self._data = data
        self._at = start
        self._end = len(data) if end is None else end

    @property
    def next_tag(self) -> int | None:
        """The tag of the next element; None behind the last."""
        return self._data[self._at] if self._at < self._end else None

    def take(self, tag: int = OCTETS) -> bytes:
        """The content of the next element."""
        start, stop = self._next(tag)
        return self._data[start:stop]

    def enter(self, tag: int = SEQUENCE) -> Reader:
        """The elements inside the next element."""
        start, stop = self._next(tag)
        return Reader(self._data, start, stop)

    def enter_any(self) -> tuple[int, Reader]:
        """The tag of the next element, whatever it is, and the elements inside."""
        tag, start, self._at = read(self._data, self._at, self._end)
        return tag, Reader(self._data, start, self._at)

    def integer(self, tag: int = INTEGER) -> int:
        """A number of up to 64 bits with a sign."""
        content = self.take(tag)
        if not 0 < len(content) <= INTEGER_BYTES:
            raise NotLdap(f"a number of {len(content)} bytes")
        return int.from_bytes(content, "big", signed=True)

    def boolean(self, tag: int = BOOLEAN) -> bool:
        """Anything but 0 is true: RFC 4511 wants 0xFF, and others send 1."""
        content = self.take(tag)
        if len(content) != 1:
            raise NotLdap(f"a yes or no of {len(content)} bytes")
        return content != b"\x00"

    def text(self, tag: int = OCTETS) -> str:
        """UTF-8, of any characters: what is shown to people must be made printable."""
        content = self.take(tag)
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise NotLdap("a text that is no UTF-8") from error

    def skip_rest(self) -> None:
        """Pass over what a later version of LDAP may add (RFC 4511 section 4); elements it must be."""
        while self._at < self._end:
            _, _, self._at = read(self._data, self._at, self._end)

    def span(self) -> tuple[bytes, int, int]:
        """The bytes, the place in them and the end, for whoever reads on by `read` because it is hot."""
        return self._data, self._at, self._end

    def _next(self, tag: int) -> tuple[int, int]:
        found, start, stop = read(self._data, self._at, self._end)
        if found != tag:
            raise NotLdap(f"an element with tag 0x{found:02x} where 0x{tag:02x} belongs")
        self._at = stop
        return start, stop


class Splitter:
    """Bytes as they arrive in, whole messages out.  *limit_bytes* is the largest message that is taken."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._buffer = bytearray()
        self._at = 0

    def __len__(self) -> int:
        """The bytes that were not yet given out."""
        return len(self._buffer) - self._at

    def receive(self, data: bytes) -> None:
        """Take what arrived."""
        # Once for all the messages of a packet: there may be a hundred thousand.
        del self._buffer[: self._at]
        self._at = 0
        self._buffer += data

    def next_message(self) -> bytes | None:
        """
        The content of the next SEQUENCE; None while its end is missing.

        Raises NotLdap, and then always again: nobody can tell where another message would begin.
        """
        buffer, at, end = self._buffer, self._at, len(self._buffer)
        if at < end and buffer[at] != SEQUENCE:
            raise NotLdap(f"a message that begins with 0x{buffer[at]:02x}")
        found = measure(buffer, at, end)
        if found is None:
            return None
        _, start, stop = found
        if stop - start > self._limit:
            raise NotLdap(f"a message of {stop - start} bytes, above the limit of {self._limit}")
        if stop > end:
            return None
        self._at = stop
        return bytes(buffer[start:stop])
