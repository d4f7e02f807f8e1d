"""
What became of an attempt, written down: done, to be tried again, or given up and reported to its sender.

A message is given up for one of two reasons: a server said no for good, or it has waited longer than
the queue keeps anything.  Both, and the report to the sender, reach the disk in one commit.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from datetime import datetime

from mailtrust.smtp.delivery import Deferred, Delivered, Outcome, Rejected
from mailtrust.smtp.reply import Reply
from mailtrust.transports.hub.admission import LOCAL
from mailtrust.transports.hub.bounce import GivenUp, bounce
from mailtrust.transports.hub.counters import Counters
from mailtrust.transports.hub.message import Message
from mailtrust.transports.hub.queue import Job, Postponed, Queue, QueueFull, Settlement
from mailtrust.transports.hub.settings import HubSettings

IN_THE_MAILBOX = Delivered(Reply(250, ("2.0.0 in the mailbox",)))
_EXPIRED = "4.4.7"
_REFUSED = "5.0.0"
_FULL_PAUSE_SECONDS = 5.0


class Outcomes:
    """The relay's way to write to the queue.  *chance* spreads retries, between 0 and 1."""

    def __init__(
        self,
        settings: HubSettings,
        queue: Queue,
        counters: Counters,
        now: Callable[[], datetime],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._counters = counters
        self._now = now
        self._chance = chance

    async def write(self, job: Job, outcomes: Mapping[int, Outcome]) -> bool:
        """
        Put the outcomes, by position, on disk; a full disk is waited for.

        True if something is in the queue now that will fall due: a retry, or a report to the sender.
        """
        now = self._now()
        due = self._next_try(job, now)
        given_up = {
            position: self._given_up(job, position, outcome)
            for position, outcome in outcomes.items()
            if isinstance(outcome, Rejected) or (isinstance(outcome, Deferred) and due is None)
        }
        delivered = tuple(at for at, outcome in outcomes.items() if isinstance(outcome, Delivered))
        postponed = tuple(
            Postponed(at, due, str(outcome.reply or ""), outcome.why)
            for at, outcome in outcomes.items()
            if isinstance(outcome, Deferred) and due is not None
        )
        reports = await self._reports(job, tuple(given_up.values()), now)
        done = delivered + tuple(given_up)
        await self._settle(Settlement(job.message, done, postponed, reports))
        self._count(job, len(delivered), len(given_up))
        return bool(postponed or reports)

    def _next_try(self, job: Job, now: datetime) -> datetime | None:
        ends_at = job.accepted_at + self._settings.queue_lifetime
        if now >= ends_at:
            return None
        # The last attempt is at the end itself, not up to an hour later.
        return min(now + self._settings.retry.wait(job.attempts + 1, self._chance()), ends_at)

    def _given_up(self, job: Job, position: int, outcome: Rejected | Deferred) -> GivenUp:
        reply = outcome.reply
        if isinstance(outcome, Deferred):
            status, why = _EXPIRED, f"it was tried for too long; the last time, {outcome.why}"
        else:
            status, why = str((reply and reply.enhanced) or _REFUSED), outcome.why
        hop = "" if job.hop == LOCAL else job.hop
        return GivenUp(job.recipients[position], status, str(reply or ""), why, hop)

    async def _reports(self, job: Job, given_up: tuple[GivenUp, ...], now: datetime) -> tuple[Message, ...]:
        if not given_up or not job.sender:
            return ()
        content = await self._content(job) or b""
        report = bounce(
            self._queue.next_id(), job.message, job.sender, given_up, content,
            by=self._settings.name, accepted_at=job.accepted_at, now=now,
        )  # fmt: skip
        return (report,)

    async def _content(self, job: Job) -> bytes | None:
        try:
            return await self._queue.content(job)
        except QueueFull:
            return None

    async def _settle(self, settlement: Settlement) -> None:
        # Until it is written the recipients stay ours; trying them again would be sending them twice.
        while True:
            try:
                await self._queue.settle(settlement)
            except QueueFull:
                await asyncio.sleep(_FULL_PAUSE_SECONDS)
            else:
                return

    def _count(self, job: Job, delivered: int, given_up: int) -> None:
        if job.hop == LOCAL:
            self._counters.delivered += delivered
        else:
            self._counters.relayed += delivered
        self._counters.bounced += given_up
