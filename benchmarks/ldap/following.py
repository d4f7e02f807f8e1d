"""
Following changes: how soon one is seen at another replica, and what it costs however many entries there are.

Every change is one certificate that takes another's place at one replica, by one write of our client.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks.ldap.organization import certificates, name, organization, ours, searching, settings
from mailtrust.core.model.certificate import fingerprint_of
from mailtrust.directory.ldap_standard import WRITTEN
from mailtrust.directory.ldap_wire import Wire
from mailtrust.ldap.requests import Change, How
from tests import slapd

AT_MOST_MS = 50
PATIENCE = timedelta(seconds=30)
_ENTRIES = 1000
_WARM_UP = 20
_IDLE_SECONDS = 61
"""A snapshot's owner sees once a minute whether its replica answers."""


@asynccontextmanager
async def started(words: Sequence[str | Path]) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, limit=1 << 20)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _said(process: asyncio.subprocess.Process, word: str) -> list[str]:
    """What stands behind the word in the next line, which must begin with it."""
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 300)).decode().split()
    if line[:1] != [word]:
        raise SystemExit(f"said {line} and not {word}")
    return line[1:]


@asynccontextmanager
async def _writer(server: slapd.Server) -> AsyncIterator[Wire]:
    by = settings(server, slapd.ADMIN)
    async with await Wire.open(
        server.ldaps, credentials=by.credentials, ca_file=by.ca_file, timeout=PATIENCE
    ) as wire:
        yield wire


async def _write(wire: Wire, number: int, der: bytes) -> None:
    at = f"cn={name(number)},{slapd.SERVERS}"
    await wire.modify(at, Change(How.REPLACE, WRITTEN, (der,)), timeout=PATIENCE)


def watch(folder: Path, changes: int) -> None:
    """How long from a write at the first of three replicas until it is seen at the second; prints it."""
    with organization(folder, _ENTRIES, replicas=3) as servers:
        seen = asyncio.run(_watched(folder, servers, changes))
    print(
        f"\n{changes} changes at one replica of three, seen at another; milliseconds since the write began\n"
    )
    print(f"{'':28}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}")
    for who, took in seen.items():
        each = _percentiles(took)
        print(f"{who:28}{each[49]:8.1f}{each[94]:8.1f}{each[98]:8.1f}{max(took) * 1000:8.1f}")
    reached = _percentiles(seen["mailtrust"])[94] < AT_MOST_MS
    print(f"p95 under {AT_MOST_MS} ms:", "reached" if reached else "MISSED")


def _percentiles(took: Sequence[float]) -> list[float]:
    return statistics.quantiles([one * 1000 for one in took], n=100, method="inclusive")


async def _watched(folder: Path, servers: Sequence[slapd.Server], changes: int) -> dict[str, list[float]]:
    other = servers[1]
    theirs = ["stdbuf", "-oL", *searching(folder, other), "-LLL", "-H", other.ldaps, "-E", "!sync=rp"]
    took: dict[str, list[float]] = {"written": [], "mailtrust": [], "ldapsearch -E sync=rp": []}
    async with (
        started(ours("watch", other, folder / "snapshot.jsonl")) as watcher,
        started([*theirs, "(objectClass=*)", WRITTEN]) as yardstick,
        _writer(servers[0]) as wire,
    ):
        await _said(watcher, "ready")
        await _refreshed(yardstick)
        for number, der in enumerate(certificates(_WARM_UP + changes)):
            begun = time.monotonic()
            answers = (_ours_saw(watcher, der), _theirs_saw(yardstick, der), _written(wire, number, der))
            ours_at, theirs_at, done_at = await asyncio.wait_for(asyncio.gather(*answers), 30)
            for who, at in zip(took, (done_at, ours_at, theirs_at), strict=True):
                took[who].append(at - begun)
    return {who: each[_WARM_UP:] for who, each in took.items()}


async def _written(wire: Wire, number: int, der: bytes) -> float:
    await _write(wire, number % _ENTRIES, der)
    return time.monotonic()


async def _ours_saw(watcher: asyncio.subprocess.Process, der: bytes) -> float:
    return float((await _said(watcher, fingerprint_of(der)))[0])


async def _refreshed(yardstick: asyncio.subprocess.Process) -> None:
    """It has shown what there was."""
    assert yardstick.stdout is not None
    seen = 0
    while seen < _ENTRIES:
        seen += (await yardstick.stdout.readline()).startswith(WRITTEN.encode())


async def _theirs_saw(yardstick: asyncio.subprocess.Process, der: bytes) -> float:
    assert yardstick.stdout is not None
    wanted = b"%s:: %s\n" % (WRITTEN.encode(), base64.b64encode(der))
    while await yardstick.stdout.readline() != wanted:
        pass
    return time.monotonic()


@dataclass(frozen=True, slots=True)
class Spent:
    """What one process took so far."""

    cpu_seconds: float
    received_bytes: int

    def until(self, later: Spent) -> Spent:
        return Spent(later.cpu_seconds - self.cpu_seconds, later.received_bytes - self.received_bytes)


def keep(folder: Path, sizes: Sequence[int], changes: int) -> None:
    """What a hub's trust snapshot costs by change, and while nothing happens; prints it."""
    folder.mkdir()
    print("\nA trust snapshot kept up to date: of the hub, by change, and in an hour without one\n")
    print(f"{'entries':>9}{'CPU ms/change':>15}{'bytes/change':>14}{'seen in ms, p50':>17}", end="")
    print(f"{'CPU s/hour':>12}{'bytes/hour':>12}")
    with ExitStack() as stack:
        servers = [stack.enter_context(organization(folder / str(size), size))[0] for size in sizes]
        asyncio.run(_all_kept(folder, dict(zip(sizes, servers, strict=True)), changes))


async def _all_kept(folder: Path, servers: dict[int, slapd.Server], changes: int) -> None:
    for line in await asyncio.gather(
        *(_kept(folder / f"{size}.json", server, size, changes) for size, server in servers.items())
    ):
        print(line)


_one_at_a_time = asyncio.Lock()


async def _kept(file: Path, server: slapd.Server, size: int, changes: int) -> str:
    async with started(ours("keep", server, file)) as hub, _writer(server) as wire:
        await _said(hub, "ready")
        async with _one_at_a_time:
            # With the first one comes much that comes once.
            first, *others = certificates(1 + changes)
            await _changed(hub, wire, 0, first)
            before = await _spent(hub, server)
            took = [await _changed(hub, wire, number % size, one) for number, one in enumerate(others)]
            after = await _spent(hub, server)
        await asyncio.sleep(_IDLE_SECONDS)
        idle = await _spent(hub, server)
    changing, waiting = before.until(after), after.until(idle)
    an_hour = 3600 / _IDLE_SECONDS
    return (
        f"{size:9}{changing.cpu_seconds / changes * 1000:15.2f}{changing.received_bytes / changes:14.0f}"
        f"{statistics.median(took) * 1000:17.1f}"
        f"{waiting.cpu_seconds * an_hour:12.2f}{waiting.received_bytes * an_hour:12.0f}"
    )


async def _changed(hub: asyncio.subprocess.Process, wire: Wire, number: int, der: bytes) -> float:
    """How long a change takes until the hub judges by it; on its disk it is then as well."""
    begun = time.monotonic()
    await _write(wire, number, der)
    await _said(hub, "changed")
    return time.monotonic() - begun


async def _spent(hub: asyncio.subprocess.Process, server: slapd.Server) -> Spent:
    assert hub.stdin is not None
    hub.stdin.write(b"\n")
    cpu = float((await _said(hub, "cpu"))[0])
    return Spent(cpu, sum(_received(hub.pid, server.tls_port)))


def _received(pid: int, port: int) -> Iterator[int]:
    """Bytes that came to each of a process's connections to that port, as the kernel counts them."""
    told = subprocess.run(
        ["ss", "-tinpOH", f"dport = :{port}"], capture_output=True, text=True, check=True,
        env={**os.environ, "PATH": os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"},
    ).stdout  # fmt: skip
    for line in told.splitlines():
        if f"pid={pid}," in line and (found := re.search(r"bytes_received:(\d+)", line)):
            yield int(found[1])
