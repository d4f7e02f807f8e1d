"""
The embedded directory: a replica is one SQLite file, `sqlite:///srv/dc1.db`.

It needs no server, takes writes wherever it is, and always converges with the others (`contents` says
why).  A file that never existed is an empty replica; one that was read before and is gone is a disk that
is not mounted, a restore gone wrong, an accident: then we could not look, and nothing is put in its place.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from mailtrust.core.model.certificate import Fingerprint, Pin, fingerprint_of, short
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.core.model.trust import Column
from mailtrust.directory import sqlite_rows as rows
from mailtrust.directory.base import Changed, ReplicaState
from mailtrust.directory.contents import Added, Contents, Listens
from mailtrust.directory.sqlite_entries import column, sightings
from mailtrust.directory.sqlite_file import Mark, ReplicaFile
from mailtrust.errors import BadInput, DirectoryUnavailable, PublishRefused

__all__ = ["Contents", "Memory", "SqliteReplica"]

_Result = TypeVar("_Result")
_Work = Callable[[threading.Event], _Result]
_PATIENCE = 0.8
"""Which part of the timeout a lock may take, so that the reason arrives before the deadline."""


class Memory(Protocol):
    """Remembers which replicas were read from here; the journal does."""

    def read_before(self, url: str) -> datetime | None:
        """When a replica was last read; None if never."""

    def remember(self, url: str, now: datetime) -> None:
        """A replica was read.  Never raises."""


class SqliteReplica:
    """
    A `Replica` in one file.  Making one touches nothing.

    Raises: BadInput for a URL that is not ``sqlite://`` and an absolute path.
    """

    takes_writes = True
    replicates_itself = False
    holds_many = True
    remembers_withdrawals = True

    def __init__(self, url: str, *, timeout: timedelta, memory: Memory | None = None) -> None:
        self.url = url
        self._timeout = timeout.total_seconds()
        self._file = ReplicaFile(_path(url), self._timeout * _PATIENCE)
        self._memory = memory
        self._late = 0
        self._looked_at: tuple[Mark] | None = None

    @property
    def file(self) -> Path:
        """Where it is, written in one way."""
        return Path(os.path.normpath(self._file.path))

    async def look(self, servers: Iterable[ServerName] | None, now: datetime) -> Sequence[ReplicaSighting]:
        """One sighting per server, as `Replica.look` has it; the whole file is read and checked."""
        asked = None if servers is None else tuple(servers)
        try:
            return await self._in_time(lambda _: self._sightings(asked, now))
        except DirectoryUnavailable as error:
            why = error.message
            return [ReplicaSighting(server, self.url, None, now, why) for server in asked or ()]

    async def column(self, now: datetime) -> Column:
        """The keys that every server publishes; see `Replica.column`."""

        def work(_: threading.Event) -> Column:
            mark = self._file.mark()
            held = self._read(now)
            self._looked_at = (mark,)
            return column(held)

        try:
            return await self._in_time(work)
        except DirectoryUnavailable as error:
            raise self._of_us(error, "read") from error.__cause__

    async def unchanged(self) -> bool:
        """Always False: the whole file is soon read, and its times cannot tell two writes apart."""
        return False

    async def publish(
        self, server: ServerName, value: bytes, now: datetime, listeners: Sequence[Endpoint] | None = None
    ) -> None:
        """Publish for good; see `Replica.publish`."""
        key = (server, fingerprint_of(value))

        def with_value(held: Contents) -> Contents:
            withdrawn_at = held.withdrawal(*key, value)
            if withdrawn_at is not None:
                raise PublishRefused(
                    f"{short(key[1])} was withdrawn at {withdrawn_at:%Y-%m-%d %H:%M:%SZ},"
                    " and what was withdrawn never returns",
                    hint="make a new certificate: mailtrust new",
                )
            values = {key: Added(now, value), **held.values}
            return replace(held, values=values, listeners=_said(held, server, listeners, now))

        after = await self._write(with_value, now)
        if key not in after.values:
            raise PublishRefused(
                f"{self.url} took {short(key[1])} and does not show it: it was withdrawn just now"
            )

    async def withdraw(self, server: ServerName, fingerprint: Fingerprint, now: datetime) -> None:
        """Withdraw for good, even what was never there; see `Replica.withdraw`."""
        key = (server, fingerprint)
        await self._write(lambda held: replace(held, withdrawn={key: now, **held.withdrawn}).pruned(), now)

    async def withdraw_key(self, server: ServerName, pin: Pin, now: datetime) -> None:
        """Withdraw a key for good; see `Replica.withdraw_key`."""
        key = (server, pin)
        await self._write(
            lambda held: replace(held, withdrawn_keys={key: now, **held.withdrawn_keys}).pruned(), now
        )

    async def contents(self) -> Contents:
        """Everything it holds, for replication.  Raises: DirectoryUnavailable."""
        try:
            return await self._in_time(lambda _: self._read())
        except DirectoryUnavailable as error:
            raise self._of_us(error, "read") from error.__cause__

    async def merge(self, contents: Contents) -> int:
        """
        Take in what another replica holds; how many rows that changed.

        Raises: DirectoryUnavailable, PublishRefused.
        """

        def united(held: Contents) -> Contents:
            return held.united(contents)

        def work(abandoned: threading.Event) -> int:
            held = self._read()
            return 0 if united(held) == held else self._change(united, abandoned)

        for (_, digest), one in contents.values.items():
            if fingerprint_of(one.value) != digest:
                raise PublishRefused(
                    f"{self.url} takes no value with other bytes than its digest: {short(digest)}"
                )
        try:
            return await self._in_time(work)
        except DirectoryUnavailable as error:
            raise self._of_us(error, "written") from error.__cause__

    async def state(self) -> ReplicaState:
        """The replica as a whole.  Never raises."""
        try:
            held = await self._in_time(lambda _: self._read())
        except DirectoryUnavailable as error:
            return ReplicaState(self.url, readable=False, why=error.message)
        return ReplicaState(
            self.url,
            readable=True,
            servers=len({server for server, _ in held.values}),
            values=len(held.values),
            withdrawn=len(held.withdrawn) + len(held.withdrawn_keys),
            changed_at=max(held.moments(), default=None),
        )

    async def watch(self, every: timedelta) -> AsyncGenerator[Changed, None]:
        """Yields after a change since the last look, or since now if there was none yet."""
        known = self._looked_at[0] if self._looked_at else await self._mark()
        again = False
        while True:
            await asyncio.sleep(every.total_seconds())
            mark = await self._mark()
            # A file's times move in steps of milliseconds: a second write in the same one shows in nothing,
            # so that every change is worth another look.
            again, changed = mark != known, mark != known or again
            known = mark
            if changed:
                yield None

    async def close(self) -> None:
        """Nothing is open between pieces of work."""

    async def _mark(self) -> Mark:
        try:
            return await self._in_time(lambda _: self._file.mark())
        except DirectoryUnavailable as error:
            return error.message

    async def _write(self, change: Callable[[Contents], Contents], now: datetime) -> Contents:
        """Apply *change*, and read back what is there then."""

        def work(abandoned: threading.Event) -> Contents:
            held = self._read()
            if change(held) == held:
                return held
            self._change(change, abandoned)
            return self._read(now)

        try:
            return await self._in_time(work)
        except DirectoryUnavailable as error:
            raise self._of_us(error, "written") from error.__cause__

    def _change(self, change: Callable[[Contents], Contents], abandoned: threading.Event) -> int:
        def work(connection: sqlite3.Connection) -> int:
            held = rows.read(connection)
            return rows.write(connection, held, change(held))

        return self._file.write(work, abandoned)

    def _sightings(self, asked: tuple[ServerName, ...] | None, now: datetime) -> list[ReplicaSighting]:
        mark = self._file.mark()
        held = self._read(now)
        self._looked_at = (mark,)
        return sightings(held, asked, self.url, now)

    def _read(self, now: datetime | None = None) -> Contents:
        """What the file holds; empty where it never was."""
        held = self._file.read(rows.read)
        if held is not None:
            if self._memory is not None and now is not None:
                self._memory.remember(self.url, now)
            return held
        read_at = None if self._memory is None else self._memory.read_before(self.url)
        if read_at is not None:
            raise DirectoryUnavailable(
                f"it was read until {read_at:%Y-%m-%d %H:%M}Z and its file is gone",
                hint=f"{rows.MEND}; to begin anew, configure a replica with another file name",
            )
        return Contents()

    async def _in_time(self, work: _Work[_Result]) -> _Result:
        """The result of *work*, done in a thread, or DirectoryUnavailable when the deadline has passed."""
        if self._late:
            # A disk that hangs keeps its thread; more of them would use up everybody's.
            raise DirectoryUnavailable("its file has not answered an earlier question yet")
        abandoned = threading.Event()
        job = asyncio.get_running_loop().run_in_executor(None, work, abandoned)
        try:
            await asyncio.wait({job}, timeout=self._timeout)
        finally:
            if not job.done():
                abandoned.set()
                self._late += 1
                job.add_done_callback(self._came_late)
        if not job.done():
            raise DirectoryUnavailable(
                f"its file did not answer in {self._timeout:g} s", hint="check the disk that it is on"
            )
        return job.result()

    def _came_late(self, job: asyncio.Future[_Result]) -> None:
        self._late -= 1
        if not job.cancelled():
            job.exception()

    def _of_us(self, error: DirectoryUnavailable, participle: str) -> DirectoryUnavailable:
        refused = isinstance(error, PublishRefused)
        verdict = "took nothing" if refused else f"cannot be {participle}"
        return type(error)(f"{self.url} {verdict}: {error.message}", hint=error.hint)


def _path(url: str) -> Path:
    path = url.removeprefix("sqlite://")
    parts = urlsplit(url)
    named = path.startswith("/") and path.strip("/") and not path.endswith("/") and path.isprintable()
    if parts.scheme != "sqlite" or parts.netloc or parts.query or parts.fragment or not named:
        raise BadInput(
            f"{url!r} is not a replica", hint="write sqlite:// and the absolute path: sqlite:///srv/dc1.db"
        )
    # Two slashes at its beginning would be somebody else's file: to SQLite, a host.
    return Path(f"/{path.lstrip('/')}")


def _said(
    held: Contents, server: ServerName, listeners: Sequence[Endpoint] | None, now: datetime
) -> Mapping[ServerName, Listens]:
    """The listeners after a server has spoken; saying the same again changes nothing."""
    before = held.listeners.get(server)
    if listeners is None or (before is not None and before.listeners == tuple(listeners)):
        return held.listeners
    # The last word must be the latest one even where a clock was set back.
    set_at = now if before is None else max(now, before.set_at + timedelta(microseconds=1))
    return {**held.listeners, server: Listens(set_at, tuple(listeners))}
