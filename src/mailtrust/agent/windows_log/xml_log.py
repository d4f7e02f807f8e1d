"""
Event logs in XML: what Event Viewer saves, and what wevtutil and Get-WinEvent print.

The first is one document; the others are events one behind the other, without a root, in whatever encoding
the shell writes.  So the text is cut into events, and each is read on its own: one that is damaged costs no
other, and a long file takes no more memory than its longest event.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from mailtrust.agent.windows_log.event_xml import DECLARED, NotAnEvent, event_of
from mailtrust.core.eventlog.event import Damage, Fault, WindowsEvent

_PIECE_BYTES, _LONGEST_EVENT = 1 << 18, 1 << 20
_START = re.compile(r"<(?:[\w.-]+:)?Event(?=[\s>/])")
_END = re.compile(r"</(?:[\w.-]+:)?Event\s*>")
_OPENED, _CLOSED = re.compile(r"<(?:[\w.-]+:)?Events[\s>]"), re.compile(r"</(?:[\w.-]+:)?Events\s*>")
_ENCODING = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)["']""")
_LONGEST_MARK = 64
"""No start, end or declaration that we look for is longer."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"),
)  # fmt: skip


class Readable(Protocol):
    """What bytes can be read from, in their order."""

    def read(self, size: int, /) -> bytes:
        """As many bytes as asked for; fewer where it ends."""
        ...


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a text is written, and how many bytes in front say so."""

    name: str
    mark: int = 0

    @property
    def errors(self) -> str:
        """UTF-8 keeps bytes that it does not know, so that places in the file can be told."""
        return "surrogateescape" if self.name == "utf-8" else "replace"


def encoding_of(head: bytes) -> Encoding:
    """By the mark in front, else by what the text itself says, else UTF-8."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Encoding(name, 0 if b"<" in mark else len(mark))
    declared = _ENCODING.match(head.lstrip())
    name = declared[1].decode("ascii").lower() if declared else "utf-8"
    try:
        known = codecs.lookup(name).name
    except LookupError:
        known = "utf-8"
    # A declaration that can be read as ASCII is not UTF-16, whatever it says: it was converted without it.
    return Encoding("utf-8" if known.startswith(("utf-16", "utf-32")) else known)


def events_of_xml(file: Readable, encoding: Encoding) -> Iterator[WindowsEvent | Fault]:
    """Every event that can be read, and every place where one cannot, in the file's order."""
    cutter = _Cutter(file, encoding)
    for part in cutter.parts():
        if isinstance(part, Fault):
            yield part
            continue
        try:
            event = event_of(part.text)
        except NotAnEvent as error:
            yield Fault(Damage.UNREADABLE, part.offset, part.line, part.count, str(error))
        else:
            yield event


@dataclass(frozen=True, slots=True)
class _Part:
    text: str
    offset: int
    line: int
    count: int


class _Cutter:
    """Cuts a text into events, and knows where it is."""

    def __init__(self, file: Readable, encoding: Encoding) -> None:
        self._file = file
        self._encoding = encoding
        self._decode = codecs.getincrementaldecoder(encoding.name)(encoding.errors).decode
        self._rest = ""
        self._at_end = False
        self._offset = encoding.mark
        self._line, self._count = 1, 0
        self._is_open = False
        self._left_one = False
        file.read(encoding.mark)

    def parts(self) -> Iterator[_Part | Fault]:
        while True:
            start = _START.search(self._rest)
            gap = self._rest[: start.start() if start else len(self._rest)]
            if DECLARED.search(gap):
                yield self._fault(Damage.REFUSED, "it declares a document type or an entity")
                return
            self._see_root(gap)
            lost = _END.search(gap)
            if lost is not None:
                yield from self._without_beginning(lost.end())
                continue
            if start is None:
                # What may begin a mark stays, for the rest of it may come.
                self._pass(max(0, len(gap) - _LONGEST_MARK))
                if self._more():
                    continue
                break
            self._pass(start.start())
            self._left_one = False
            end = self._end()
            if end is None:
                self._count += 1
                yield self._unended()
                if self._at_end:
                    return
                continue
            yield from self._whole(end)
        yield from self._ended()

    def _whole(self, end: int) -> Iterator[_Part | Fault]:
        """The event that ends there, and before it one that lost its end."""
        inner = [one.start() for one in _START.finditer(self._rest, 1, end)]
        if inner:
            self._count += 1
            yield self._fault(Damage.UNREADABLE, "it has no end")
            self._pass(inner[-1])
            end -= inner[-1]
        self._count += 1
        part = _Part(self._rest[:end], self._offset, self._line, self._count)
        self._pass(end)
        yield part

    def _end(self) -> int | None:
        """Where the event that the rest begins with ends; None if it does not, or is far too long."""
        looked = 0
        while True:
            end = _END.search(self._rest, looked)
            if end is not None:
                return end.end()
            looked = max(0, len(self._rest) - _LONGEST_MARK)
            if len(self._rest) > _LONGEST_EVENT or not self._more():
                return None

    def _unended(self) -> Fault:
        if self._at_end:
            return self._fault(Damage.CUT_OFF, "it ends in an event")
        found = self._fault(Damage.UNREADABLE, "it is far too long for an event")
        self._pass(len(self._rest) - _LONGEST_MARK)
        self._left_one = True
        return found

    def _without_beginning(self, end: int) -> Iterator[Fault]:
        """An event whose first tag is damaged, unless it is the rest of one that was given up."""
        if not self._left_one:
            self._count += 1
            yield self._fault(Damage.UNREADABLE, "it has no beginning")
        self._left_one = False
        self._pass(end)

    def _ended(self) -> Iterator[Fault]:
        if self._is_open:
            self._pass(len(self._rest))
            yield self._fault(Damage.CUT_OFF, "it ends without </Events>", behind=True)
        elif self._rest.strip().startswith("<") and ">" not in self._rest:
            yield self._fault(Damage.CUT_OFF, "it ends in an event")

    def _see_root(self, gap: str) -> None:
        if _OPENED.search(gap):
            self._is_open = True
        if _CLOSED.search(gap):
            self._is_open = False

    def _more(self) -> bool:
        if self._at_end:
            return False
        octets = self._file.read(_PIECE_BYTES)
        self._at_end = not octets
        self._rest += self._decode(octets, self._at_end)
        return not self._at_end or bool(octets)

    def _pass(self, length: int) -> None:
        gone, self._rest = self._rest[:length], self._rest[length:]
        self._offset += len(gone.encode(self._encoding.name, self._encoding.errors))
        self._line += gone.count("\n")

    def _fault(self, damage: Damage, why: str, *, behind: bool = False) -> Fault:
        return Fault(damage, self._offset, self._line, None if behind else self._count or None, why)
