"""A disk that hangs costs its deadline, not the program; and what nobody waits for is not done."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mailtrust.directory.contents import Contents
from mailtrust.directory.sqlite import SqliteReplica
from mailtrust.errors import DirectoryUnavailable
from tests.make import HUB1, NOON, a_certificate

SHORT = timedelta(milliseconds=300)
POLL = timedelta(milliseconds=20)
LEAF = a_certificate()


class HangingDiary:
    """Memory on a disk that does not answer until it is let go."""

    def __init__(self) -> None:
        self.answers = threading.Event()

    def read_before(self, url: str) -> datetime | None:
        self.answers.wait(60)
        return None

    def remember(self, url: str, now: datetime) -> None:
        self.answers.wait(60)


@pytest.fixture
async def diary() -> AsyncIterator[HangingDiary]:
    made = HangingDiary()
    yield made
    made.answers.set()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite://{tmp_path}/dc1.db"


async def answered(replica: SqliteReplica) -> Contents:
    """What it holds, once it has come back."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await replica.contents()
            except DirectoryUnavailable:
                await asyncio.sleep(POLL.total_seconds())


async def test_a_look_that_hangs_costs_its_deadline_and_no_second_thread(
    url: str, diary: HangingDiary
) -> None:
    """A hub looks again and again: each look that kept a thread would soon leave none for mail."""
    replica = SqliteReplica(url, timeout=SHORT, memory=diary)
    threads = threading.active_count()

    [first] = await replica.look([HUB1], NOON)
    [second] = await replica.look([HUB1], NOON)

    assert (first.found, second.found) == (None, None)
    assert "did not answer in 0.3 s" in first.why
    assert "earlier question" in second.why
    assert threading.active_count() == threads + 1
    diary.answers.set()
    assert await answered(replica) == Contents()


async def test_a_write_that_nobody_waits_for_any_more_is_not_made(url: str, diary: HangingDiary) -> None:
    """Whoever was told that it failed may have decided otherwise since."""
    replica = SqliteReplica(url, timeout=SHORT, memory=diary)

    with pytest.raises(DirectoryUnavailable, match="did not answer"):
        await replica.publish(HUB1, LEAF.der, NOON)
    diary.answers.set()

    assert await answered(replica) == Contents()


async def test_a_write_that_is_cancelled_is_not_made(url: str, diary: HangingDiary) -> None:
    replica = SqliteReplica(url, timeout=timedelta(seconds=30), memory=diary)
    publishing = asyncio.ensure_future(replica.publish(HUB1, LEAF.der, NOON))
    await asyncio.wait({publishing}, timeout=POLL.total_seconds())

    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    diary.answers.set()

    assert await answered(replica) == Contents()


async def test_a_second_change_in_the_same_instant_is_worth_another_look(url: str) -> None:
    """A file's times move in steps of milliseconds: two writes in one step look like one."""
    replica = SqliteReplica(url, timeout=timedelta(seconds=10))
    await replica.publish(HUB1, b"one", NOON)
    await replica.look(None, NOON)
    await replica.publish(HUB1, b"two", NOON)
    async with aclosing(replica.watch(POLL)) as watch:
        await asyncio.wait_for(anext(watch), 10)
        first = replica.file.stat()
        await replica.publish(HUB1, b"three", NOON)
        os.utime(replica.file, ns=(first.st_atime_ns, first.st_mtime_ns))
        assert replica.file.stat().st_size == first.st_size

        await asyncio.wait_for(anext(watch), 10)
