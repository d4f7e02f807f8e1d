"""
One writer per server: who looks, decides and acts holds the store meanwhile, and the other one is told.

The lock is the kernel's own, on a file in the store: it ends with its holder, however that ends.  It is held
for one step, never while something is waited for.  A second host that was made from this one's image has a
store of its own: what it publishes shows beside ours (12106).
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from mailtrust import durable
from mailtrust.core.model.event import when
from mailtrust.errors import Refused, StoreUnavailable

LOCK_FILE, AGENT_FILE = "writer.lock", "agent.lock"
PATIENCE = timedelta(seconds=10)
_ASK_AGAIN_SECONDS = 0.02


@asynccontextmanager
async def writing(
    store: Path, what: str, now: datetime, *, patience: timedelta = PATIENCE
) -> AsyncIterator[None]:
    """
    Be the one who changes this server's copies, to do *what*.

    Raises: Refused, with who is doing what, after *patience*; StoreUnavailable.
    """
    async with _holding(store / LOCK_FILE, what, now, patience, "nothing was changed"):
        yield


@asynccontextmanager
async def being_the_agent(store: Path, now: datetime) -> AsyncIterator[None]:
    """
    Be the one agent of this server, for as long as it runs; commands may act meanwhile.

    Raises: Refused, with who is it already, at once; StoreUnavailable.
    """
    said = "this server has its agent already"
    async with _holding(store / AGENT_FILE, "agent", now, timedelta(0), said):
        yield


@asynccontextmanager
async def _holding(
    file: Path, what: str, now: datetime, patience: timedelta, said: str
) -> AsyncIterator[None]:
    try:
        durable.make_folder(file.parent)
        lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnavailable(
            f"{file} cannot be opened", hint="check that this account may write to the store's folder"
        ) from error
    try:
        await _take(lock, file, patience, said)
        _sign(lock, what, now)
        yield
    finally:
        os.close(lock)


async def _take(lock: int, file: Path, patience: timedelta, said: str) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience.total_seconds()
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if loop.time() >= deadline:
                raise Refused(
                    f"{said}: {_holder(lock)}",
                    hint=f"wait until it is done, or stop it; {file} is free again as soon as it ends",
                ) from None
            await asyncio.sleep(_ASK_AGAIN_SECONDS)
        else:
            return


def _sign(lock: int, what: str, now: datetime) -> None:
    data = json.dumps({"process": os.getpid(), "what": what, "since": when(now)}).encode()
    os.ftruncate(lock, 0)
    os.pwrite(lock, data, 0)


def _holder(lock: int) -> str:
    with suppress(OSError, ValueError, KeyError, TypeError):
        held = json.loads(os.pread(lock, 1000, 0))
        return f"process {held['process']} is at it, with `{held['what']}` since {held['since']}"
    return "another process is at it"
