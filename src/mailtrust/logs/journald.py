"""
systemd's journal, by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram of fields.

A record that is too large for a datagram is handed over as a sealed file in memory.  The same form of the
fields, with a time in front and an empty line behind, is the *export format*, of which systemd-journal-remote
makes a journal file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from mailtrust.errors import LogUnavailable
from mailtrust.logs.record import FACILITY, IDENTIFIER, NONE, VALUE, Record

SOCKET = Path("/run/systemd/journal/socket")
_ADD_SEALS, _ALL_SEALS = 1033, 0b1111
"""F_ADD_SEALS; sealed against seals, shrinking, growing and writing: journald takes no other file."""
_TO_TYPE = {f"{VALUE}FINGERPRINT": "CERTIFICATE"}
"""Where there is none, the explanation says what to type as the commands' pages do."""
_TOO_LARGE = (errno.EMSGSIZE, errno.ENOBUFS)


class Journald:
    """The journal behind one socket.  Raises: LogUnavailable where nobody listens there."""

    def __init__(self, path: Path = SOCKET) -> None:
        self._path = path
        self._plug = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._plug.settimeout(0)
        try:
            self._plug.connect(str(path))
        except OSError as error:
            self._plug.close()
            raise LogUnavailable(f"systemd's journal does not listen at {path}") from error

    @property
    def name(self) -> str:
        """What it is and where."""
        return f"systemd's journal at {self._path}"

    def send(self, record: Record) -> bool:
        """Hand it over; False where the journal is busy.  Raises: LogUnavailable."""
        data = encoded(record)
        try:
            self._plug.send(data)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _TOO_LARGE:
                raise LogUnavailable(f"{self.name} took nothing") from error
            return self._send_as_file(data)
        return True

    def close(self) -> None:
        """Give the socket back."""
        self._plug.close()

    def _send_as_file(self, data: bytes) -> bool:
        try:
            descriptor = os.memfd_create(IDENTIFIER, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            with closing(os.fdopen(descriptor, "wb", closefd=True)) as file:
                file.write(data)
                file.flush()
                fcntl.fcntl(file, _ADD_SEALS, _ALL_SEALS)
                socket.send_fds(self._plug, [b""], [file.fileno()])
        except BlockingIOError:
            return False
        except OSError as error:
            raise LogUnavailable(f"{self.name} took nothing") from error
        return True


def encoded(record: Record) -> bytes:
    """The fields of a record as the native protocol and the export format have them."""
    return b"".join(_field(name, value) for name, value in _fields(record))


def exported(record: Record) -> bytes:
    """A record in the export format, for ``systemd-journal-remote -o FILE -``."""
    microseconds = int(record.at.timestamp() * 1_000_000)
    return b"__REALTIME_TIMESTAMP=%d\n%b\n" % (microseconds, encoded(record))


def _fields(record: Record) -> Iterator[tuple[str, str]]:
    yield "MESSAGE", record.message
    yield "MESSAGE_ID", record.message_id
    yield "PRIORITY", str(record.priority)
    yield "SYSLOG_IDENTIFIER", IDENTIFIER
    yield "SYSLOG_FACILITY", str(FACILITY)
    for name, value in record.fields.items():
        yield name, _TO_TYPE.get(name, value) if value == NONE else value


def _field(name: str, value: str) -> bytes:
    data = value.encode("utf-8", "replace")
    if b"\n" not in data:
        return b"%b=%b\n" % (name.encode(), data)
    return b"%b\n%b%b\n" % (name.encode(), len(data).to_bytes(8, "little"), data)
