"""Killed at any moment, the hub has on disk whatever it answered with 250."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from mailtrust.core.model.server import Endpoint
from mailtrust.transports.hub import queue_view
from tests.hub.organization import Peer
from tests.loopback import LOOPBACK, eventually, free_port

ROOT = Path(__file__).parents[2]
BOX = "postmaster@hub1.example.test"
SENDERS = 8
ACCEPTED_BEFORE_A_KILL = 300


@asynccontextmanager
async def process(folder: Path, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """The hub, listening; killed by its id at the end."""
    hub = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "tests" / "hub" / "loaded_hub.py"),
        str(folder),
        str(port),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert hub.stdout is not None
    try:
        async with asyncio.timeout(30):
            assert await hub.stdout.readline() == b"listening\n"
        yield hub
    finally:
        with suppress(ProcessLookupError):
            hub.send_signal(signal.SIGKILL)
        await hub.wait()


async def keep_sending(sender: str, target: Endpoint, accepted: list[str]) -> None:
    """One mail after the other until the server is gone; notes each that was taken."""
    number = 0
    with suppress(OSError, asyncio.IncompleteReadError, AssertionError):
        async with Peer.meets(target, tls=False) as session:
            while True:
                name = f"{sender}-{number}"
                answer = await session.mails(BOX, content=f"Subject: {name}\r\n\r\n{name}\r\n".encode())
                if not answer.startswith("250"):
                    return
                accepted.append(name)
                number += 1


def delivered(folder: Path) -> set[str]:
    """The names of the mails in the mailbox; each is whole."""
    new = folder / "mail" / "hub1.example.test" / "postmaster" / "new"
    lines = [one.read_bytes().decode().split("\r\n") for one in new.glob("*")]
    assert all(text[-1] == "" and f"Subject: {text[-2]}" in text for text in lines)
    return {text[-2] for text in lines}


def copies(folder: Path) -> int:
    return len(list((folder / "mail").rglob("new/*")))


@pytest.mark.timeout(110)
async def test_nothing_that_was_accepted_is_lost_by_three_kills(tmp_path: Path) -> None:
    accepted: list[str] = []
    port = free_port()
    target = Endpoint(LOOPBACK, port)
    for round_ in range(3):
        before = len(accepted)
        async with process(tmp_path, port) as hub:
            senders = [
                asyncio.create_task(keep_sending(f"{round_}-{number}", target, accepted))
                for number in range(SENDERS)
            ]
            await eventually(lambda b=before: len(accepted) - b >= ACCEPTED_BEFORE_A_KILL)
            hub.send_signal(signal.SIGKILL)
            await asyncio.gather(*senders)
        # What is neither in the mailbox nor in the queue is lost.
        waiting = sum(len(row.recipients) for row in queue_view(tmp_path))
        assert waiting + copies(tmp_path) >= len(accepted)
    async with process(tmp_path, port):
        await eventually(lambda: queue_view(tmp_path) == ())

    assert len(accepted) >= 3 * ACCEPTED_BEFORE_A_KILL
    assert set(accepted) <= delivered(tmp_path)
    # A delivery that is repeated after a kill replaces its own copy.
    assert copies(tmp_path) == len(delivered(tmp_path))
