"""An end to what a library would go on with as long as single bytes come."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta


@contextmanager
def cut_after(timeout: timedelta, plug: Callable[[], socket.socket | None]) -> Iterator[None]:
    """When the time is over, the socket that *plug* gives is shut: whoever waits on it gets an error."""

    def cut() -> None:
        found = plug()
        if found is not None:
            with suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(timeout.total_seconds(), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
