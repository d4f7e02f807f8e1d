"""
A binary event log (.evtx), chunk by chunk: so many bytes are in memory, however long the file is.

The content of a record is read by `evtx`, an extra, which is imported here alone.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from mailtrust.agent.windows_log.event_xml import NotAnEvent, event_of
from mailtrust.agent.windows_log.evtx_frame import (
    CHUNK_BYTES,
    HEADER_BYTES,
    NOBODYS_RECORD,
    Chunk,
    Header,
    chunk_of,
    file_of_one,
    header_of,
)
from mailtrust.agent.windows_log.xml_log import Readable
from mailtrust.core.eventlog.event import Damage, Fault, WindowsEvent
from mailtrust.errors import BadInput

_MOST_FAULTS_OF_A_CHUNK = 4096
Open = Callable[..., Any]


def events_of_evtx(file: Readable) -> Iterator[WindowsEvent | Fault]:
    """
    Every event that can be read, and every place where one cannot, in the file's order.

    Raises: BadInput where the library is not installed.
    """
    reader = _library()
    head = file.read(HEADER_BYTES)
    header = header_of(head)
    if len(head) < HEADER_BYTES:
        yield Fault(Damage.CUT_OFF, len(head), why="the file ends in its header")
        return
    if not header.is_sound:
        yield Fault(Damage.CHECKSUM, 0, why="the file's header is damaged", harmless=header.is_dirty)
    offset, count = HEADER_BYTES, 0
    while octets := file.read(CHUNK_BYTES):
        yield from _events(octets, offset, header, reader)
        offset += len(octets)
        count += 1
        if len(octets) < CHUNK_BYTES:
            return
    if count < header.chunks:
        why = f"its header counts {header.chunks} chunks, and it ends after {count}"
        yield Fault(Damage.CUT_OFF, offset, why=why)


def _events(octets: bytes, offset: int, header: Header, reader: Open) -> Iterator[WindowsEvent | Fault]:
    chunk = chunk_of(octets)
    cut_off = len(octets) < CHUNK_BYTES
    if not chunk.is_empty:
        faults = list(_damage(chunk, offset, len(octets), header))
        wanted = {one.number: one.start for one in chunk.records}
        for event in _read(chunk, reader):
            if isinstance(event, WindowsEvent):
                wanted.pop(event.record, None)
                yield event
            else:
                number, why = event
                start = wanted.pop(number, None)
                if start is not None:
                    faults.append(Fault(Damage.UNREADABLE, offset + start, record=number, why=why))
        # What the library left out without a word.
        faults += [Fault(Damage.UNREADABLE, offset + at, record=number) for number, at in wanted.items()]
        yield from sorted(faults, key=lambda one: one.offset)
    if cut_off and not any(one.end == len(octets) for one in chunk.damaged):
        yield Fault(Damage.CUT_OFF, offset + len(octets), why="the file ends in a chunk")


def _damage(chunk: Chunk, offset: int, length: int, header: Header) -> Iterator[Fault]:
    if not chunk.has_magic:
        yield Fault(Damage.UNREADABLE, offset, why="the chunk's header is damaged")
    for span in chunk.damaged:
        cut_off = length < CHUNK_BYTES and span.end == length
        damage = Damage.CUT_OFF if cut_off else Damage.UNREADABLE
        at = offset + (span.end if cut_off else span.start)
        yield Fault(damage, at, record=span.number)
    sound = chunk.has_magic and not chunk.damaged and length == CHUNK_BYTES
    if sound and header.has_checksums and not chunk.checksum_fits:
        yield Fault(Damage.CHECKSUM, offset, harmless=header.is_dirty)


def _read(chunk: Chunk, reader: Open) -> Iterator[WindowsEvent | tuple[int | None, str]]:
    """The chunk's events, and the numbers of the records that could not be read, with why."""
    source = reader(io.BytesIO(file_of_one(chunk.octets)), number_of_threads=1).records()
    for _ in range(_MOST_FAULTS_OF_A_CHUNK):
        number: int | None = None
        try:
            found = next(source)
            number = found["event_record_id"]
            if number == NOBODYS_RECORD:
                continue
            yield _numbered(event_of(found["data"]), number)
        except StopIteration:
            return
        except NotAnEvent as error:
            yield number, str(error)
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001  # a panic of the library is no Exception, and costs one record
            if number is None and not isinstance(error, Exception):
                return


def _numbered(event: WindowsEvent, number: int) -> WindowsEvent:
    return event if event.record == number else replace(event, record=number)


def _library() -> Open:
    try:
        import evtx
    except ImportError as error:
        raise BadInput(
            "a binary event log (.evtx) needs the package evtx, which is not installed",
            hint="pip install evtx; or save the log as XML in Event Viewer, which needs nothing",
        ) from error
    reader: Open = evtx.PyEvtxParser
    return reader
