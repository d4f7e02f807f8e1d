"""What a file is, by its first bytes; and what is said of one that is no event log."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailtrust.agent.windows_log.files import events_of
from mailtrust.agent.windows_log.importing import MOST_FAULTS, import_files
from mailtrust.core.eventlog.event import WindowsEvent
from mailtrust.errors import BadInput
from tests.event_logs import Written, document, element, evtx

ONE = Written(12012)


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", "it is empty"),
        (b"PK\x03\x04rest", "ZIP archive"),
        (b"\x30\0\0\0LfLe\x01\0\0\0", "before Windows Vista"),
        (b'Level,Date and Time,Source\n"Error",2026', "a text without events"),
        ("Level,Date and Time\n".encode("utf-16"), "a text without events"),
        (b'<Objs Version="1.1.0.1"><Obj/></Objs>', "Export-Clixml"),
        (b"<html><body>not found</body></html>", "a text without events"),
        (b"\x7fELF\0\0\0\0\0", "no Windows event log"),
    ],
)
def test_what_is_no_event_log_is_called_what_it_is(tmp_path: Path, octets: bytes, said: str) -> None:
    (tmp_path / "file").write_bytes(octets)

    with pytest.raises(BadInput, match=said) as refused:
        list(events_of(tmp_path / "file"))

    assert refused.value.hint


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no file"):
        list(events_of(tmp_path / "none"))
    with pytest.raises(BadInput, match="is a folder"):
        list(events_of(tmp_path))


@pytest.mark.parametrize("octets", [evtx([ONE]), document(ONE).encode(), element(ONE).encode()])
def test_the_name_of_a_file_does_not_matter(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "log.txt").write_bytes(octets)

    [found] = events_of(tmp_path / "log.txt")

    assert isinstance(found, WindowsEvent)


def test_what_a_console_says_before_the_events_costs_none_of_them(tmp_path: Path) -> None:
    (tmp_path / "log.xml").write_text(f"C:\\>wevtutil qe Application /f:xml\n{element(ONE)}")

    [found] = events_of(tmp_path / "log.xml")

    assert isinstance(found, WindowsEvent)


def test_every_byte_is_told_to_whoever_waits(tmp_path: Path) -> None:
    log = tmp_path / "log.evtx"
    log.write_bytes(evtx(Written(12012, record=number) for number in range(1, 500)))
    heard: list[int] = []

    list(events_of(log, heard.append))

    assert sum(heard) == log.stat().st_size
    assert len(heard) > 2


def test_a_log_of_nothing_but_damage_is_told_in_part_and_counted_in_full(tmp_path: Path) -> None:
    log = tmp_path / "log.xml"
    log.write_text("".join(f"{element(ONE)}<Event>&no;</Event>" for _ in range(MOST_FAULTS + 20)))

    [file] = import_files([log]).files

    assert (file.events, len(file.faults), file.fault_count) == (
        MOST_FAULTS + 20,
        MOST_FAULTS,
        MOST_FAULTS + 20,
    )
    assert not file.is_whole


def test_events_without_a_number_of_their_own_are_told_apart_by_what_they_say(tmp_path: Path) -> None:
    bare = element(ONE).replace("<EventRecordID>1</EventRecordID>", "")
    for name in ("a.xml", "b.xml"):
        (tmp_path / name).write_text(bare)

    found = import_files([tmp_path / "a.xml", tmp_path / "b.xml"])

    assert found.twice == 1
    assert found.history.of_certificates == 1
