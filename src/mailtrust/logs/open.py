"""Which log to write to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mailtrust.config.log_kind import Kind
from mailtrust.errors import LogUnavailable
from mailtrust.logs import journald, syslog
from mailtrust.logs.journald import Journald
from mailtrust.logs.lines import JsonLines
from mailtrust.logs.record import Log
from mailtrust.logs.syslog import Syslog


@dataclass(frozen=True, slots=True)
class Sockets:
    """Where the system's logs listen."""

    journald: Path = journald.SOCKET
    syslog: Path = syslog.SOCKET


def open_log(
    kind: Kind, file: Path | None = None, sockets: Sockets | None = None, *, may_write_here: bool = True
) -> Log | None:
    """
    The log to write to; None where there is to be none.

    *may_write_here*: whether ``auto`` may end on standard error.  Raises: LogUnavailable.
    """
    at = sockets or Sockets()
    match kind:
        case Kind.NONE:
            return None
        case Kind.JOURNALD:
            return Journald(at.journald)
        case Kind.SYSLOG:
            return Syslog(at.syslog)
        case Kind.JSON:
            return JsonLines(file)
        case Kind.AUTO:
            return _first(at) or (JsonLines() if may_write_here else None)


def _first(at: Sockets) -> Log | None:
    try:
        return Journald(at.journald)
    except LogUnavailable:
        pass
    try:
        return Syslog(at.syslog)
    except LogUnavailable:
        return None
