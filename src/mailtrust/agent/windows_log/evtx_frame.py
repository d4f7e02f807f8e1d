"""
The frame of a binary event log: a header, then chunks of 64 KiB, each with records one behind the other.

What a record says is for a library to read.  It stops at the first thing that it cannot, and leaves out a
chunk that is not whole; so we find the records of a chunk ourselves, and hand it one in which everything that
is damaged has become a record that says nothing.  [MS-EVEN6] 2.2.17 has the records' content; the frame is as
every reader of it has found it.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

HEADER_BYTES, CHUNK_BYTES, FIRST_RECORD = 4096, 65536, 512
FILE_MAGIC, CHUNK_MAGIC, RECORD_MAGIC = b"ElfFile\0", b"ElfChnk\0", b"**\0\0"
NOBODYS_RECORD = 2**64 - 1
"""The number of a record that we put in place of what is damaged."""

_DIRTY, _NO_CHECKSUMS = 1, 2
_LEAST_RECORD = 32
# Magic, size, number, time of writing; then binary XML, and at the end the size once more.
_RECORD_HEAD = struct.Struct("<4sIQQ")
_SAYS_NOTHING = b"\x0f\x01\x01\x00\x00"
_TABLES = slice(128, FIRST_RECORD)


@dataclass(frozen=True, slots=True)
class Header:
    """What the file says of itself; nothing where its header is damaged."""

    chunks: int = 0
    is_dirty: bool = False
    """It was copied from a running system, and its header may be older than what follows."""
    has_checksums: bool = True
    is_sound: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A record, or what is damaged between two, by its place in the chunk."""

    start: int
    end: int
    number: int | None
    is_sound: bool = True


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk's records, and what is wrong with it."""

    spans: tuple[Span, ...]
    octets: bytes
    """The chunk, mended so that a library reads on behind what is damaged."""
    is_empty: bool
    has_magic: bool
    checksum_fits: bool

    @property
    def records(self) -> tuple[Span, ...]:
        """Those that are whole."""
        return tuple(one for one in self.spans if one.is_sound)

    @property
    def damaged(self) -> tuple[Span, ...]:
        """What no record could be made out in."""
        return tuple(one for one in self.spans if not one.is_sound)


def header_of(octets: bytes) -> Header:
    """The file's header, from its first 4096 bytes."""
    if len(octets) < HEADER_BYTES or not octets.startswith(FILE_MAGIC):
        return Header()
    [chunks] = struct.unpack_from("<H", octets, 42)
    flags, checksum = struct.unpack_from("<II", octets, 120)
    return Header(
        chunks,
        is_dirty=bool(flags & _DIRTY),
        has_checksums=not flags & _NO_CHECKSUMS,
        is_sound=checksum == zlib.crc32(octets[:120]) or bool(flags & _NO_CHECKSUMS),
    )


def file_of_one(chunk: bytes) -> bytes:
    """A whole file with that one chunk in it."""
    head = FILE_MAGIC + struct.pack("<QQQIHHHH", 0, 0, 0, 128, 1, 3, HEADER_BYTES, 1)
    head = head.ljust(120, b"\0")
    head += struct.pack("<II", 0, zlib.crc32(head[:120]))
    return head.ljust(HEADER_BYTES, b"\0") + chunk


def chunk_of(octets: bytes) -> Chunk:
    """The chunk, from its bytes: 64 KiB, or fewer where the file ends in it."""
    whole = octets.ljust(CHUNK_BYTES, b"\0")
    has_magic = whole.startswith(CHUNK_MAGIC)
    free = struct.unpack_from("<I", whole, 48)[0] if has_magic else 0
    spans = _spans(whole, free if FIRST_RECORD <= free <= CHUNK_BYTES else 0, len(octets))
    return Chunk(
        spans,
        _mended(whole, spans, has_magic=has_magic),
        is_empty=not spans and not any(whole[FIRST_RECORD:]),
        has_magic=has_magic,
        checksum_fits=has_magic and len(octets) == CHUNK_BYTES and _checksums_fit(whole, free),
    )


def _spans(whole: bytes, free: int, length: int) -> tuple[Span, ...]:
    """*free*: where the chunk's header says that its records end; 0 where that is not known."""
    found: list[Span] = []
    at = FIRST_RECORD
    while at < length:
        record = _record(whole, at)
        if record is not None and (not free or at < free or _goes_on(found, record)):
            found.append(record)
            at = record.end
            continue
        # Behind its end a chunk holds nothing, or what it held before it was used again.
        if at >= free and (free or not any(whole[at:length])):
            break
        end = _next_record(whole, at + 1, min(length, free or length))
        found.append(Span(at, end, _number(whole, at), is_sound=False))
        at = end
    return tuple(found)


def _record(whole: bytes, at: int) -> Span | None:
    if whole[at : at + 4] != RECORD_MAGIC or at + _LEAST_RECORD > CHUNK_BYTES:
        return None
    _, size, number, _ = _RECORD_HEAD.unpack_from(whole, at)
    if size < _LEAST_RECORD or at + size > CHUNK_BYTES:
        return None
    [again] = struct.unpack_from("<I", whole, at + size - 4)
    return Span(at, at + size, number) if again == size else None


def _goes_on(found: list[Span], record: Span) -> bool:
    """Whether it follows the last one: the header of a log that is being written may not know of it yet."""
    return bool(found) and found[-1].number is not None and record.number == found[-1].number + 1


def _next_record(whole: bytes, at: int, end: int) -> int:
    while (at := whole.find(RECORD_MAGIC, at, end)) >= 0:
        if _record(whole, at) is not None:
            return at
        at += 1
    return end


def _number(whole: bytes, at: int) -> int | None:
    """The number of a record whose head is still there."""
    if whole[at : at + 4] != RECORD_MAGIC or at + _RECORD_HEAD.size > CHUNK_BYTES:
        return None
    number: int = _RECORD_HEAD.unpack_from(whole, at)[2]
    return number


def _mended(whole: bytes, spans: tuple[Span, ...], *, has_magic: bool) -> bytes:
    chunk = bytearray(whole)
    end = start = FIRST_RECORD
    for span in spans:
        if span.is_sound:
            start, end = span.start, span.end
            continue
        room = span.end - span.start
        if room >= _LEAST_RECORD:
            start, end = span.start, span.end
            _RECORD_HEAD.pack_into(chunk, start, RECORD_MAGIC, room, NOBODYS_RECORD, 0)
            chunk[start + _RECORD_HEAD.size : start + _RECORD_HEAD.size + len(_SAYS_NOTHING)] = _SAYS_NOTHING
        elif end > FIRST_RECORD:
            # Too small for a record of its own: the one before it becomes longer.
            end = span.end
            struct.pack_into("<I", chunk, start + 4, end - start)
        else:
            continue
        struct.pack_into("<I", chunk, end - 4, end - start)
    chunk[:8] = CHUNK_MAGIC
    struct.pack_into("<III", chunk, 40, 128, start, end)
    if not has_magic:
        chunk[_TABLES] = bytes(FIRST_RECORD - 128)
    return bytes(chunk)


def _checksums_fit(whole: bytes, free: int) -> bool:
    [of_records] = struct.unpack_from("<I", whole, 52)
    [of_header] = struct.unpack_from("<I", whole, 124)
    return bool(
        of_records == zlib.crc32(whole[FIRST_RECORD:free])
        and of_header == zlib.crc32(whole[:120] + whole[128:FIRST_RECORD])
    )
