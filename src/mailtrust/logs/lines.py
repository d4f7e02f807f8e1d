"""Lines of JSON, one for each record: to a file, or to standard error."""

from __future__ import annotations

import json
import os
import select
import stat
import sys
from pathlib import Path
from typing import Any

from mailtrust.errors import LogUnavailable
from mailtrust.logs.record import IDENTIFIER, NONE, PREFIX, VALUE, Record

LOG_SCHEMA = "mailtrust.log/1"
_MODE = 0o640
_NUMBERS = (f"{PREFIX}EVENT", f"{PREFIX}SUPPRESSED")


class JsonLines:
    """Lines appended to a file, made where there is none; or, without one, written to standard error."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """What it is and where."""
        return f"the file {self._path}" if self._path else "standard error"

    def send(self, record: Record) -> bool:
        """
        Write it; False where nobody reads what we wrote before.

        The file is opened each time, so that whoever rotates it need not tell us.  Raises: LogUnavailable.
        """
        data = line(record)
        try:
            if self._path is None:
                return _written(sys.stderr.fileno(), data)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
            descriptor = os.open(self._path, flags, _MODE)
            try:
                return _written(descriptor, data)
            finally:
                os.close(descriptor)
        except (OSError, ValueError) as error:
            raise LogUnavailable(f"{self.name} cannot be written") from error

    def close(self) -> None:
        """There is nothing to give back."""


def line(record: Record) -> bytes:
    """A record as one line."""
    return json.dumps(report(record), ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def report(record: Record) -> dict[str, Any]:
    """A record as JSON."""
    ours = {
        name.removeprefix(PREFIX).lower(): _typed(name, value)
        for name, value in record.fields.items()
        if name.startswith(PREFIX) and not name.startswith(VALUE)
    }
    values = {
        name.removeprefix(VALUE).lower(): value
        for name, value in record.fields.items()
        if name.startswith(VALUE) and value != NONE
    }
    return {
        "schema": LOG_SCHEMA, "identifier": IDENTIFIER, "priority": record.priority,
        "message_id": record.message_id, **ours, "values": values, "message": record.message,
    }  # fmt: skip


def _typed(name: str, value: str) -> str | int | None:
    if value == NONE:
        return None
    return int(value) if name in _NUMBERS else value


def _written(descriptor: int, data: bytes) -> bool:
    is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
    # A pipe that is ready takes a short line whole; one that is not would keep us waiting.
    if not is_file and not _is_ready(descriptor):
        return False
    if os.write(descriptor, data) != len(data):
        raise OSError("the line was cut")
    return True


def _is_ready(descriptor: int) -> bool:
    asked = select.poll()
    asked.register(descriptor, select.POLLOUT)
    return any(found & select.POLLOUT for _, found in asked.poll(0))
