"""A notice by a command: without a shell, the notice on its standard input."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from mailtrust.errors import NotDelivered
from mailtrust.notices.notice import Notice

_THE_MANAGERS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID")
"""Between us and who started us: not for others."""


def run(command: Sequence[str], notice: Notice, timeout: timedelta) -> str:
    """
    Run it; what to say of it.  What it writes comes out where our own complaints do.

    When its time is over it is killed, and what it started with it.  Raises: NotDelivered.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _THE_MANAGERS}
    try:
        process = subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=2, env=environment, cwd="/", start_new_session=True
        )
    except OSError as error:
        raise NotDelivered(f"{command[0]} cannot be started") from error
    try:
        process.communicate(notice.text.encode() + b"\n", timeout.total_seconds())
    except subprocess.TimeoutExpired as error:
        raise NotDelivered(f"{command[0]} did not end within {timeout.total_seconds():g}s") from error
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode:
        raise NotDelivered(f"{command[0]} ended with exit status {process.returncode}")
    return "exit status 0"
