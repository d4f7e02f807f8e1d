"""Mail between the hubs, every second, and the count of what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import timedelta

from mailtrust import clock
from mailtrust.lab.member import Member
from mailtrust.transports.hub.counters import Counters

_EVERY = timedelta(seconds=1)
_SETTLE_WITHIN = timedelta(seconds=15)
_BODY = "From: <postmaster@{sender}>\r\nSubject: lab {number}\r\n\r\nMessage {number} of the lab.\r\n"


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the mail so far."""

    sent: int
    authenticated: int
    """Messages that a hub took from a peer whose key is published."""
    deferred: int
    """Answers 4xx to peers that were not believed, and next hops not believed; the sender tries again."""
    refused: int
    delivered: int
    waiting: int
    """In a queue."""

    @property
    def lost(self) -> int:
        """Neither delivered nor waiting."""
        return max(0, self.sent - self.delivered - self.waiting - self.refused)

    def __str__(self) -> str:
        return (
            f"{self.sent} sent, {self.delivered} delivered, {self.waiting} waiting, {self.refused} refused, "
            f"{self.lost} lost; {self.authenticated} authenticated, {self.deferred} times deferred and "
            "tried again"
        )


class MailFlow:
    """Every second each hub that runs sends one message to each other one."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members
        self._sent = 0
        self._sending = asyncio.Event()
        self._sending.set()
        self._past = Counters()
        """What hubs counted that were stopped since."""

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._sending.wait()
            await self.step()
            await asyncio.sleep(_EVERY.total_seconds())

    def resume(self) -> None:
        """Send again, after `settled`."""
        self._sending.set()

    async def step(self) -> None:
        """One message from each to each."""
        for sender in self._members:
            for recipient in self._members:
                if sender is not recipient and sender.hub is not None:
                    self._sent += 1
                    body = _BODY.format(sender=sender.name, number=self._sent).encode()
                    await sender.hub.submit(
                        f"postmaster@{sender.name}", (f"postmaster@{recipient.name}",), body, clock.now()
                    )

    def remember(self, counters: Counters) -> None:
        """Keep what a hub counted that ends now."""
        self._past = _sum((self._past, counters))

    async def counts(self) -> Counts:
        """What became of the mail so far."""
        total = _sum((self._past, *(one.hub.counters for one in self._members if one.hub is not None)))
        waiting = sum([await one.waiting() for one in self._members])
        return Counts(
            self._sent, total.authenticated, total.deferred, total.refused + total.bounced, total.delivered,
            waiting,
        )  # fmt: skip

    async def settled(self) -> Counts:
        """The count after the last message has arrived, or after a while; nothing is sent any more."""
        self._sending.clear()
        deadline = clock.now() + _SETTLE_WITHIN
        counted = await self.counts()
        while (counted.waiting or counted.lost) and clock.now() < deadline:
            await asyncio.sleep(0.1)
            counted = await self.counts()
        return counted


def _sum(counted: Sequence[Counters]) -> Counters:
    return Counters(*(sum(getattr(one, field.name) for one in counted) for field in fields(Counters)))
