"""
The log that Postfix writes, read on from where it was left: a file that is rotated, or systemd's journal.

The bookmark names a file by its first bytes, since rotation renames it, copies it or packs it, and by how far
it was read.  Where what was not read yet is gone, that is said: sessions that nobody saw are no clean ones.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from mailtrust.errors import TransportUnavailable
from mailtrust.transports.postfix.log import DAEMON, Line, Logged, Open, Sessions, line_of

JOURNAL = "journal"
"""In place of a file: systemd's journal."""
_HEAD_BYTES = 256
_FIRST_LOOK_BACK = timedelta(days=7)
_JOURNAL_FIELDS = "MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID"


class _Bookmark(msgspec.Struct, frozen=True, omit_defaults=True):
    head: str = ""
    """The digest of the file's first bytes."""
    head_bytes: int = 0
    inode: int = 0
    """What tells a file that was still empty."""
    offset: int = 0
    cursor: str = ""
    read_to: datetime | None = None
    """The time of the last line."""
    open: tuple[Open, ...] = ()


@dataclass(frozen=True, slots=True)
class Loss:
    """Lines that were gone before they were read: somewhere between these two moments."""

    since: datetime | None
    until: datetime


class Maillog:
    """
    One reading of *source*, a file or JOURNAL, from the *place* where the last one ended; None: the first.

    `sessions` once, to its end; then `place` is where to go on, and `loss` is what could not be read.
    """

    def __init__(self, source: str, place: str | None, now: datetime, zone: tzinfo | None = None) -> None:
        self.source = source
        self._now, self._zone = now, zone
        self._was = _read_bookmark(place)
        self._next = self._was or _Bookmark()
        self.loss: Loss | None = None

    @property
    def place(self) -> str:
        """Where this reading ended, as text."""
        return msgspec.json.encode(self._next).decode()

    def sessions(self) -> Iterator[Logged]:
        """
        What came since, in the order in which it ended.

        Raises: TransportUnavailable where the log cannot be read.
        """
        met = Sessions(self._was.open if self._was else ())
        read_to = self._was.read_to if self._was else None
        for line in self._lines():
            read_to = line.at
            if (one := met.read(line)) is not None:
                yield one
        self._next = msgspec.structs.replace(self._next, open=met.open, read_to=read_to)

    def _lines(self) -> Iterator[Line]:
        if self.source == JOURNAL:
            return self._journal_lines()
        return self._file_lines(Path(self.source))

    def _lost(self) -> None:
        self.loss = Loss(self._was.read_to if self._was else None, self._now)

    # A file

    def _file_lines(self, path: Path) -> Iterator[Line]:
        try:
            with ExitStack() as stack:
                for file, offset in self._unread(path, stack):
                    file.seek(offset)
                    for text in file:
                        if not text.endswith(b"\n"):
                            break
                        offset += len(text)
                        line = line_of(text[:-1].decode("utf-8", "replace"), self._now, self._zone)
                        if line is not None:
                            yield line
                    head = _head(file, _HEAD_BYTES)
                    self._next = _Bookmark(*head, _inode(file), offset)
        except (OSError, EOFError) as error:
            raise TransportUnavailable(
                f"the mail log {path} cannot be read",
                hint="check that this account may read it; `transport.log` says where it is",
            ) from error

    def _unread(self, path: Path, stack: ExitStack) -> list[tuple[IO[bytes], int]]:
        """What is to be read, oldest first, each from where."""
        newest = stack.enter_context(path.open("rb"))
        if self._was is None:
            return [(newest, 0)]
        files: list[IO[bytes]] = []
        for file in self._newest_first(path, newest, stack):
            files.append(file)
            if self._is_where_we_were(file):
                unread = [(one, 0) for one in reversed(files)]
                unread[0] = (file, self._was.offset)
                return unread
        self._lost()
        return [(newest, 0)]

    def _newest_first(self, path: Path, newest: IO[bytes], stack: ExitStack) -> Iterator[IO[bytes]]:
        yield newest
        seen = {_inode(newest)}
        aside = [one for pattern in ("-*", ".*") for one in path.parent.glob(path.name + pattern)]
        for one in sorted(aside, key=lambda file: file.stat().st_mtime, reverse=True):
            file = stack.enter_context(_opened(one))
            if _inode(file) not in seen:
                seen.add(_inode(file))
                yield file

    def _is_where_we_were(self, file: IO[bytes]) -> bool:
        was = self._was
        if was is None or not was.head_bytes:
            return was is not None and _inode(file) == was.inode
        if _head(file, was.head_bytes) != (was.head, was.head_bytes):
            return False
        # Cut in place and begun anew, perhaps with the same first line: then it is shorter.
        return not was.offset or _has_byte_before(file, was.offset)

    # systemd's journal

    def _journal_lines(self) -> Iterator[Line]:
        cursor = self._was.cursor if self._was else ""
        since = (self._was and self._was.read_to) or self._now - _FIRST_LOOK_BACK
        begin = f"--cursor={cursor}" if cursor else f"--since=@{int(since.timestamp()) + 1}"
        command = (
            "journalctl",
            "--output=json",
            "--no-pager",
            "--quiet",
            f"--output-fields={_JOURNAL_FIELDS}",
        )
        try:
            with subprocess.Popen(
                (*command, begin, f"_COMM={DAEMON}"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ) as reading:
                assert reading.stdout is not None  # noqa: S101  # we asked for it
                yield from self._entries(reading.stdout, cursor)
        except OSError as error:
            raise TransportUnavailable(
                "systemd's journal cannot be read, and no mail log was found",
                hint="set `transport.log` to the file in which Postfix logs",
            ) from error
        if reading.returncode:
            raise TransportUnavailable(
                "systemd's journal cannot be read",
                hint="check that this account may read it (group systemd-journal), or set `transport.log`",
            )

    def _entries(self, output: IO[bytes], cursor: str) -> Iterator[Line]:
        self._next = _Bookmark()
        for text in output:
            entry = json.loads(text)
            is_first, here = not self._next.cursor, str(entry.get("__CURSOR", ""))
            self._next = _Bookmark(cursor=here)
            if is_first and cursor:
                if here == cursor:
                    continue
                self._lost()
            if (line := entry_line(entry)) is not None:
                yield line
        if cursor and not self._next.cursor:
            # What we read last is gone, and with it perhaps what came behind it.
            self._lost()


def entry_line(entry: dict[str, Any]) -> Line | None:
    """An entry of systemd's journal as a line, if smtpd(8) wrote it."""
    tag, text = entry.get("SYSLOG_IDENTIFIER"), entry.get("MESSAGE")
    if not isinstance(tag, str) or not isinstance(text, str) or not tag.endswith(f"/{DAEMON}"):
        return None
    try:
        at = datetime.fromtimestamp(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
        pid = int(entry.get("SYSLOG_PID") or entry["_PID"])
    except (KeyError, ValueError):
        return None
    return Line(at, tag, pid, text)


def _read_bookmark(place: str | None) -> _Bookmark | None:
    if place is None:
        return None
    try:
        return msgspec.json.decode(place, type=_Bookmark)
    except msgspec.MsgspecError:
        # Of another release, perhaps: then it is as if lines were lost.
        return _Bookmark(head="none", head_bytes=1)


def _opened(path: Path) -> IO[bytes]:
    """Its lines, whether it is packed or not."""
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _has_byte_before(file: IO[bytes], offset: int) -> bool:
    file.seek(offset - 1)
    return bool(file.read(1))


def _head(file: IO[bytes], count: int) -> tuple[str, int]:
    file.seek(0)
    head = file.read(count)
    return hashlib.sha256(head).hexdigest(), len(head)


def _inode(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_ino
