"""What goes one way together: a backlog, those who work on it, and what they know about the way."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from mailtrust.smtp.delivery import Deferred
from mailtrust.transports.hub.admission import LOCAL
from mailtrust.transports.hub.message import Message
from mailtrust.transports.hub.next_hop import NextHop
from mailtrust.transports.hub.queue import Job

Key = tuple[int, int]
"""A recipient: its message, and its position there."""
_RECENT_BYTES = 16 << 20


@dataclass(slots=True)
class Lane:
    """One way out; *hop* as `Job.hop` has it."""

    hop: str
    backlog: deque[Job] = field(default_factory=deque)
    workers: int = 0
    idle: int = 0
    """Workers with an open session and nothing to send."""
    opening: bool = False
    """A worker is on its way to a session."""
    left_out: bool = False
    """The queue holds more for this lane than the backlog."""
    down_until: float = float("-inf")
    """On the loop's clock: until then nobody tries again, because of *down_because*."""
    down_because: Deferred = field(default_factory=lambda: Deferred(""))
    next_hop: NextHop | None = None
    _closed: bool = False
    _filled: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_remote(self) -> bool:
        """True where a session is needed."""
        return self.hop not in ("", LOCAL)

    def put(self, job: Job) -> None:
        """Add to the end."""
        self.backlog.append(job)
        self._filled.set()

    def put_back(self, job: Job) -> None:
        """It was taken and not tried."""
        self.backlog.appendleft(job)
        self._filled.set()

    def take(self) -> Job | None:
        """The next one; None when there is none, or nothing is to be begun any more."""
        if self._closed or not self.backlog:
            return None
        job = self.backlog.popleft()
        if not self.backlog:
            self._filled.clear()
        return job

    async def wait(self) -> None:
        """Until there is something to take, or nothing ever will be."""
        self.idle += 1
        try:
            await self._filled.wait()
        finally:
            self.idle -= 1

    def close(self) -> None:
        """Begin nothing more."""
        self._closed = True
        self._filled.set()


class Recent:
    """The contents of messages that arrived just now, so that most need not be read from disk again."""

    def __init__(self) -> None:
        self._contents: dict[int, bytes] = {}
        self._bytes = 0

    def remember(self, message: Message) -> None:
        """Unless too much is remembered already."""
        if self._bytes + len(message.content) <= _RECENT_BYTES:
            self._contents[message.id] = message.content
            self._bytes += len(message.content)

    def content(self, message: int) -> bytes | None:
        """None: ask the queue."""
        return self._contents.get(message)

    def forget(self, message: int) -> None:
        """It was tried; the queue still has it where that did not help."""
        content = self._contents.pop(message, None)
        self._bytes -= len(content or b"")
