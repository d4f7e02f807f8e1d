"""Ports of this machine's own, and patience with what happens there."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from itertools import chain

LOOPBACK = "127.0.0.1"
PATIENCE = 20.0

_GIVEN: set[int] = set()
# Test processes run beside each other, and a hub that is started anew leaves its port for a moment.
# A directory server takes two, and its tests start a hundred.
_FIRST = 21000 + os.getpid() % 25 * 400
_OURS = range(_FIRST, _FIRST + 400)


def free_port(host: str = LOOPBACK) -> int:
    """One that nobody else is given, below those that the kernel hands out for connections."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in chain(_OURS, range(21000, 32000)):
        with socket.socket(family) as one:
            try:
                one.bind((host, port))
            except OSError:
                continue
        if port not in _GIVEN:
            _GIVEN.add(port)
            return port
    raise AssertionError("no port is free")


async def eventually(holds: Callable[[], object], what: str = "") -> None:
    """Wait for something that tells nobody when it happens."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not holds():  # noqa: ASYNC110  # nobody sets an event
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"it never came to that: {what}") from None
