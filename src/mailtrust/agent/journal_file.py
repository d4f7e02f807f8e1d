"""
The SQLite file under the journal: opened for each piece of work, shared by several processes.

A command and the hub write to it side by side, as different users perhaps; any of them may be killed.
So every piece of work is one transaction on a connection of its own, and a file that is damaged is set
aside and begun anew: a diary must never be what stops the work.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from mailtrust import durable
from mailtrust.agent.journal_outgoing import SCHEMA as OUTGOING
from mailtrust.agent.journal_rotations import SCHEMA as ROTATIONS
from mailtrust.agent.journal_sessions import SCHEMA as SESSIONS
from mailtrust.errors import StoreUnavailable

Work = Callable[[sqlite3.Connection], "_Result"]
_Result = TypeVar("_Result")

_BUSY_TIMEOUT_SECONDS = 5.0
_SCHEMA = (
    "CREATE TABLE act (id INTEGER PRIMARY KEY, at TEXT NOT NULL, what TEXT NOT NULL, server TEXT NOT NULL,"
    " fingerprint TEXT NOT NULL, place TEXT NOT NULL, failed TEXT NOT NULL)",
    "CREATE TABLE entry (id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, kind TEXT NOT NULL,"
    " event INTEGER, server TEXT, place TEXT, cause TEXT, severity TEXT, action TEXT,"
    " detail TEXT NOT NULL, note TEXT NOT NULL, suppressed INTEGER NOT NULL)",
    "CREATE TABLE incident (key TEXT PRIMARY KEY, at TEXT NOT NULL, event INTEGER NOT NULL,"
    " server TEXT NOT NULL, place TEXT, cause TEXT, severity TEXT, action TEXT, detail TEXT NOT NULL)",
    "CREATE TABLE seen (server TEXT, place TEXT, fingerprint TEXT, at TEXT NOT NULL,"
    " PRIMARY KEY (server, place, fingerprint)) WITHOUT ROWID",
    "CREATE TABLE ack (id INTEGER PRIMARY KEY, event INTEGER NOT NULL, server TEXT, until TEXT NOT NULL,"
    " reason TEXT NOT NULL, at TEXT NOT NULL)",
    "CREATE TABLE flood (key TEXT PRIMARY KEY, at TEXT NOT NULL, suppressed INTEGER NOT NULL)",
    "CREATE TABLE replica (url TEXT PRIMARY KEY, read_at TEXT NOT NULL)",
)
_ADDED = ("CREATE TABLE latency (url TEXT NOT NULL, seconds REAL NOT NULL, at TEXT NOT NULL)",)
_STEPS = (_SCHEMA, _ADDED, ROTATIONS, SESSIONS, OUTGOING)
"""What makes each version of the file out of the one before it."""
_VERSION = len(_STEPS)


class JournalFile:
    """One journal's file; made by the first piece of work that writes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, work: Work[_Result], *, empty: _Result) -> _Result:
        """
        The result of *work* on the file as it is; *empty* where nothing was ever written.

        Raises: StoreUnavailable.
        """
        with _in_our_words(self.path, "read"):
            try:
                connection = self._open("rw" if os.access(self.path, os.W_OK) else "ro")
            except FileNotFoundError:
                return empty
            with closing(connection):
                return work(connection) if _version(connection, self.path) else empty

    def write(self, work: Work[_Result], now: datetime) -> tuple[_Result, Path | None]:
        """
        The result of *work*, done wholly or not at all; and where a damaged file was put, if one was.

        Raises: StoreUnavailable.
        """
        with _in_our_words(self.path, "written"):
            try:
                return self._transaction(work), None
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                aside = self._set_aside(now)
            return self._transaction(work), aside

    def _transaction(self, work: Work[_Result]) -> _Result:
        self._make()
        with closing(self._open("rw")) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                held = _version(connection, self.path)
                for statement in chain.from_iterable(_STEPS[held:]):
                    connection.execute(statement)
                if held < _VERSION:
                    connection.execute(f"PRAGMA user_version = {_VERSION}")
                result = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                # Closing would roll back as well; but a failed COMMIT must not hold the lock until then.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            return result

    def _make(self) -> None:
        durable.make_folder(self.path.parent)
        try:
            descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644)
        except FileExistsError:
            return
        try:
            # A monitoring account reads it, whatever the administrator's umask.
            os.fchmod(descriptor, 0o644)
        finally:
            os.close(descriptor)

    def _open(self, mode: str) -> sqlite3.Connection:
        self.path.stat()
        return sqlite3.connect(
            f"file:{quote(str(self.path))}?mode={mode}",
            uri=True, timeout=_BUSY_TIMEOUT_SECONDS, isolation_level=None,
        )  # fmt: skip

    def _set_aside(self, now: datetime) -> Path | None:
        """Move the damaged file away, unless another process was faster."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if not self._is_damaged():
                return None
            aside = self.path.with_name(f"{self.path.name}.damaged-{now:%Y%m%dT%H%M%SZ}")
            self.path.rename(aside)
            # A rollback journal that stayed behind would be played into the new file.
            self.path.with_name(f"{self.path.name}-journal").unlink(missing_ok=True)
            return aside
        finally:
            os.close(folder)

    def _is_damaged(self) -> bool:
        try:
            with closing(self._open("rw")) as connection:
                return bool(connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",))
        except FileNotFoundError:
            return False
        except sqlite3.DatabaseError as error:
            return _is_damage(error)


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > _VERSION:
        raise StoreUnavailable(
            f"the journal {path} was written by a newer mailtrust", hint="use the same release everywhere"
        )
    return version


def _is_damage(error: sqlite3.Error) -> bool:
    name = getattr(error, "sqlite_errorname", "")
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


@contextmanager
def _in_our_words(path: Path, participle: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        hint = "check that the disk has room and that this account may write to the store's folder"
        if participle == "read":
            hint = "check that this account may read it; a damaged one is set aside by the next write"
        raise StoreUnavailable(f"the journal {path} cannot be {participle}", hint=hint) from error
