"""
From our journal to a log of the machine: each entry once, whoever wrote it, by whoever comes first.

The journal keeps what the log has not taken: where that is down, full or busy, the entries of the last day
follow when it is back.  The agent ships as they come; without one, `check` ships what it finds.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from mailtrust.agent.journal import Journal
from mailtrust.agent.journal_file import JournalFile
from mailtrust.agent.journal_outgoing import NOT_YET, has_read, read_up_to
from mailtrust.agent.log_record import log_record
from mailtrust.agent.supervision import sentence
from mailtrust.config import Config
from mailtrust.config.log_kind import Kind
from mailtrust.core.events.catalog import LOG_UNAVAILABLE
from mailtrust.errors import LogUnavailable, StoreUnavailable
from mailtrust.logs.open import Sockets, open_log
from mailtrust.logs.record import Log
from mailtrust.texts import Texts
from mailtrust.transports.base import Raised

READER, LOCK_FILE = "log", "log.lock"
KEPT = timedelta(days=1)
"""An entry that could not be shipped for so long is not any more; `mailtrust events` has it."""


def ship(config: Config, shelf: Texts, now: datetime, *, may_write_here: bool = False) -> int:
    """
    Ship what was not shipped yet; how many entries that were.

    Where somebody else is at it, or the log takes none now, less or nothing is done.  *may_write_here*:
    whether standard error may stand in where the machine has no log.
    Raises: StoreUnavailable, LogUnavailable.
    """
    journal = Journal(config.server.store)
    if config.log.to is Kind.NONE or not journal.path.exists():
        return 0
    with _alone(config.server.store) as alone:
        log = opened(config, may_write_here=may_write_here) if alone else None
        if log is None:
            return 0
        with closing(log):
            return _ship(config, journal, log, shelf, now)


def opened(config: Config, *, may_write_here: bool) -> Log | None:
    """The log of a configuration.  Raises: LogUnavailable."""
    said = config.log
    at = Sockets(said.socket, said.socket) if said.socket else Sockets()
    return open_log(said.to, said.file, at, may_write_here=may_write_here)


def ship_or_say_why(config: Config, shelf: Texts, now: datetime, *, may_write_here: bool = False) -> str:
    """
    Ship; empty, or why the log takes nothing, which is put on record (12165).  Never raises.
    """
    try:
        ship(config, shelf, now, may_write_here=may_write_here)
    except StoreUnavailable:
        # Whoever writes there says so.
        return ""
    except LogUnavailable as error:
        values = {"log": config.log.to.value, "why": sentence(error)}
        with suppress(StoreUnavailable):
            raised = Raised(LOG_UNAVAILABLE, config.server.name, config.log.to.value, values)
            Journal(config.server.store).record_raised(raised, now)
        return sentence(error)
    return ""


def _ship(config: Config, journal: Journal, log: Log, shelf: Texts, now: datetime) -> int:
    file = JournalFile(journal.path)
    begin = file.read(lambda db: read_up_to(db, READER), empty=NOT_YET)
    if begin == NOT_YET:
        # A write brings an older file up to date, and sets the mark at its end.
        file.write(lambda _: None, now)
        return 0
    shipped, last = 0, begin
    try:
        for entry in journal.entries(since=now - KEPT, after_id=begin):
            if not log.send(log_record(entry, shelf, config.file)):
                break
            shipped, last = shipped + 1, entry.id
    finally:
        if last != begin:
            file.write(lambda db: has_read(db, READER, last), now)
    return shipped


@contextmanager
def _alone(store: Path) -> Iterator[bool]:
    """True for one process at a time; nobody waits for it.  Raises: StoreUnavailable."""
    try:
        lock = os.open(store / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnavailable(f"{store / LOCK_FILE} cannot be opened") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(lock)


def is_journal(stream_descriptor: int, environment: Mapping[str, str]) -> bool:
    """True if what is written there ends in systemd's journal as well (systemd.exec(5), JOURNAL_STREAM)."""
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    try:
        found = os.fstat(stream_descriptor)
    except OSError:
        return False
    return (device, inode) == (str(found.st_dev), str(found.st_ino))
