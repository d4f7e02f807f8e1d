"""Replication links that lag, and that can be cut and healed."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import datetime, timedelta

from mailtrust import clock
from mailtrust.directory.sqlite import Contents, SqliteReplica
from mailtrust.errors import DirectoryUnavailable

_LOOK_EVERY = timedelta(milliseconds=200)


class Links:
    """Brings what one replica holds to every other, no earlier than *lag* after it was seen there."""

    def __init__(self, replicas: tuple[SqliteReplica, ...], lag: timedelta) -> None:
        self.lag = lag
        self.cut: set[str] = set()
        """URLs of replicas that neither give nor take."""
        self._replicas = replicas
        self._under_way: deque[tuple[datetime, str, Contents]] = deque()
        self._sent: dict[str, Contents] = {}

    async def run(self) -> None:
        """Replicate until cancelled.  A replica that cannot be read or written is tried again."""
        while True:
            await self.step(clock.now())
            await asyncio.sleep(_LOOK_EVERY.total_seconds())

    async def step(self, now: datetime) -> None:
        """One round: take what is new, deliver what is due."""
        for source in self._replicas:
            if source.url not in self.cut:
                await self._take(source, now)
        held = deque[tuple[datetime, str, Contents]]()
        while self._under_way:
            taken_at, source_url, contents = self._under_way.popleft()
            # What is under way when a link is cut is lost; healing sends everything again.
            if source_url in self.cut:
                continue
            if now - taken_at < self.lag:
                held.append((taken_at, source_url, contents))
            else:
                await self._deliver(source_url, contents)
        self._under_way = held

    def heal(self, url: str) -> None:
        """Mend a link; everything is offered again, as replication does after a break."""
        self.cut.discard(url)
        self._sent.clear()

    async def _take(self, source: SqliteReplica, now: datetime) -> None:
        try:
            contents = await source.contents()
        except DirectoryUnavailable:
            return
        if contents != self._sent.get(source.url):
            self._sent[source.url] = contents
            self._under_way.append((now, source.url, contents))

    async def _deliver(self, source_url: str, contents: Contents) -> None:
        for target in self._replicas:
            if target.url != source_url and target.url not in self.cut:
                try:
                    await target.merge(contents)
                except DirectoryUnavailable:
                    # Offered again as soon as it can be read.
                    self._sent.pop(source_url, None)
