"""
Names to addresses, many at once, beforehand.

The system's resolver blocks and cannot be stopped, so it runs in threads of its own.  They are daemons:
a name server that does not answer must not keep a finished command from ending.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Iterable

from mailtrust.core.model.server import is_address

_MOST_THREADS = 64


class Names:
    """Every name is asked for once, in order, from the start."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._loop = asyncio.get_running_loop()
        names = [host for host in dict.fromkeys(hosts) if not is_address(host)]
        self._answers: dict[str, asyncio.Future[tuple[str, ...] | str]] = {
            name: self._loop.create_future() for name in names
        }
        self._open = deque(names)
        for number in range(min(len(names), _MOST_THREADS)):
            threading.Thread(target=self._work, name=f"resolve-{number}", daemon=True).start()

    def __contains__(self, host: str) -> bool:
        """False for an address, which needs no resolving."""
        return host in self._answers

    async def addresses(self, host: str) -> tuple[str, ...] | str:
        """The addresses of one of the names, best first; or why there is none, in words."""
        return await asyncio.shield(self._answers[host])

    def close(self) -> None:
        """Ask for nothing more.  What is being asked for ends by itself, unheard."""
        self._open.clear()
        for answer in self._answers.values():
            answer.cancel()

    def _work(self) -> None:
        while True:
            try:
                name = self._open.popleft()
            except IndexError:
                return
            answer = _resolve(name)
            try:
                self._loop.call_soon_threadsafe(self._tell, name, answer)
            except RuntimeError:  # The loop is closed: nobody waits any more.
                return

    def _tell(self, name: str, answer: tuple[str, ...] | str) -> None:
        if not self._answers[name].done():
            self._answers[name].set_result(answer)


def _resolve(name: str) -> tuple[str, ...] | str:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return f"the name cannot be resolved: {reason[:1].lower()}{reason[1:]}"
    return tuple(dict.fromkeys(str(one[4][0]) for one in found))
