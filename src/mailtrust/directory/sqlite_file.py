"""
The SQLite file under an embedded replica: several hosts' processes share it, and any of them may be killed.

So it appears whole or not at all, every piece of work is one transaction on a connection of its own, and
whatever SQLite or the system says is turned into one sentence about the file.  Nothing but SQLite may open
the file: closing any other descriptor of it would drop the locks of every connection in this process.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp
from typing import TypeVar
from urllib.parse import quote

from mailtrust.directory.contents import Contents
from mailtrust.directory.sqlite_rows import MEND, SCHEMA, write
from mailtrust.errors import DirectoryUnavailable, PublishRefused

Mark = tuple[int, int, int] | str | None
"""Changes whenever the file does: its times and sizes, or why it cannot be seen; None: no file."""
_Result = TypeVar("_Result")
Work = Callable[[sqlite3.Connection], _Result]

# "mtrp", so that `file` and we can tell a replica from any other database.
_APPLICATION = 0x6D747270
_VERSION = 1
_ROOM = "make room on its disk; nothing that was published is lost"
_RIGHTS = "give this account the right to write to the file and to its folder, or write at another replica"


class ReplicaFile:
    """
    One replica's file; waits at most *patience_seconds* for others' locks.

    Errors are bare sentences, for the replica to say of whom.
    """

    def __init__(self, path: Path, patience_seconds: float) -> None:
        self.path = path
        self._patience = patience_seconds

    def mark(self) -> Mark:
        """What changes with the file.  Never raises."""
        try:
            seen = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            return str(error)
        return seen.st_ino, seen.st_size, seen.st_mtime_ns

    def read(self, work: Work[_Result]) -> _Result | None:
        """The result of *work*; None where there is no file, in a folder that is there."""
        with self._in_our_words(writing=False):
            if not self._exists():
                return None
            with closing(self._open()) as connection:
                # One transaction, so that the rows of all tables are of one moment.
                connection.execute("BEGIN")
                self._recognise(connection)
                return work(connection)

    def write(self, work: Work[_Result], abandoned: threading.Event) -> _Result:
        """
        The result of *work*, done wholly or not at all; the file is made if it never was.

        Nothing is changed where *abandoned* says that nobody waits for it any more.
        """
        with self._in_our_words(writing=True):
            if not self._exists():
                self._make()
            with closing(self._open()) as connection:
                # Somebody may have made it a WAL, which several hosts cannot share.
                connection.execute("PRAGMA journal_mode = DELETE")
                connection.execute("PRAGMA synchronous = EXTRA")
                connection.execute("BEGIN IMMEDIATE")
                self._recognise(connection)
                result = work(connection)
                if abandoned.is_set():
                    connection.execute("ROLLBACK")
                else:
                    connection.execute("COMMIT")
                return result

    def _exists(self) -> bool:
        try:
            seen = self.path.stat()
        except FileNotFoundError:
            if not self.path.parent.is_dir():
                hint = "create the folder, or mount the disk that it is on"
                raise DirectoryUnavailable(
                    f"the folder {self.path.parent} does not exist", hint=hint
                ) from None
            return False
        if not stat.S_ISREG(seen.st_mode):
            raise DirectoryUnavailable(f"{self.path} is not a file", hint="correct the URL of the replica")
        if seen.st_size == 0:
            # Ours is never empty: it appears with its tables in it.
            raise DirectoryUnavailable("its file is empty: 0 bytes", hint=MEND)
        return True

    def _open(self) -> sqlite3.Connection:
        # Read-only files are opened as such by SQLite itself; rw never makes one.
        uri = f"file:{quote(str(self.path))}?mode=rw"
        return sqlite3.connect(uri, uri=True, timeout=self._patience, isolation_level=None)

    def _recognise(self, connection: sqlite3.Connection) -> None:
        [application] = connection.execute("PRAGMA application_id").fetchone()
        [version] = connection.execute("PRAGMA user_version").fetchone()
        if application != _APPLICATION:
            raise DirectoryUnavailable(
                "its file is the database of another program", hint="correct the URL of the replica"
            )
        if version != _VERSION:
            raise DirectoryUnavailable(
                "its file was written by a newer mailtrust", hint="use the same release everywhere"
            )
        # SQLite takes half a last page for a whole one.
        [page_bytes] = connection.execute("PRAGMA page_size").fetchone()
        if self.path.stat().st_size % page_bytes:
            raise DirectoryUnavailable("its file is cut short or damaged", hint=MEND)

    def _make(self) -> None:
        """Put an empty replica there at one stroke, unless another process was faster."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if self.path.exists():
                return
            # A rollback journal that an older file left behind would be played into the new one.
            self.path.with_name(f"{self.path.name}-journal").unlink(missing_ok=True)
            made = self._write_beside(_empty_database())
            try:
                with suppress(FileExistsError):
                    os.link(made, self.path)
            finally:
                made.unlink()
            os.fsync(folder)
        finally:
            os.close(folder)

    def _write_beside(self, content: bytes) -> Path:
        descriptor, name = mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor
                # What is published is public; every reader of the directory reads it.
                os.fchmod(descriptor, 0o644)
                file.write(content)
                file.flush()
                os.fsync(descriptor)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
        return Path(name)

    @contextmanager
    def _in_our_words(self, *, writing: bool) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._said(error, writing=writing) from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise _kind(writing=writing)("its disk is full", hint=_ROOM) from error
            reason = (error.strerror or str(error)).lower()
            raise _kind(writing=writing)(f"{self.path.name}: {reason}", hint=_RIGHTS) from error

    def _said(self, error: sqlite3.Error, *, writing: bool) -> DirectoryUnavailable:
        kind = _kind(writing=writing)
        match getattr(error, "sqlite_errorname", "").split("_")[1:]:
            case ["BUSY", *_] | ["LOCKED", *_]:
                return DirectoryUnavailable(
                    f"another program has had its file locked for {self._patience:g} s",
                    hint="find out who holds it (fuser, lsof), and try again",
                )
            case ["NOTADB"]:
                return DirectoryUnavailable("its file is no database", hint=MEND)
            case ["CORRUPT", *_] | ["ERROR", *_]:
                # Whoever has our mark and not our tables, or cannot read them, was written over.
                return DirectoryUnavailable("its file is cut short or damaged", hint=MEND)
            case ["FULL"]:
                return kind("its disk is full", hint=_ROOM)
            case ["READONLY", "ROLLBACK"] | ["READONLY", "RECOVERY"]:
                hint = "run any mailtrust command as an account that may write to it"
                return kind("a write was cut off, and this account may not undo it", hint=hint)
            case ["READONLY", *_]:
                return kind("its file or folder is read-only here", hint=_RIGHTS)
            case ["CANTOPEN", *_] if not os.access(self.path, os.R_OK):
                return kind("this account may not read its file", hint=_RIGHTS)
            case ["CANTOPEN", *_] if writing:
                return kind("this account may not write to its folder", hint=_RIGHTS)
            case _:
                return kind(f"its file cannot be used: {error}", hint="check the disk that it is on")


def _kind(*, writing: bool) -> type[DirectoryUnavailable]:
    return PublishRefused if writing else DirectoryUnavailable


def _empty_database() -> bytes:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for statement in (
            *SCHEMA,
            f"PRAGMA application_id = {_APPLICATION}",
            f"PRAGMA user_version = {_VERSION}",
        ):
            connection.execute(statement)
        write(connection, Contents(), Contents())
        return connection.serialize()
