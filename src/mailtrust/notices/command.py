"""A notice by a command: without a shell, the notice on its standard input."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from threading import Thread
from typing import IO, cast

from mailtrust.errors import NotDelivered
from mailtrust.notices.faults import why
from mailtrust.notices.notice import Notice

_THE_MANAGERS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID")
"""Between us and who started us: not for others."""
_KEPT_BYTES = 4096
_LONGEST_LINE = 200
_LAST_WORDS_SECONDS = 1
"""For what it wrote before it ended to come through; what it left running may hold the pipe for ever."""


def run(command: Sequence[str], notice: Notice, timeout: timedelta) -> str:
    """
    Run it; what to say of it.  Of what it writes the last line is said, where it fails.

    When its time is over it is killed, and what it started with it.  Raises: NotDelivered.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _THE_MANAGERS}
    try:
        process = subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=environment, cwd="/", start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise NotDelivered(f"{command[0]} cannot be started: {why(error)}") from error
    written = _Written(cast("IO[bytes]", process.stdout))
    try:
        Thread(target=_feed, args=(process.stdin, notice.text.encode() + b"\n"), daemon=True).start()
        process.wait(timeout.total_seconds())
    except subprocess.TimeoutExpired as error:
        raise NotDelivered(f"{command[0]} did not end within {timeout.total_seconds():g}s") from error
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode:
        said = ": ".join(filter(None, (_ended(process.returncode), written.last_line())))
        raise NotDelivered(f"{command[0]} {said}")
    return "exit status 0"


def _ended(status: int) -> str:
    return f"was killed by signal {-status}" if status < 0 else f"ended with exit status {status}"


def _feed(pipe: IO[bytes], text: bytes) -> None:
    """One that does not read is no trouble."""
    with suppress(OSError):
        pipe.write(text)
    with suppress(OSError):
        pipe.close()


class _Written:
    """The end of what a command writes, however much that is: a log of lines is no place for all of it."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe, self._end = pipe, b""
        self._reading = Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        with self._pipe, suppress(OSError):
            while more := os.read(self._pipe.fileno(), 65536):
                self._end = (self._end + more)[-_KEPT_BYTES:]

    def last_line(self) -> str:
        """Fit to be shown on a terminal; empty where it wrote none."""
        self._reading.join(_LAST_WORDS_SECONDS)
        lines = (
            "".join(one for one in line if one.isprintable()).strip()
            for line in reversed(self._end.decode("utf-8", "replace").splitlines())
        )
        return next(filter(None, lines), "")[:_LONGEST_LINE]
