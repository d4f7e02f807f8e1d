"""Agents as processes, and what they tell: to the service manager, into the journal, on their output."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from mailtrust.agent.journal import Entry, Journal
from mailtrust.agent.site import Site, open_site
from mailtrust.certificates.store import Store
from mailtrust.config import load
from mailtrust.core.model.sighting import Slot
from tests.loopback import PATIENCE

LONG = 3 * PATIENCE
_NUMBERS = count()
ROOT = Path(__file__).parents[2]


class Systemd:
    """A socket where systemd would listen."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[str] = []
        self._news = asyncio.Event()
        self._plug = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._plug.bind(str(path))
        self._plug.setblocking(False)
        asyncio.get_running_loop().add_reader(self._plug, self._read)

    async def hears(self, line: str, times: int = 1) -> None:
        """Until it was told that, so many times in all."""
        async with asyncio.timeout(LONG):
            while self.heard.count(line) < times:
                self._news.clear()
                await self._news.wait()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._plug)
        self._plug.close()

    def _read(self) -> None:
        with suppress(BlockingIOError):
            while True:
                self.heard += self._plug.recv(4096).decode().splitlines()
                self._news.set()


@dataclass
class RunningAgent:
    """One agent's process."""

    process: asyncio.subprocess.Process
    manager: Systemd

    async def ends(self) -> int:
        """Its exit code."""
        async with asyncio.timeout(LONG):
            return await self.process.wait()

    async def stop(self) -> int:
        """Ask it to, once it is at work; its exit code."""
        await self.manager.hears("READY=1")
        self.process.send_signal(signal.SIGTERM)
        return await self.ends()

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()

    async def said(self) -> str:
        """All that it wrote, after its end."""
        out, err = await self.process.communicate()
        return (out + err).decode()


@asynccontextmanager
async def an_agent(
    folder: Path, *words: object, environment: Mapping[str, str] | None = None
) -> AsyncIterator[RunningAgent]:
    """``mailtrust WORDS`` in that folder, with a service manager; killed by its id at the end if need be."""
    path = folder / f"notify-{next(_NUMBERS)}"
    manager = Systemd(path)
    ours = {"NOTIFY_SOCKET": str(path), "PYTHONPATH": str(ROOT / "src")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mailtrust", *map(str, words), cwd=folder,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **ours, **(environment or {})},
    )  # fmt: skip
    try:
        yield RunningAgent(process, manager)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        # Its pipes are read to their end, so that nothing is left open.
        await process.communicate()
        manager.close()


@dataclass(frozen=True)
class Server:
    """A server of the test, as its files tell."""

    folder: Path
    name: str = "hub1.example.test"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def config(self) -> Path:
        return self.folder / "mailtrust.toml"

    @property
    def journal(self) -> Journal:
        return Journal(self.store)

    @property
    def slots(self) -> dict[Slot, list[str]]:
        """What is in each slot of the store."""
        held: dict[Slot, list[str]] = {}
        for one in Store(self.store).installed():
            held.setdefault(one.slot, []).append(one.certificate.fingerprint)
        return held

    def site(self) -> AbstractAsyncContextManager[Site]:
        """Opened here, beside whatever process has it open."""
        return open_site(load(self.config, {}, default_name=str))

    def url(self, name: str) -> str:
        return f"sqlite://{self.folder / name}.db"

    def configure(self, agent: str = "enrol = true\nreplicate = true", more: str = "") -> None:
        urls = ", ".join(f'"{self.url(name)}"' for name in ("dc1", "dc2"))
        self.config.write_text(
            f"""\
[server]
name = "{self.name}"
store = "{self.store}"
listeners = []
[directory]
home = "{self.url("dc2")}"
primary = "{self.url("dc1")}"
replicas = [{urls}]
[policy]
key = "p256"
probe_timeout = "1s"
spread = "1s"
settle = "1s"
snapshot_max_age = "1s"
[agent]
every = "1s"
{agent}
{more}
"""
        )

    async def comes_to(self, holds: Callable[[Entry], bool], times: int = 1) -> None:
        """Until the journal has so many entries of that kind."""
        await until(lambda: sum(map(holds, self.entries())) >= times)

    def entries(self) -> tuple[Entry, ...]:
        return self.journal.entries()


async def until(holds: Callable[[], object]) -> None:
    """Until that is so; longer than `eventually`."""
    try:
        async with asyncio.timeout(LONG):
            while not holds():  # noqa: ASYNC110  # another process makes it so
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError("it never came to that") from None


def done(action: str) -> Callable[[Entry], bool]:
    return lambda entry: entry.kind.value == "done" and entry.action == action


def raised(code: int) -> Callable[[Entry], bool]:
    return lambda entry: entry.kind.value == "raised" and entry.event is not None and entry.event.code == code


def actions(entries: Iterable[Entry]) -> list[str]:
    return [f"{one.kind.value} {one.action}" for one in entries if one.action]
