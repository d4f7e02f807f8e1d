"""
The system's log, by its socket: the form that syslog(3) itself writes, the older one (RFC 3164) without a
host.

Not RFC 5424: what listens at /dev/log (rsyslog, syslog-ng, journald) reads the older form there, and would
take the newer one for text.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from pathlib import Path

from mailtrust.errors import LogUnavailable
from mailtrust.logs.record import FACILITY, IDENTIFIER, NONE, PREFIX, Record

SOCKET = Path("/dev/log")
LONGEST_BYTES = 2000
"""RFC 3164 has 1,024, RFC 5424 asks for 2,048, and every daemon of today takes at least that."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SHOWN = ("SERVER", "PLACE", "CAUSE", "ACTION")


class Syslog:
    """The log behind one socket.  Raises: LogUnavailable where nobody listens there."""

    def __init__(self, path: Path = SOCKET) -> None:
        self._path = path
        self._is_stream = False
        try:
            self._plug = self._connected(socket.SOCK_DGRAM)
        except OSError as error:
            raise LogUnavailable(f"no syslog listens at {path}") from error

    @property
    def name(self) -> str:
        """What it is and where."""
        return f"syslog at {self._path}"

    def send(self, record: Record) -> bool:
        """Hand it over; False where the log is busy.  Raises: LogUnavailable."""
        data = line(record)
        try:
            # A stream has no ends of its own: syslog's is a zero byte.
            self._plug.send(data + b"\0" if self._is_stream else data)
        except BlockingIOError:
            return False
        except OSError as error:
            raise LogUnavailable(f"{self.name} took nothing") from error
        return True

    def close(self) -> None:
        """Give the socket back."""
        self._plug.close()

    def _connected(self, kind: int) -> socket.socket:
        plug = socket.socket(socket.AF_UNIX, kind | socket.SOCK_CLOEXEC)
        plug.settimeout(0)
        try:
            plug.connect(str(self._path))
        except OSError as error:
            plug.close()
            if error.errno != errno.EPROTOTYPE or self._is_stream:
                raise
            self._is_stream = True
            return self._connected(socket.SOCK_STREAM)
        return plug


def line(record: Record) -> bytes:
    """One line; what is too long for it is cut."""
    # In the zone of the machine and with English months, as syslog(3) has it.
    stamp = _stamp(time.localtime(record.at.timestamp()))
    said = [record.message]
    for name in _SHOWN:
        value = record.fields.get(PREFIX + name, NONE)
        if value != NONE:
            said.append(f'{name.lower()}="{value}"' if " " in value else f"{name.lower()}={value}")
    text = "".join(one if one.isprintable() else " " for one in " ".join(said))
    head = f"<{FACILITY * 8 + record.priority}>{stamp} {IDENTIFIER}[{os.getpid()}]: "
    return (head + text).encode("utf-8", "replace")[:LONGEST_BYTES].decode("utf-8", "ignore").encode()


def _stamp(local: time.struct_time) -> str:
    month = _MONTHS[local.tm_mon - 1]
    return f"{month} {local.tm_mday:2} {local.tm_hour:02}:{local.tm_min:02}:{local.tm_sec:02}"
