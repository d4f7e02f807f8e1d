"""Ports of this machine's own, and patience with what happens there."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from itertools import chain
from pathlib import Path

LOOPBACK = "127.0.0.1"
PATIENCE = 20.0

_GIVEN: set[int] = set()
_FIRST, _LAST = 21000, 32000
# Test processes run beside each other, and take their ports in the same moment; a hub that is started anew
# leaves its own for a moment.  So each port belongs to the process that holds the lock of that byte of this
# file.  Labs that run beside them take lower ones.
_LOCKS = Path(tempfile.gettempdir()) / f"mailtrust-test-ports-{os.getuid()}"


def free_port(host: str = LOOPBACK) -> int:
    """One that nobody else is given, below those that the kernel hands out for connections."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    start = _FIRST + os.getpid() * 97 % (_LAST - _FIRST)
    for port in chain(range(start, _LAST), range(_FIRST, start)):
        if port in _GIVEN or not _is_ours(port):
            continue
        with socket.socket(family) as one:
            try:
                one.bind((host, port))
            except OSError:
                continue
        _GIVEN.add(port)
        return port
    raise AssertionError("no port is free")


@cache
def _locks() -> int:
    return os.open(_LOCKS, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _is_ours(port: int) -> bool:
    try:
        fcntl.lockf(_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


async def eventually(holds: Callable[[], object], what: str = "") -> None:
    """Wait for something that tells nobody when it happens."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not holds():  # noqa: ASYNC110  # nobody sets an event
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"it never came to that: {what}") from None


@asynccontextmanager
async def serving(
    script: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    host: str = LOOPBACK,
    port: int = 0,
) -> AsyncIterator[int]:
    """
    Its port; *script* meets each connection.

    At the end all are cut, also one that came in the last moment, with which nobody has begun.
    """
    writers: list[asyncio.StreamWriter] = []
    tasks: list[asyncio.Future[None]] = []

    def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        tasks.append(asyncio.ensure_future(script(reader, writer)))

    server = await asyncio.start_server(meet, host, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        # The loop lets go of a socket in its next round.
        await asyncio.sleep(0)
