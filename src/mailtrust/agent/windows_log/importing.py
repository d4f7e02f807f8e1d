"""Event logs of several files, put together: one history, and for each file how much of it could be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from mailtrust.agent.windows_log.files import Progress, events_of
from mailtrust.core.eventlog.event import Fault, WindowsEvent
from mailtrust.core.eventlog.history import History
from mailtrust.core.eventlog.known import known
from mailtrust.errors import BadInput

MOST_FAULTS = 100
"""Of one file, that are told one by one."""


@dataclass(slots=True)
class ReadFile:
    """One file, and what became of it."""

    path: Path
    events: int = 0
    known: int = 0
    """Of these, the ones about transport certificates."""
    faults: list[Fault] = field(default_factory=list)
    """The first of them."""
    fault_count: int = 0
    refused: BadInput | None = None
    """Why nothing of it could be used."""

    @property
    def is_whole(self) -> bool:
        """Whether all that was to be in it could be read."""
        return self.refused is None and all(one.harmless for one in self.faults)


@dataclass(frozen=True, slots=True)
class Imported:
    """What all files together say."""

    files: tuple[ReadFile, ...]
    history: History
    since: datetime | None
    servers: tuple[str, ...]
    twice: int
    """Events about certificates that stood in two files, and were counted once."""

    @property
    def is_whole(self) -> bool:
        """Whether every file could be read to its end."""
        return all(one.is_whole for one in self.files)


def import_files(
    paths: Iterable[Path],
    *,
    since: datetime | None = None,
    servers: Iterable[str] = (),
    progress: Callable[[Path], Progress] | None = None,
) -> Imported:
    """
    Read every file; one that cannot be used is told, and costs no other.

    *progress* gives, for a file that begins, who hears of its bytes.
    """
    named, each = tuple(servers), tuple(paths)
    history = History(since=since, servers=named)
    read, seen, twice = [], dict[int, int](), 0
    for index, path in enumerate(each):
        file = ReadFile(path)
        read.append(file)
        try:
            for one in events_of(path, progress(path) if progress else None):
                if isinstance(one, Fault):
                    _note(file, one)
                    continue
                file.events += 1
                is_known = known(one.source, one.number) is not None
                file.known += is_known
                # Of two exports of one log, an event has the same number and time in both.
                if is_known and len(each) > 1 and seen.setdefault(_mark(one), index) != index:
                    twice += 1
                    continue
                history.add(one)
        except BadInput as error:
            file.refused = error
    return Imported(tuple(read), history, since, named, twice)


def _note(file: ReadFile, fault: Fault) -> None:
    file.fault_count += 1
    # What is harmless gives way, so that a list that is full still says whether the file is whole.
    if len(file.faults) < MOST_FAULTS:
        file.faults.append(fault)
    elif not fault.harmless and file.is_whole:
        file.faults[-1] = fault


def _mark(event: WindowsEvent) -> int:
    """The same for the same event in two files; one without a number of its own is told by what it says."""
    told = (event.record,) if event.record is not None else event.values
    return hash((event.computer.lower(), event.channel, event.at, event.number, told))
