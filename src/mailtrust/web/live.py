"""
Looking again and again while somebody watches, and telling every open page when something changed.

Nobody watches: nobody looks, so that a forgotten dashboard costs the directory nothing. A page that is opened
then is told what was known last, with its age, and gets the new look as soon as it is there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from mailtrust.agent.report import moment
from mailtrust.agent.supervision import sentence, told_fault
from mailtrust.errors import MailtrustError
from mailtrust.web.source import NOTHING_YET, Present, Source, failed, present

MOST_WATCHERS = 200
_WATCHED_FOR = timedelta(minutes=2)
"""Whoever asks without watching, as a scraper does, is taken to come again within that time."""
_FIRST_LOOK_WITHIN = timedelta(seconds=3)
_HEARTBEAT = timedelta(seconds=15)
"""A proxy ends a connection on which nothing is said, often after a minute or half of it."""
_MOST_UNTOLD = 3
_RETRY_MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class _Tidings:
    """What is told to whoever watches: another version is fetched, another moment only shown."""

    present: Present

    def event(self) -> bytes:
        """As a server-sent event (HTML Living Standard 9.2)."""
        looked_at = self.present.looked_at
        told = {"version": self.present.version, "looked": moment(looked_at) if looked_at else None}
        return f"retry: {_RETRY_MILLISECONDS}\nevent: look\ndata: {json.dumps(told)}\n\n".encode()


class Live:
    """`run` looks, every *every*; `ask` gives what is known, `watch` tells of each look."""

    def __init__(self, source: Source, every: timedelta) -> None:
        self.every = every
        self._source = source
        self._present = NOTHING_YET
        self._watchers: set[asyncio.Queue[_Tidings | None]] = set()
        self._wanted = asyncio.Event()
        self._looked = asyncio.Event()
        self._asked_at = float("-inf")
        self._is_closed = False

    @property
    def present(self) -> Present:
        """What was known at the last look."""
        return self._present

    @property
    def is_full(self) -> bool:
        """True where nobody else can watch."""
        return len(self._watchers) >= MOST_WATCHERS

    @property
    def is_watched(self) -> bool:
        """True while somebody has a page open."""
        return bool(self._watchers)

    async def run(self) -> None:
        """Look until cancelled, as long as somebody is there to be shown."""
        while True:
            await self._wanted.wait()
            await self.look()
            self._looked.set()
            if not self._is_watched():
                self._wanted.clear()
                self._looked.clear()
            await asyncio.sleep(self.every.total_seconds())

    async def look(self) -> Present:
        """Look once, now; whoever watches is told."""
        try:
            looked = await self._source.look()
            # Of thousands of servers that takes a moment, in which other readers are not to wait.
            self._present = await asyncio.to_thread(present, looked)
        except MailtrustError as error:
            self._present = failed(self._present, sentence(error))
        except Exception as fault:  # noqa: BLE001  # the next look may do better; the page says what it was
            self._present = failed(self._present, told_fault("the dashboard met a fault", fault))
        for one in self._watchers:
            if one.full():
                # Whoever reads slowly wants the latest.
                one.get_nowait()
            one.put_nowait(_Tidings(self._present))
        return self._present

    async def ask(self) -> Present:
        """What is known; where nobody has looked for a while, a look is begun, and waited for a little."""
        self._asked_at = asyncio.get_running_loop().time()
        self._wanted.set()
        if not self._looked.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._looked.wait(), _FIRST_LOOK_WITHIN.total_seconds())
        return self._present

    async def watch(self) -> AsyncIterator[bytes]:
        """Server-sent events: what is known, then each look, until the reader goes or `close` is called."""
        mine: asyncio.Queue[_Tidings | None] = asyncio.Queue(_MOST_UNTOLD)
        self._watchers.add(mine)
        self._wanted.set()
        try:
            yield _Tidings(self._present).event()
            while not self._is_closed:
                try:
                    told = await asyncio.wait_for(mine.get(), _HEARTBEAT.total_seconds())
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if told is None:
                    return
                yield told.event()
        finally:
            self._watchers.discard(mine)

    def close(self) -> None:
        """Let everybody who watches go."""
        self._is_closed = True
        for one in self._watchers:
            if one.full():
                one.get_nowait()
            one.put_nowait(None)

    def _is_watched(self) -> bool:
        now = asyncio.get_running_loop().time()
        return bool(self._watchers) or now - self._asked_at < _WATCHED_FOR.total_seconds()
