"""Mail between the hubs, every second, and the count of what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mailtrust import clock

if TYPE_CHECKING:
    from mailtrust.lab.organization import Member

_EVERY = timedelta(seconds=1)
_BODY = "Subject: lab {number}\r\n\r\nMessage {number} of the lab.\r\n"


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the mail so far."""

    sent: int
    authenticated: int
    deferred: int
    """Answers 4xx to peers that were not believed; the sender tries again."""
    refused: int
    delivered: int
    waiting: int
    """In a queue."""

    @property
    def lost(self) -> int:
        """Neither delivered nor waiting."""
        return max(0, self.sent - self.delivered - self.waiting - self.refused)


class MailFlow:
    """Every second each hub sends one message to each other hub that it has a route to."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members
        self._sent = 0
        self._past = Counts(0, 0, 0, 0, 0, 0)
        """What hubs counted that were stopped since."""

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self.step()
            await asyncio.sleep(_EVERY.total_seconds())

    async def step(self) -> None:
        """One message from each to each."""
        for sender in self._members:
            for recipient in self._members:
                if sender is not recipient and sender.hub is not None:
                    self._sent += 1
                    await sender.hub.submit(
                        f"postmaster@{sender.name}",
                        (f"postmaster@{recipient.name}",),
                        _BODY.format(number=self._sent).encode(),
                        clock.now(),
                    )
