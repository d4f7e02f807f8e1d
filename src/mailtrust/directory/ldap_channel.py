"""
One connection that many ask through at once: each gets the answers to its own request, in its own box.

Nothing here waits, and there is no task to leak: what arrives is put into boxes as it comes, and timers look
after the rest.

*A hung server* says nothing, and neither does a quiet one.  While somebody watches, a silent server is asked
now and then for its root; one that does not even answer that is left.

*Memory*: when watchers take less than comes, the server is left waiting; but never while somebody else waits
for an answer, which may be a watcher's own question, standing behind what it has not taken.  Above four
times the limit the connection is ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from mailtrust.directory.ldap_answers import Box, lost
from mailtrust.directory.ldap_link import Link
from mailtrust.errors import DirectoryUnavailable
from mailtrust.ldap import filters
from mailtrust.ldap.connection import Connection, Ended, Limits
from mailtrust.ldap.requests import NO_ATTRIBUTES, Request, Scope, Search
from mailtrust.ldap.responses import Control

_ROOT = Search("", Scope.BASE, filters.EVERYTHING, (NO_ATTRIBUTES,))


@dataclass(frozen=True, slots=True)
class Settings:
    """What one connection may take."""

    message_bytes: int = 16 * 1024 * 1024
    """The longest message, of the server's and of ours; Samba and OpenLDAP hang up above that."""
    held_bytes: int = 32 * 1024 * 1024
    """What is kept in memory of answers that nobody took yet, and of one search's or page's entries."""
    requests: int = 64
    """Open at once; more of them wait.  OpenLDAP drops a client with too many."""
    watches: int = 16
    """Open at once; one more is refused.  Active Directory takes five."""
    quiet: timedelta = timedelta(seconds=30)
    """How long a server may be silent while somebody watches, until it is asked whether it is alive."""
    alive_within: timedelta = timedelta(seconds=10)
    """How long it may take to answer that."""


class Channel:
    """One connection to the server that *url* names, before or after it is made."""

    def __init__(self, url: str, settings: Settings, *, confidential: bool) -> None:
        self.url = url
        self.settings = settings
        self.link = Link(self._heard, self._lost)
        self.connection = Connection(confidential=confidential, limits=Limits(settings.message_bytes))
        self.why_ended: str | None = None
        """Why nothing more will come, to stand behind the server's name; None while something may."""
        self.watches = 0
        self._boxes: dict[int, Box] = {}
        self._held = 0
        self._paused = False
        self._heard_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._pulse: Box | None = None

    def post(self, request: Request, controls: Iterable[Control] = ()) -> Box:
        """
        Send a request; its answers come into the box.  `drop` it in the end.

        Raises: DirectoryUnavailable if the connection has ended, and nothing was sent; Refused.
        """
        if self.why_ended is not None:
            raise lost(self.url, request, self.why_ended, sent=False)
        box = Box(self.connection.send(request, controls), self._taken)
        self._boxes[box.number] = box
        self.link.send(self.connection.take_output())
        self._balance()
        return box

    def drop(self, box: Box) -> None:
        """Want nothing more of a request: one that is still open is abandoned."""
        self._boxes.pop(box.number, None)
        box.forget()
        if not box.is_finished and self.why_ended is None and self.connection.abandon(box.number):
            self.link.send(self.connection.take_output())

    def begin_watch(self) -> None:
        """From here on see to it that the server is alive."""
        if self.watches >= self.settings.watches:
            raise DirectoryUnavailable(
                f"{self.url} is watched {self.watches} times on one connection already"
            )
        self.watches += 1
        if self._timer is None:
            self._wait(self.settings.quiet)

    def end_watch(self) -> None:
        """One watch less."""
        self.watches -= 1
        self._balance()

    def abort(self, why: str) -> None:
        """End it at once; everybody who waits hears *why*."""
        self._finish(why)
        self.link.abort(why)

    async def close(self) -> None:
        """Say goodbye and end it; everybody who still waits hears of it."""
        if self.why_ended is None:
            self.connection.unbind()
            self.link.send(self.connection.take_output())
        self._finish("was left by us")
        await self.link.close()

    def _heard(self, data: bytes) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        for event in self.connection.receive(data):
            if isinstance(event, Ended):
                self.abort(event.why)
                return
            box = self._boxes.get(event.message_id)
            if box is not None:
                self._held += box.put(event)
        self._balance()

    def _lost(self, why: str) -> None:
        events = self.connection.hung_up()
        last = events[-1] if events else None
        self._finish(why or (last.why if isinstance(last, Ended) else "closed the connection"))

    def _finish(self, why: str) -> None:
        if self.why_ended is not None:
            return
        self.why_ended = why
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for box in tuple(self._boxes.values()):
            box.lose(why)

    def _taken(self, freed_bytes: int) -> None:
        self._held -= freed_bytes
        if self._paused:
            self._balance()

    def _balance(self) -> None:
        most = self.settings.held_bytes
        if self._held > 4 * most:
            self.abort("sent more than was taken")
            return
        only_watches = len(self.connection.open_requests) <= self.watches
        wants_pause = only_watches and self._held > (most // 2 if self._paused else most)
        if wants_pause != self._paused:
            self._paused = wants_pause
            self._heard_at = asyncio.get_running_loop().time()
            (self.link.pause if wants_pause else self.link.resume)()

    def _wait(self, time: timedelta) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(time.total_seconds(), self._look_for_life)

    def _look_for_life(self) -> None:
        self._timer = None
        if self.why_ended is not None or not self.watches:
            return
        if self._pulse is not None:
            self._judge_life(self._pulse)
            return
        silent = timedelta(seconds=asyncio.get_running_loop().time() - self._heard_at)
        if self._paused or silent < self.settings.quiet:
            self._wait(self.settings.quiet - (timedelta() if self._paused else silent))
            return
        self._pulse = self.post(_ROOT)
        self._wait(self.settings.alive_within)

    def _judge_life(self, asked: Box) -> None:
        self._pulse = None
        is_alive = asked.is_finished
        self.drop(asked)
        if is_alive:
            self._wait(self.settings.quiet)
            return
        seconds = self.settings.alive_within.total_seconds()
        self.abort(f"hangs: it did not say within {seconds:g} seconds that it is alive")
