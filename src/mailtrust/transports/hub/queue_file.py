"""
The queue on disk: one SQLite file, and beside it a folder for large messages.

A message is a row, and so is each of its recipients: when it is due, how often it was tried, and what
was said.  A row that is gone was delivered or given up; so after a crash whatever still stands here is
simply tried again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from mailtrust.durable import sync_folder
from mailtrust.errors import TransportUnavailable
from mailtrust.transports.hub.message import queue_name

# Above this a message goes into a file of its own: the write-ahead log would write it twice.
LARGE_BYTES = 1 << 20
_VERSION = 1
_SCHEMA = """
create table message (
  id integer primary key, sender text not null, peer text not null, eight_bit integer not null,
  accepted_at real not null, size integer not null, content blob);
create table recipient (
  message integer not null references message (id), position integer not null, address text not null,
  hop text not null, due real not null, attempts integer not null default 0,
  reply text not null default '', why text not null default '',
  primary key (message, position)) without rowid;
create index recipient_by_due on recipient (due);
create table reserved (highest integer not null);
insert into reserved values (0);
"""
# A message and its recipients by one statement: a row for each recipient, the first one with the content.
_ARRIVING = """
create temp view arriving as
  select id, sender, peer, eight_bit, accepted_at, size, content, position, address, hop
  from message join recipient on message = id;
create temp trigger arrive instead of insert on arriving begin
  insert into message
    select new.id, new.sender, new.peer, new.eight_bit, new.accepted_at, new.size, new.content
    where new.position = 0;
  insert into recipient (message, position, address, hop, due)
    values (new.id, new.position, new.address, new.hop, new.accepted_at);
end;
"""


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One message, for those of its recipients that are in the same state."""

    id: str
    sender: str
    """Empty for the null sender."""
    recipients: tuple[str, ...]
    size_bytes: int
    accepted_at: datetime
    attempts: int
    next_try: datetime
    last_reply: str
    """What the next hop said; empty where it came to no reply."""
    why: str
    """Our own words for what stands in the way; empty before the first attempt."""
    hop: str
    """``local``, or the next hop; empty where there is no route."""


class QueueFiles:
    """The queue's folder, held by this process alone.  Blocking: call it from a thread."""

    def __init__(self, store: Path) -> None:
        """Raises: TransportUnavailable, also where another hub holds it."""
        self.folder = store / "queue"
        self._bodies = self.folder / "large"
        try:
            self._bodies.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise TransportUnavailable(f"cannot use the queue's folder {self.folder}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise TransportUnavailable(
                f"another hub uses the queue in {self.folder}", hint="stop it, or give this one its own store"
            ) from error

    def connect(self) -> sqlite3.Connection:
        """
        A connection that may be handed from thread to thread, one at a time.

        Raises: TransportUnavailable when the file is no queue of ours.
        """
        file = self.folder / "queue.db"
        try:
            database = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=10)
            try:
                _prepare(database)
            except BaseException:
                database.close()
                raise
        except sqlite3.Error as error:
            raise TransportUnavailable(
                f"the queue {file} cannot be opened",
                hint="look at the disk; a damaged queue can be moved away, and is then not lost",
            ) from error
        os.chmod(file, 0o600)  # noqa: PTH101
        return database

    def body(self, message: int) -> Path:
        """Where a large message's content is."""
        return self._bodies / f"{queue_name(message)}.eml"

    def write_body(self, message: int, content: bytes) -> None:
        """Put a large message where `body` says, on disk when this returns.  Raises: OSError."""
        path = self.body(message)
        try:
            with open(path, "xb", opener=_private) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            sync_folder(self._bodies)
        except OSError:
            self.remove_body(message)
            raise

    def remove_body(self, message: int) -> None:
        """Repeating it does no harm; what cannot be removed now goes at the next start."""
        with contextlib.suppress(OSError):
            self.body(message).unlink()

    def sweep(self, database: sqlite3.Connection) -> None:
        """Remove large contents whose message was never accepted, or is gone."""
        held = {
            self.body(row[0]).name for row in database.execute("select id from message where content is null")
        }
        for path in self._bodies.iterdir():
            if path.name not in held:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let another process have the queue."""
        os.close(self._lock)


def queue_view(store: Path) -> tuple[QueueRow, ...]:
    """
    What is in the queue of a hub, running or not, oldest first; nothing where there was never one.

    Raises: TransportUnavailable when it cannot be read.
    """
    file = store / "queue" / "queue.db"
    try:
        if not file.exists():
            return ()
        with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
            rows = database.execute(
                "select id, sender, size, accepted_at, attempts, due, reply, why, hop, address"
                " from message join recipient on message = id order by id, due, attempts, reply, why, hop"
            ).fetchall()
    except (sqlite3.Error, OSError) as error:
        raise TransportUnavailable(f"the queue {file} cannot be read") from error
    return tuple(_row(key, [row[9] for row in same]) for key, same in groupby(rows, lambda row: row[:9]))


def _row(key: Sequence[object], recipients: Sequence[str]) -> QueueRow:
    match key:
        case (
            int(id_),
            str(sender),
            int(size),
            float(at),
            int(attempts),
            float(due),
            str(reply),
            str(why),
            str(hop),
        ):
            return QueueRow(
                queue_name(id_), sender, tuple(recipients), size, datetime.fromtimestamp(at, UTC), attempts,
                datetime.fromtimestamp(due, UTC), reply, why, hop,
            )  # fmt: skip
        case _:
            raise TransportUnavailable("the queue holds a row that is none of ours")


def _prepare(database: sqlite3.Connection) -> None:
    # FULL: the log is on disk at each commit, so a 250 survives a power loss, not only a crash.
    for pragma in ("journal_mode = wal", "synchronous = full", "wal_autocheckpoint = 4000"):
        database.execute(f"pragma {pragma}").fetchall()
    (version,) = database.execute("pragma user_version").fetchone()
    if version == 0:
        database.executescript(f"begin immediate; {_SCHEMA} pragma user_version = {_VERSION}; commit")
    elif version != _VERSION:
        raise TransportUnavailable(
            f"the queue has format {version}, and this version of mailtrust knows format {_VERSION}"
        )
    database.executescript(_ARRIVING)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
