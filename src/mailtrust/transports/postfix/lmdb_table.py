"""
One of Postfix's lmdb tables, changed in place while Postfix looks things up in it.

Postfix opens such a file without LMDB's own locks and takes an fcntl lock on it around each lookup.  So do
we, as its postmap does: exclusive for a moment, so that no reader is left on a page that we may use again;
then shared, so that readers go on with what was there until the transaction is done.  Without it lookups go
wrong: measured, 14 of 11.5 million.  Sessions that are open see the change at their next lookup, and nothing
has to be reloaded.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import lmdb

from mailtrust import durable
from mailtrust.errors import TransportUnavailable
from mailtrust.transports.postfix.compile import Difference, Rows

PATIENCE = timedelta(seconds=20)
"""How long to wait for readers: a lookup takes microseconds, and a stopped process holds its lock."""
_LEAST_MAP_BYTES = 64 << 20
_LONGEST_PAUSE_SECONDS = 0.005
_FLOCK = struct.Struct("hhqqi4x")
"""struct flock of 64-bit Linux: type, whence, start, length, process."""


class LmdbTable:
    """
    The table in *path*, which ends in ``.lmdb``; made when it is first written.

    One object for a path in a process: POSIX locks are the process's, and vanish when it closes any
    descriptor of the file.
    """

    def __init__(self, path: Path, *, patience: timedelta = PATIENCE) -> None:
        self.path = path
        self._patience_seconds = patience.total_seconds()
        self._environment: lmdb.Environment | None = None
        self._descriptor = -1

    def replace(self, rows: Rows) -> Difference:
        """
        Let the table have *rows* and nothing else, in one step for readers; what that changed.

        One that is damaged is made anew, and then sessions that are open keep the old one.
        Raises: TransportUnavailable, with the table as it was.
        """
        wanted = _encoded(rows)
        with self._in_our_words():
            try:
                return self._replaced(wanted)
            except FileNotFoundError:
                self._make_anew(wanted)
            except (lmdb.InvalidError, lmdb.CorruptedError, lmdb.VersionMismatchError):
                self.close()
                self._make_anew(wanted)
        return Difference(dict(rows))

    def change(self, difference: Difference) -> None:
        """
        Put and remove those rows, in one step for readers.  It may be repeated.

        Raises: TransportUnavailable, with the table as it was, also where there is none yet.
        """
        put, gone = _encoded(difference.put), [_bytes(key) for key in difference.gone]

        def write(transaction: lmdb.Transaction[bytes]) -> None:
            for key in gone:
                transaction.delete(key)
            for key, value in put.items():
                transaction.put(key, value)

        with self._in_our_words():
            self._transact(write)

    def close(self) -> None:
        """Let go of the file."""
        if self._environment is not None:
            self._environment.close()
            os.close(self._descriptor)
        self._environment, self._descriptor = None, -1

    def _replaced(self, wanted: dict[bytes, bytes]) -> Difference:
        put: dict[bytes, bytes] = {}
        gone: list[bytes] = []

        def write(transaction: lmdb.Transaction[bytes]) -> None:
            held = dict(transaction.cursor())
            put.clear()
            put.update((key, value) for key, value in wanted.items() if held.get(key) != value)
            gone[:] = held.keys() - wanted.keys()
            for key in gone:
                transaction.delete(key)
            for key, value in put.items():
                transaction.put(key, value)

        self._transact(write)
        return Difference(
            {_text(key): _text(value) for key, value in put.items()}, frozenset(map(_text, gone))
        )

    def _transact(self, write: Callable[[lmdb.Transaction[bytes]], None]) -> None:
        environment = self._open()
        with self._locked():
            while True:
                try:
                    with environment.begin(write=True) as transaction:
                        write(transaction)
                    return
                except lmdb.MapFullError:
                    environment.set_mapsize(2 * environment.info()["map_size"])
                except lmdb.MapResizedError:
                    # Somebody else's postmap made it larger.
                    environment.set_mapsize(0)

    def _open(self) -> lmdb.Environment:
        if self._environment is not None and not self._is_there():
            # Somebody put another file in its place.
            self.close()
        if self._environment is None:
            # Before lmdb does, which would make one in place, where a reader meets it half made.
            descriptor = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                self._environment = _environment(self.path)
            except BaseException:
                os.close(descriptor)
                raise
            self._descriptor = descriptor
        return self._environment

    def _is_there(self) -> bool:
        with suppress(FileNotFoundError):
            return os.path.samestat(self.path.lstat(), os.fstat(self._descriptor))
        return False

    @contextmanager
    def _locked(self) -> Iterator[None]:
        deadline = time.monotonic() + self._patience_seconds
        pause = 0.0001
        while True:
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EAGAIN):
                    raise
                if time.monotonic() > deadline:
                    raise self._is_held() from error
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_SH)
            yield
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

    def _is_held(self) -> TransportUnavailable:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        holder = _FLOCK.unpack(fcntl.fcntl(self._descriptor, fcntl.F_GETLK, asked))[4]
        return TransportUnavailable(
            f"the table {self.path} is locked by process {holder} for more than {self._patience_seconds:g} s",
            hint=f"see what it is with `ps -fp {holder}`; one that was stopped goes on after `kill -CONT`",
        )

    def _make_anew(self, wanted: dict[bytes, bytes]) -> None:
        beside = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}{durable.TEMPORARY_SUFFIX}")
        try:
            room = 4 * sum(len(key) + len(value) + 64 for key, value in wanted.items())
            with _environment(beside, room) as environment, environment.begin(write=True) as transaction:
                for key in sorted(wanted):
                    transaction.put(key, wanted[key], append=True)
            beside.chmod(durable.PUBLIC)
            beside.replace(self.path)
        finally:
            beside.unlink(missing_ok=True)
        durable.sync_folder(self.path.parent)

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        try:
            yield
        except (OSError, lmdb.Error) as error:
            self.close()
            hint = "check that the disk has room, and that this account may write to the folder"
            raise TransportUnavailable(f"the table {self.path} cannot be written", hint=hint) from error


def read(path: Path) -> dict[str, str]:
    """
    Every row of a table, as its readers see it.

    Not in a process that holds it as an `LmdbTable`.  Raises: FileNotFoundError, TransportUnavailable.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_SH)
            with _environment(path, readonly=True) as environment, environment.begin() as transaction:
                return {_text(key): _text(value) for key, value in transaction.cursor()}
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise
    except (OSError, lmdb.Error) as error:
        raise TransportUnavailable(f"the table {path} cannot be read") from error


def _environment(path: Path, room_bytes: int = 0, *, readonly: bool = False) -> lmdb.Environment:
    return lmdb.open(
        str(path),
        map_size=max(_LEAST_MAP_BYTES, room_bytes),
        subdir=False,
        lock=False,
        readonly=readonly,
        readahead=False,
        mode=durable.PUBLIC,
    )


def _encoded(rows: Rows) -> dict[bytes, bytes]:
    return {_bytes(key): _bytes(value) for key, value in rows.items()}


def _bytes(text: str) -> bytes:
    # As postmap writes them; a process that found one without the final NUL forgets the other way.
    return text.encode() + b"\0"


def _text(data: bytes) -> str:
    return bytes(data).rstrip(b"\0").decode("utf-8", "replace")
