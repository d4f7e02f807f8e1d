"""The lab's embedded replicas: files in its folder, and links in its own process that unite them."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

from mailtrust.core.model.server import ServerName
from mailtrust.directory.links import Links
from mailtrust.directory.sqlite import Memory, SqliteReplica

_TIMEOUT = timedelta(seconds=3)


class EmbeddedReplicas:
    """`Replicas` in SQLite files; `open_embedded` makes and ends them."""

    kind = "SQLite files"
    every_replica_takes_writes = True
    damaged = "the file of a replica is written over"
    repaired = "the file comes back from its backup"

    def __init__(self, folder: Path, count: int, memory: Memory) -> None:
        self.urls = tuple(f"sqlite://{folder}/dc{number}.db" for number in range(1, count + 1))
        files = tuple(SqliteReplica(url, timeout=_TIMEOUT, memory=memory) for url in self.urls)
        self.links = Links(files, timedelta(0))

    @property
    def lag(self) -> timedelta:
        """That of the links."""
        return self.links.lag

    @lag.setter
    def lag(self, lag: timedelta) -> None:
        self.links.lag = lag

    def name(self, url: str) -> str:
        """``dc1``."""
        return _file(url).stem

    def delay(self, url: str, lag: timedelta) -> None:
        """By its links."""
        self.links.lags[url] = lag

    def settings(self, server: ServerName) -> Mapping[str, str]:  # noqa: ARG002  # nobody signs in to a file
        """None."""
        return {}

    async def cut(self, url: str) -> None:
        """Cut its links."""
        self.links.cut.add(url)

    async def heal(self, url: str) -> None:
        """Mend its links."""
        self.links.heal(url)

    async def damage(self, url: str) -> None:
        """Write over its file, as a stray program would."""
        if not _backup(url).exists():
            shutil.copy2(_file(url), _backup(url))
        _file(url).write_bytes(b"not a database any more\n" * 400)

    async def repair(self, url: str) -> None:
        """Put its file back."""
        if _backup(url).exists():
            _backup(url).replace(_file(url))

    @asynccontextmanager
    async def restored_afterwards(self, url: str) -> AsyncIterator[None]:
        """Keep a copy of its file."""
        shutil.copy2(_file(url), _backup(url))
        try:
            yield
        finally:
            _backup(url).replace(_file(url))

    def garbage(self, server: ServerName) -> bytes:  # noqa: ARG002  # a file takes anything, from anybody
        """Any bytes."""
        return os.urandom(200)


@asynccontextmanager
async def open_embedded(folder: Path, count: int, memory: Memory) -> AsyncIterator[EmbeddedReplicas]:
    """
    That many replicas in that folder, which is there and stays.

    *memory* knows which files were read: one that is gone then is not made anew.
    """
    replicas = EmbeddedReplicas(folder, count, memory)
    replicating = asyncio.create_task(replicas.links.run())
    try:
        yield replicas
    finally:
        replicating.cancel()
        with suppress(asyncio.CancelledError):
            await replicating


def _file(url: str) -> Path:
    return Path(url.removeprefix("sqlite://"))


def _backup(url: str) -> Path:
    return _file(url).with_suffix(".backup")
