"""Many processes at one replica, killed at any moment, on full disks: what was acknowledged is there."""

from __future__ import annotations

import asyncio
import os
import random
import re
import sqlite3
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from mailtrust.core.model.server import ServerName, server_name
from mailtrust.directory.sqlite import SqliteReplica
from mailtrust.errors import DirectoryUnavailable, PublishRefused
from tests.directory.account import an_ordinary_account
from tests.make import HUB1, HUB2, NOON, a_certificate

WRITER = Path(__file__).with_name("writer.py")
KILLS = 12


@pytest.fixture
def replica(tmp_path: Path) -> SqliteReplica:
    return SqliteReplica(f"sqlite://{tmp_path}/dc1.db", timeout=timedelta(seconds=30))


@asynccontextmanager
async def a_writer(
    replica: SqliteReplica, server: ServerName, limit_bytes: str = ""
) -> AsyncIterator[Process]:
    """A process that publishes as fast as it can, killed at the end."""
    arguments = [str(WRITER), replica.url, server, *([limit_bytes] if limit_bytes else [])]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def lines(process: Process, wanted: int | None = None) -> list[str]:
    """The next *wanted* whole lines; None: all until it ends."""
    assert process.stdout is not None
    found: list[str] = []
    while wanted is None or len(found) < wanted:
        line = await process.stdout.readline()
        # A killed process may leave half a line: that was no acknowledgement.
        if not line.endswith(b"\n"):
            break
        found.append(line.decode().strip())
    return found


async def published(replica: SqliteReplica) -> set[str]:
    return {digest for _, digest in (await replica.contents()).values}


async def test_processes_that_publish_at_once_lose_nothing(replica: SqliteReplica) -> None:
    """The first of them makes the file, and all of them may believe to be the first."""
    servers = [server_name(f"hub{number}.example.test") for number in range(4)]

    async def acknowledged(server: ServerName) -> list[str]:
        async with a_writer(replica, server) as process:
            found = await lines(process, 15)
            process.kill()
            return found + await lines(process)

    said = await asyncio.gather(*map(acknowledged, servers))

    assert all(len(one) >= 15 for one in said)
    assert {digest for one in said for digest in one} <= await published(replica)
    assert [look.server for look in await replica.look(None, NOON)] == servers


async def test_a_writer_that_is_killed_at_any_moment_loses_nothing_it_acknowledged(
    replica: SqliteReplica,
) -> None:
    chance = random.Random(12012)  # the same moments in every run
    acknowledged: set[str] = set()
    for _ in range(KILLS):
        async with a_writer(replica, HUB1) as process:
            acknowledged.update(await lines(process, 1 + chance.randrange(4)))
            # In the midst of whatever it does then; which step that is differs, and must not matter.
            await asyncio.sleep(chance.random() * 0.02)
            process.kill()
            acknowledged.update(await lines(process))

        assert acknowledged <= await published(replica)
    assert len(acknowledged) >= KILLS
    await replica.publish(HUB2, a_certificate(HUB2).der, NOON)


async def test_a_write_that_was_cut_off_is_undone_by_the_next_look(replica: SqliteReplica) -> None:
    """The worst moment: pages of the file are written over already, and its writer is dead."""
    await replica.publish(HUB1, a_certificate().der, NOON)
    before = await replica.contents()
    whole = replica.file.read_bytes()
    cut_off(replica.file)
    assert replica.file.read_bytes() != whole

    assert await replica.contents() == before


async def test_a_write_that_was_cut_off_is_told_to_whom_may_not_undo_it(folder: Path) -> None:
    replica = SqliteReplica(f"sqlite://{folder}/dc1.db", timeout=timedelta(seconds=30))
    await replica.publish(HUB1, a_certificate().der, NOON)
    cut_off(replica.file)
    replica.file.chmod(0o444)

    with an_ordinary_account():
        [look] = await replica.look([HUB1], NOON)

    assert look.found is None
    assert "cut off" in look.why


def cut_off(file: Path) -> None:
    """Dies in a transaction that has reached the file."""
    script = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("PRAGMA cache_spill = 1")
connection.execute("BEGIN IMMEDIATE")
for number in range(200):
    connection.execute("INSERT INTO value VALUES (?, ?, '', zeroblob(3000))", (f"hub{number}", "ab" * 32))
os.kill(os.getpid(), 9)
"""
    ended = subprocess.run([sys.executable, "-c", script, str(file)], check=False, timeout=60)
    assert ended.returncode == -9


async def test_a_file_that_may_not_grow_refuses_and_keeps_what_it_has(replica: SqliteReplica) -> None:
    """Nobody may fill a disk for a test, but a process may be forbidden to write large files."""
    async with a_writer(replica, HUB1, "200000") as process:
        *acknowledged, error = await lines(process)

    assert len(acknowledged) > 50
    assert re.fullmatch(rf"PublishRefused: {re.escape(replica.url)} took nothing: .+", error)
    assert await published(replica) == set(acknowledged)
    await replica.publish(HUB2, a_certificate(HUB2).der, NOON)


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if os.getuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this account may not mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


async def test_a_full_disk_refuses_and_keeps_what_it_has(small_disk: Path) -> None:
    replica = SqliteReplica(f"sqlite://{small_disk}/dc1.db", timeout=timedelta(seconds=30))
    accepted: list[int] = []

    async def publish_without_end() -> None:
        for number in count():
            await replica.publish(HUB1, number.to_bytes(2000, "big"), NOON)
            accepted.append(number)

    with pytest.raises(PublishRefused, match="disk is full") as refused:
        await publish_without_end()

    assert len(accepted) > 20
    assert "room" in refused.value.hint
    assert len(await published(replica)) == len(accepted)


async def test_a_replica_does_not_begin_on_a_full_disk(small_disk: Path) -> None:
    """Nor does it leave half a file, which would be damage ever after."""
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(bytes(1 << 20))
    replica = SqliteReplica(f"sqlite://{small_disk}/dc1.db", timeout=timedelta(seconds=30))

    with pytest.raises(DirectoryUnavailable, match="disk is full"):
        await replica.publish(HUB1, a_certificate().der, NOON)

    assert names(small_disk) == ["ballast"]
    ballast.unlink()
    await replica.publish(HUB1, a_certificate().der, NOON)


async def test_a_replica_that_another_program_made_a_wal_is_written_as_before(replica: SqliteReplica) -> None:
    """A WAL needs shared memory, which hosts that share a disk do not have."""
    await replica.publish(HUB1, a_certificate().der, NOON)
    with closing(sqlite3.connect(replica.file)) as stray:
        stray.execute("PRAGMA journal_mode = WAL")

    await replica.publish(HUB2, a_certificate(HUB2).der, NOON)

    with closing(sqlite3.connect(replica.file)) as stray:
        assert stray.execute("PRAGMA journal_mode").fetchone() == ("delete",)
