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


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """What was seen at one replica, and has not reached another one yet."""

    taken_at: datetime
    source: str
    target: SqliteReplica
    contents: Contents


class Links:
    """Brings what one replica holds to every other, no earlier than *lag* after it was seen there."""

    def __init__(self, replicas: tuple[SqliteReplica, ...], lag: timedelta) -> None:
        self.lag = lag
        self.lags: dict[str, timedelta] = {}
        """By URL, replicas whose links lag otherwise, in both directions."""
        self.cut: set[str] = set()
        """URLs of replicas that neither give nor take."""
        self.unreachable: dict[str, str] = {}
        """By URL, why a replica could not be read or written in the last round."""
        self._replicas = replicas
        self._under_way: deque[_UnderWay] = deque()
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
        held = deque[_UnderWay]()
        delivered: list[Delivered] = []
        while self._under_way:
            one = self._under_way.popleft()
            # What is under way when a link is cut is lost; healing sends everything again.
            if {one.source, one.target.url} & self.cut:
                continue
            if now - one.taken_at < self._lag_between(one.source, one.target.url):
                held.append(one)
            else:
                delivered += await self._deliver(one)
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
            targets = (one for one in self._replicas if one is not source)
            self._under_way += (_UnderWay(now, source.url, one, contents) for one in targets)

    async def _deliver(self, one: _UnderWay) -> list[Delivered]:
        try:
            rows = await one.target.merge(one.contents)
        except DirectoryUnavailable as error:
            # Offered again as soon as it can be read.
            self._sent.pop(one.source, None)
            self.unreachable.setdefault(one.target.url, error.message)
            return []
        return [Delivered(one.source, one.target.url, rows)] if rows else []

    def _lag_between(self, *urls: str) -> timedelta:
        return max((self.lags[url] for url in urls if url in self.lags), default=self.lag)
