"""
Windows event logs as Exchange servers write them: as XML, and as binary files of our own making.

The binary form is made after a log that Windows wrote of a classic source: two templates a record, of which
the outer one has source, channel and computer in it as text.  What other readers make of it is tested.
"""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape, quoteattr

MBX1, MBX2, EDGE1 = "mbx1.corp.example", "MBX2.corp.example", "edge1.corp.example"
TRANSPORT, FRONT_END, EDGESYNC = "MSExchangeTransport", "MSExchangeFrontEndTransport", "MSExchange EdgeSync"
NOW = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"
THUMBPRINT = "9AD3E0B7C51F46E8A2D94C7B0F38E1652B7CA904"

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_CHUNK, _FIRST = 65536, 512
_STRING, _U8, _U16, _U32, _U64, _FILETIME, _HEX64, _BINXML, _STRINGS = 1, 4, 6, 8, 10, 17, 21, 33, 129


@dataclass(frozen=True)
class Written:
    """One event, to be written."""

    number: int
    values: tuple[str, ...] = ()
    source: str = TRANSPORT
    computer: str = MBX1
    at: datetime = NOW
    level: int = 2
    qualifiers: int = 0xC004
    record: int = 1
    channel: str = "Application"


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


# --- XML


def element(event: Written, *, namespace: bool = True, more: str = "", data: str | None = None) -> str:
    """``<Event>``, as wevtutil prints it."""
    xmlns = f" xmlns={quoteattr(NAMESPACE)}" if namespace else ""
    values = data if data is not None else "".join(f"<Data>{escape(one)}</Data>" for one in event.values)
    return (
        f"<Event{xmlns}><System><Provider Name={quoteattr(event.source)}/>"
        f"<EventID Qualifiers='{event.qualifiers}'>{event.number}</EventID><Level>{event.level}</Level>"
        f"<Task>12</Task><Keywords>0x80000000000000</Keywords>"
        f"<TimeCreated SystemTime='{event.at:%Y-%m-%dT%H:%M:%S}.000000000Z'/>"
        f"<EventRecordID>{event.record}</EventRecordID><Channel>{event.channel}</Channel>"
        f"<Computer>{escape(event.computer)}</Computer><Security/></System>"
        f"<EventData>{values}</EventData>{more}</Event>"
    )


def document(*events: Written) -> str:
    """What Event Viewer saves."""
    head = '<?xml version="1.0" encoding="utf-8" standalone="yes"?>\n'
    return f"{head}<Events>{''.join(map(element, events))}</Events>"


# --- the binary form


@dataclass
class _Chunk:
    octets: bytearray = field(default_factory=lambda: bytearray(_FIRST))
    names: dict[str, int] = field(default_factory=dict)
    templates: dict[object, int] = field(default_factory=dict)
    records: list[int] = field(default_factory=list)
    last_start: int = _FIRST

    def put(self, form: str, *values: object) -> int:
        at = len(self.octets)
        self.octets += struct.pack(f"<{form}", *values)
        return at

    def text(self, text: str) -> None:
        self.octets += text.encode("utf-16-le")

    def name(self, name: str) -> None:
        known = self.names.get(name)
        self.put("I", known or len(self.octets) + 4)
        if known is None:
            self.names[name] = self.put("IHH", 0, _hash(name), len(name))
            self.text(name)
            self.put("H", 0)

    def size(self, at: int, start: int | None = None) -> None:
        """Write at *at* how many bytes follow it."""
        struct.pack_into("<I", self.octets, at, len(self.octets) - (at + 4 if start is None else start))

    def open(self, name: str, attributes: Sequence[tuple[str, object]] = ()) -> int:
        self.put("BH", 0x41 if attributes else 0x01, 0xFFFF)
        size = self.put("I", 0)
        self.name(name)
        if attributes:
            length = self.put("I", 0)
            for index, (key, value) in enumerate(attributes, 1):
                self.put("B", 0x46 if index < len(attributes) else 0x06)
                self.name(key)
                self.value(value)
            self.size(length)
        self.put("B", 0x02)
        return size

    def close(self, size: int) -> None:
        self.put("B", 0x04)
        self.size(size)

    def leaf(self, name: str, value: object, attributes: Sequence[tuple[str, object]] = ()) -> None:
        size = self.open(name, attributes)
        if value is not None:
            self.value(value)
        self.close(size)

    def value(self, value: object) -> None:
        if isinstance(value, tuple):
            self.put("BHB", 0x0E, *value)
        else:
            self.put("BBH", 0x05, _STRING, len(str(value)))
            self.text(str(value))

    def template(self, key: object, write: object) -> None:
        """The head of an instance of a template; the template itself where the chunk has none."""
        identity = uuid.uuid5(uuid.NAMESPACE_OID, repr(key)).bytes
        self.put("4sBB4s", b"\x0f\x01\x01\x00", 0x0C, 1, identity[:4])
        known = self.templates.get(key)
        self.put("I", known or len(self.octets) + 4)
        if known is None:
            self.templates[key] = self.put("I16s", 0, identity)
            size = self.put("I", 0)
            self.put("4s", b"\x0f\x01\x01\x00")
            write(self)  # type: ignore[operator]
            self.put("B", 0)
            self.size(size)

    def instance(self, values: Sequence[tuple[int, bytes]]) -> None:
        self.put("I", len(values))
        for kind, octets in values:
            self.put("HBB", len(octets), kind, 0)
        self.octets += b"".join(octets for _, octets in values)

    def finished(self) -> bytes:
        free = len(self.octets)
        whole = self.octets.ljust(_CHUNK, b"\0")
        first, last = self.records[0], self.records[-1]
        whole[:120] = struct.pack(
            "<8sQQQQIIII", b"ElfChnk\0", first, last, first, last, 128, self.last_start, free,
            zlib.crc32(whole[_FIRST:free]),
        ).ljust(120, b"\0")  # fmt: skip
        struct.pack_into("<I", whole, 124, zlib.crc32(whole[:120] + whole[128:_FIRST]))
        return bytes(whole)


def evtx(events: Iterable[Written]) -> bytes:
    """A binary log with those events, in as many chunks as they take."""
    chunks, chunk = [], _Chunk()
    for event in events:
        kept = len(chunk.octets), dict(chunk.names), dict(chunk.templates)
        _record(chunk, event)
        if len(chunk.octets) > _CHUNK:
            chunk.octets, chunk.names, chunk.templates = chunk.octets[: kept[0]], kept[1], kept[2]
            chunks.append(chunk.finished())
            chunk = _Chunk()
            _record(chunk, event)
        chunk.records.append(event.record)
    chunks.append(chunk.finished())
    return file_of(chunks, next_record=chunk.records[-1] + 1)


def file_of(chunks: Sequence[bytes], *, next_record: int = 1, flags: int = 0) -> bytes:
    head = struct.pack(
        "<8sQQQIHHHH", b"ElfFile\0", 0, max(len(chunks) - 1, 0), next_record, 128, 1, 3, 4096, len(chunks)
    ).ljust(120, b"\0")
    head += struct.pack("<II", flags, zlib.crc32(head))
    return head.ljust(4096, b"\0") + b"".join(chunks)


def _record(chunk: _Chunk, event: Written) -> None:
    start = chunk.put("4sIQQ", b"**\0\0", 0, event.record, _filetime(event.at))

    def system(into: _Chunk) -> None:
        _system(into, event)

    chunk.template(("system", event.source, event.computer, event.channel), system)
    # What goes in there has its own templates, whose places count from the chunk; so its place must be known.
    fixed = [
        (_U8, struct.pack("<B", event.level)), (_U8, b"\0"), (_U16, struct.pack("<H", 12)),
        (_U16, struct.pack("<H", event.number)), (_U16, struct.pack("<H", event.qualifiers)),
        (_HEX64, struct.pack("<Q", 0x80000000000000)), (_FILETIME, struct.pack("<Q", _filetime(event.at))),
        (_U64, struct.pack("<Q", event.record)), (_U8, b"\0"),
    ]  # fmt: skip
    count = chunk.put("I", len(fixed) + 1)
    for kind, octets in fixed:
        chunk.put("HBB", len(octets), kind, 0)
    inner = chunk.put("HBB", 0, _BINXML, 0)
    chunk.octets += b"".join(octets for _, octets in fixed)
    begin = len(chunk.octets)
    chunk.template("data", _data)
    strings = "".join(f"{one}\0" for one in event.values).encode("utf-16-le")
    chunk.instance([(_STRINGS, strings), (0, b"")])
    chunk.put("B", 0)
    struct.pack_into("<H", chunk.octets, inner, len(chunk.octets) - begin)
    assert count
    chunk.put("B", 0)
    chunk.octets += bytes(-(len(chunk.octets) + 4 - start) % 8)
    size = len(chunk.octets) + 4 - start
    chunk.put("I", size)
    struct.pack_into("<I", chunk.octets, start + 4, size)
    if len(chunk.octets) <= _CHUNK:
        chunk.last_start = start


def _system(chunk: _Chunk, event: Written) -> None:
    root = chunk.open("Event", [("xmlns", NAMESPACE)])
    size = chunk.open("System")
    chunk.leaf("Provider", None, [("Name", event.source)])
    chunk.leaf("EventID", (3, _U16), [("Qualifiers", (4, _U16))])
    chunk.leaf("Version", (8, _U8))
    chunk.leaf("Level", (0, _U8))
    chunk.leaf("Task", (2, _U16))
    chunk.leaf("Opcode", (1, _U8))
    chunk.leaf("Keywords", (5, _HEX64))
    chunk.leaf("TimeCreated", None, [("SystemTime", (6, _FILETIME))])
    chunk.leaf("EventRecordID", (7, _U64))
    chunk.leaf("Channel", event.channel)
    chunk.leaf("Computer", event.computer)
    chunk.leaf("Security", None)
    chunk.close(size)
    chunk.value((9, _BINXML))
    chunk.close(root)


def _data(chunk: _Chunk) -> None:
    size = chunk.open("EventData")
    chunk.leaf("Data", (0, _STRINGS))
    chunk.leaf("Binary", (1, 14))
    chunk.close(size)


def _filetime(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1) * 10


def _hash(name: str) -> int:
    value = 0
    for one in name:
        value = (value * 65599 + ord(one)) & 0xFFFFFFFF
    return value & 0xFFFF
