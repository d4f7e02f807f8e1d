"""
An entry of our journal as a record for a log of the machine.

Every value that the event's message names is a field of its own, so that the shipped message catalog can put
it into the explanation (``@FIELD@``).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from mailtrust.agent.entry_text import entry_message
from mailtrust.agent.journal_rows import EVIDENCE, Entry, EntryKind
from mailtrust.config import USUAL_FILE
from mailtrust.core.events.message_id import message_id
from mailtrust.core.model.event import Severity
from mailtrust.logs.record import NONE, PREFIX, VALUE, Record
from mailtrust.texts import Texts

_PRIORITIES = {Severity.ERROR: 3, Severity.WARNING: 4, Severity.INFORMATION: 6}
_NOTICE, _INFORMATION = 5, 6
_LONGEST_BYTES = 250
"""What is longer with its name (256) journalctl does not put into an explanation: the name stands there."""
_MORE = "…"


def log_record(entry: Entry, shelf: Texts, file: Path | None) -> Record:
    """The record of *entry*; *file*: the configuration that its commands have to name."""
    about = message_id(entry.event.code if _is_of_event(entry) and entry.event else entry.kind.value)
    return Record(entry.at, _message(entry, shelf), _priority(entry), about, dict(_fields(entry, file)))


def _is_of_event(entry: Entry) -> bool:
    return entry.event is not None and entry.kind is not EntryKind.PLANNED


def _message(entry: Entry, shelf: Texts) -> str:
    head = f"{entry.kind.value}: "
    if _is_of_event(entry) and entry.event is not None:
        head = f"{entry.event.code} {head}"
    elif entry.server:
        head = f"{entry.server} {head}"
    times = "time" if entry.suppressed == 1 else "times"
    again = f" (and {entry.suppressed} {times} more before)" if entry.suppressed else ""
    text = f"{head}{entry_message(entry, shelf)}{again}"
    return "".join(one if one.isprintable() else " " for one in text)


def _priority(entry: Entry) -> int:
    match entry.kind:
        case EntryKind.CLOSED | EntryKind.ACKNOWLEDGED:
            return _NOTICE
        case EntryKind.DAMAGED:
            return _PRIORITIES[Severity.WARNING]
        case _:
            return _PRIORITIES[entry.severity] if entry.severity else _INFORMATION


def _fields(entry: Entry, file: Path | None) -> Iterator[tuple[str, str]]:
    event, is_open = entry.event, entry.kind is not EntryKind.CLOSED
    ours = {
        "AT": entry.at.isoformat().replace("+00:00", "Z"),
        "STATE": entry.kind.value,
        "EVENT": str(event.code) if event else NONE,
        "NAME": event.name if event else NONE,
        "SEVERITY": entry.severity.value if entry.severity else NONE,
        "SERVER": entry.server or NONE,
        "PLACE": entry.place or NONE,
        "CAUSE": entry.cause or NONE,
        "ACTION": to_type(entry.action, file) if entry.action and is_open else NONE,
    }
    yield from ((PREFIX + name, value) for name, value in ours.items())
    if entry.suppressed:
        yield f"{PREFIX}SUPPRESSED", str(entry.suppressed)
    # The explanation names these, whether there is something to say or not.
    named = dict.fromkeys((*event.parameters, "fingerprint"), NONE) if event else {}
    for name, value in (named | dict(entry.values)).items():
        if name != EVIDENCE:
            yield _value_field(name, value)


def to_type(action: str, file: Path | None) -> str:
    """The command of a finding as it has to be typed on this server."""
    words = shlex.split(action)
    if file is None or file == USUAL_FILE or words[:1] != ["mailtrust"]:
        return action
    return shlex.join(("mailtrust", "--config", str(file.absolute()), *words[1:]))


def _value_field(name: str, value: str) -> tuple[str, str]:
    field = VALUE + name.upper()
    room = _LONGEST_BYTES - len(field)
    data = value.encode("utf-8", "replace")
    if len(data) > room:
        value = data[: room - len(_MORE.encode())].decode("utf-8", "ignore") + _MORE
    return field, value
