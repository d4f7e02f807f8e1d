"""
Replication links between embedded replicas, that lag, and that can be cut and healed.

A directory server of the large kind does this by itself.  Ours are files, and somebody has to carry what
one holds to the others; how late it arrives is what the rest of mailtrust is about.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailtrust import clock
from mailtrust.directory.sqlite import Contents, SqliteReplica
from mailtrust.errors import DirectoryUnavailable

LOOK_EVERY = timedelta(milliseconds=200)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one replica held, as another one took it in."""

    source: str
    target: str
    rows: int
    """How many of them were new there; never 0."""


class Links:
    """Brings what one replica holds to every other, no earlier than *lag* after it was seen there."""

    def __init__(self, replicas: tuple[SqliteReplica, ...], lag: timedelta) -> None:
        self.lag = lag
        self.cut: set[str] = set()
        """URLs of replicas that neither give nor take."""
        self.unreachable: dict[str, str] = {}
        """By URL, why a replica could not be read or written in the last round."""
        self._replicas = replicas
        self._under_way: deque[tuple[datetime, str, Contents]] = deque()
        self._sent: dict[str, Contents] = {}

    async def run(self) -> None:
        """Replicate until cancelled.  A replica that cannot be read or written is tried again."""
        while True:
            await self.step(clock.now())
            await asyncio.sleep(LOOK_EVERY.total_seconds())

    async def step(self, now: datetime) -> tuple[Delivered, ...]:
        """One round: take what is new, deliver what is due."""
        self.unreachable = {}
        for source in self._replicas:
            if source.url not in self.cut:
                await self._take(source, now)
        held = deque[tuple[datetime, str, Contents]]()
        delivered: list[Delivered] = []
        while self._under_way:
            taken_at, source_url, contents = self._under_way.popleft()
            # What is under way when a link is cut is lost; healing sends everything again.
            if source_url in self.cut:
                continue
            if now - taken_at < self.lag:
                held.append((taken_at, source_url, contents))
            else:
                delivered += await self._deliver(source_url, contents)
        self._under_way = held
        return tuple(delivered)

    def heal(self, url: str) -> None:
        """Mend a link; everything is offered again, as replication does after a break."""
        self.cut.discard(url)
        self._sent.clear()

    async def _take(self, source: SqliteReplica, now: datetime) -> None:
        try:
            contents = await source.contents()
        except DirectoryUnavailable as error:
            self.unreachable[source.url] = error.message
            return
        if contents != self._sent.get(source.url):
            self._sent[source.url] = contents
            self._under_way.append((now, source.url, contents))

    async def _deliver(self, source_url: str, contents: Contents) -> list[Delivered]:
        delivered = []
        for target in self._replicas:
            if target.url == source_url or target.url in self.cut:
                continue
            try:
                rows = await target.merge(contents)
            except DirectoryUnavailable as error:
                # Offered again as soon as it can be read.
                self._sent.pop(source_url, None)
                self.unreachable.setdefault(target.url, error.message)
                continue
            if rows:
                delivered.append(Delivered(source_url, target.url, rows))
        return delivered
