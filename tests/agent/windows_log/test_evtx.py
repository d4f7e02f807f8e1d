"""Binary event logs: what other readers make of ours, and what is left of one that is damaged."""

from __future__ import annotations

import io
import re
import struct
import sys
from collections.abc import Iterable
from html import unescape
from pathlib import Path

import pytest

from mailtrust.agent.windows_log.evtx import events_of_evtx
from mailtrust.core.eventlog.event import Damage, Fault, WindowsEvent
from tests.event_logs import MBX1, MBX2, NOW, Written, evtx, file_of, minutes

VALUES = ("LogonDenied", "Intra-Organization SMTP Send Connector", "ExchangeAuth", f"SMTPSVC/{MBX1}")
EVENTS = tuple(
    Written(2017, VALUES, computer=MBX2, record=number, at=NOW + minutes(number)) for number in range(1, 401)
)
WHOLE = evtx(EVENTS)
CHUNK, FIRST = 65536, 4096


def read(octets: bytes) -> list[WindowsEvent | Fault]:
    return list(events_of_evtx(io.BytesIO(octets)))


def records(found: Iterable[WindowsEvent | Fault]) -> list[int | None]:
    return [one.record for one in found if isinstance(one, WindowsEvent)]


def faults(found: Iterable[WindowsEvent | Fault]) -> list[Fault]:
    return [one for one in found if isinstance(one, Fault)]


def place(record: int) -> int:
    """Where a record begins in the file."""
    marks = (found.start() for found in re.finditer(re.escape(b"**\0\0"), WHOLE))
    return next(at for at in marks if struct.unpack_from("<Q", WHOLE, at + 8)[0] == record)


def end(record: int) -> int:
    at = place(record)
    size: int = struct.unpack_from("<I", WHOLE, at + 4)[0]
    return at + size


def changed(at: int, octets: bytes, whole: bytes = WHOLE) -> bytes:
    return whole[:at] + octets + whole[at + len(octets) :]


def test_every_event_comes_back_as_it_was_written() -> None:
    found = read(WHOLE)

    assert records(found) == list(range(1, 401))
    assert faults(found) == []
    last = found[-1]
    assert isinstance(last, WindowsEvent)
    assert (last.source, last.number, last.computer) == ("MSExchangeTransport", 2017, MBX2)
    assert (last.at, last.qualifiers, last.level) == (NOW + minutes(400), 0xC004, 2)
    assert tuple(one.text for one in last.values) == VALUES


def test_another_reader_finds_the_same_in_what_we_write(tmp_path: Path) -> None:
    """So that it is the format that we write, and not what our reader takes for it."""
    from Evtx.Evtx import Evtx

    log = tmp_path / "log.evtx"
    log.write_bytes(evtx(EVENTS[:5]))

    with Evtx(str(log)) as opened:
        found = [record.xml() for record in opened.records()]

    assert [int(re.search(r"<EventRecordID>(\d+)<", xml)[1]) for xml in found] == [1, 2, 3, 4, 5]  # type: ignore[index]
    assert all(MBX2 in xml and 'Qualifiers="49156"' in xml and "2017" in xml for xml in found)
    assert all(value in unescape(found[0]) for value in VALUES)


@pytest.mark.parametrize("into", [10, 2000, 30000, 65000])
@pytest.mark.parametrize("chunk", [0, 1])
def test_a_file_that_ends_in_a_chunk_gives_every_whole_record(chunk: int, into: int) -> None:
    length = FIRST + chunk * CHUNK + into

    found = read(WHOLE[:length])

    whole = [number for number in range(1, 401) if end(number) <= length]
    assert records(found) == whole
    [fault] = faults(found)
    assert (fault.damage, fault.offset) == (Damage.CUT_OFF, length)


def test_a_file_that_ends_between_two_chunks_says_that_there_were_more() -> None:
    [fault] = faults(read(WHOLE[: FIRST + CHUNK]))

    assert (fault.damage, fault.offset) == (Damage.CUT_OFF, FIRST + CHUNK)
    assert f"counts {len(WHOLE) // CHUNK} chunks" in fault.why


@pytest.mark.parametrize("octets", [b"", b"ElfFile\0" * 9])
def test_a_file_that_ends_in_its_header_is_cut_off(octets: bytes) -> None:
    [fault] = read(octets)

    assert isinstance(fault, Fault)
    assert fault.damage is Damage.CUT_OFF


def test_a_record_that_was_overwritten_costs_no_other() -> None:
    at = place(7)

    found = read(changed(at, b"\xee" * 100))

    assert records(found) == [one for one in range(1, 401) if one != 7]
    assert [(one.damage, one.offset) for one in faults(found)] == [(Damage.UNREADABLE, at)]


def test_a_record_whose_content_is_damaged_is_named() -> None:
    at = place(9)

    found = read(changed(at + 24, b"\xee" * 40))

    assert records(found) == [one for one in range(1, 401) if one != 9]
    unreadable = [one for one in faults(found) if one.damage is Damage.UNREADABLE]
    assert [(one.record, one.offset) for one in unreadable] == [(9, at)]


@pytest.mark.parametrize("size", [0, 24, 2**31 - 1, 1000])
def test_a_record_with_a_wrong_size_is_stepped_over(size: int) -> None:
    found = read(changed(place(5) + 4, struct.pack("<I", size)))

    assert records(found) == [one for one in range(1, 401) if one != 5]
    assert faults(found)[0].record == 5


def test_a_chunk_without_its_head_is_read_all_the_same() -> None:
    found = read(changed(FIRST, bytes(128)))

    assert records(found) == list(range(1, 401))
    assert faults(found)[0].why == "the chunk's header is damaged"


def test_a_file_without_its_head_is_read_all_the_same() -> None:
    found = read(changed(0, bytes(FIRST)))

    assert records(found) == list(range(1, 401))
    assert faults(found)[0].why == "the file's header is damaged"


def test_a_changed_value_shows_in_the_checksum() -> None:
    at = WHOLE.index("LogonDenied".encode("utf-16-le"))

    found = read(changed(at, b"X"))

    assert len(records(found)) == 400
    assert [(one.damage, one.offset) for one in faults(found)] == [(Damage.CHECKSUM, FIRST)]


def test_in_the_log_of_a_running_server_an_old_head_is_no_damage() -> None:
    """Its last chunk holds records that its head does not know of yet."""
    chunk = bytearray(evtx(EVENTS[:20])[FIRST:])
    at = place(16) - FIRST
    struct.pack_into("<QQ", chunk, 8, 1, 15)
    struct.pack_into("<II", chunk, 44, place(15) - FIRST, at)

    found = read(file_of([bytes(chunk)], flags=1))

    assert records(found) == list(range(1, 21))
    assert all(one.harmless for one in faults(found))


def test_chunks_that_were_never_used_are_nothing() -> None:
    assert read(file_of([WHOLE[FIRST : FIRST + CHUNK], bytes(CHUNK)])) == read(WHOLE[: FIRST + CHUNK])[:-1]


def test_a_log_without_checksums_is_no_damage() -> None:
    chunk = changed(FIRST + 52, bytes(4))[FIRST : FIRST + CHUNK]

    assert faults(read(file_of([chunk], flags=2))) == []


def test_nonsense_in_a_log_is_no_fault_of_ours() -> None:
    """Whatever it holds: what cannot be read is told, and the reading comes to its end."""
    for seed in range(12):
        octets = bytearray(WHOLE[: FIRST + CHUNK])
        for index in range(seed, CHUNK, 97 * (seed + 1)):
            octets[FIRST + index] = (index * 31 + seed) & 0xFF
        assert faults(read(bytes(octets)))


def test_the_library_is_asked_for_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    from mailtrust.errors import BadInput

    monkeypatch.setitem(sys.modules, "evtx", None)

    with pytest.raises(BadInput, match="needs the package evtx"):
        read(WHOLE)
