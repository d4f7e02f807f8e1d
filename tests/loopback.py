"""Ports of this machine's own, and patience with what happens there."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache
from itertools import chain
from pathlib import Path

LOOPBACK = "127.0.0.1"
PATIENCE = 20.0

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What a server does with a connection."""

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
    script: Script, host: str = LOOPBACK, port: int = 0, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """
    Its port; *script* meets each connection, and has it behind TLS where *tls* says how.

    A connection is cut, and forgotten, when its script ends; whoever hangs up on one does it no harm.  At the
    end all are cut, also one that came in the last moment, with which nobody has begun.
    """
    going_on: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await script(reader, writer)
        finally:
            writer.transport.abort()

    def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(play(reader, writer))
        going_on[task] = writer
        task.add_done_callback(going_on.pop)

    server = await asyncio.start_server(meet, host, port, ssl=tls, backlog=1024)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        # Whom the loop lets in at this moment is met some rounds later.
        for _ in range(4):
            await asyncio.sleep(0)
        writers = tuple(going_on.values())
        for task in going_on:
            task.cancel()
        await asyncio.gather(*going_on, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        # The loop lets go of a socket in its next round.
        await asyncio.sleep(0)
