"""Continuous mail between hubs, and the count of every single message at its end."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mailtrust import clock
from mailtrust.core.events.catalog import PEER_NOT_TRUSTED_INBOUND, PEER_NOT_TRUSTED_OUTBOUND
from mailtrust.lab.member import Member
from mailtrust.lab.organization import Organization
from tests.rotation.counted import Counted

ID = "X-Load-Id: "
_BODY = "From: <load@{sender}>\r\nSubject: load\r\n" + ID + "{id}\r\n\r\n" + 3 * "A line of a message.\r\n"
_MOST_WAITING = 150
_ARRIVES_WITHIN_SECONDS = 300
_NOT_TRUSTED = (PEER_NOT_TRUSTED_INBOUND.code, PEER_NOT_TRUSTED_OUTBOUND.code)


class HubLoad:
    """Each hub sends to each other one, *a_second* messages all together, until `settled`."""

    def __init__(self, organization: Organization, a_second: float) -> None:
        self._organization = organization
        self._members = organization.members
        pairs = list(itertools.permutations(self._members, 2))
        self._every = len(pairs) / a_second
        self._tasks = [asyncio.create_task(self._send(*pair)) for pair in pairs]
        self._began = clock.now()
        self.sent: set[str] = set()

    async def _send(self, sender: Member, recipient: Member) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        for number in itertools.count():
            id_ = f"{sender.short_name}-{recipient.short_name}-{number}"
            assert sender.hub is not None
            body = _BODY.format(sender=sender.name, id=id_).encode()
            await sender.hub.submit(f"load@{sender.name}", (f"box@{recipient.name}",), body, clock.now())
            self.sent.add(id_)
            due = max(due + self._every, loop.time() - 1)
            while sender.hub.waiting() > _MOST_WAITING:  # noqa: ASYNC110  # nobody sets an event
                await asyncio.sleep(0.05)
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def settled(self) -> Counted:
        """Send nothing more, and count when every queue is empty."""
        self.stop()
        for one in self._tasks:
            with suppress(asyncio.CancelledError):
                await one
        hubs = [one.hub for one in self._members if one.hub is not None]
        async with asyncio.timeout(_ARRIVES_WITHIN_SECONDS):
            while any(hub.waiting() for hub in hubs):  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.05)
        counters = [hub.counters for hub in hubs]
        arrived = delivered([one.site.config.transport.maildir for one in self._members])
        return Counted(
            len(self.sent),
            len(self.sent - arrived.keys()),
            sum(count - 1 for count in arrived.values()),
            sum(one.deferred for one in counters),
            sum(one.refused + one.bounced for one in counters),
            self.not_trusted(),
        )

    def not_trusted(self) -> int:
        """How often a hub reported a peer as not trusted since this began."""
        found = [one.site.journal.entries(since=self._began) for one in self._members]
        events = (entry.event for one in found for entry in one)
        return sum(event is not None and event.code in _NOT_TRUSTED for event in events)

    def stop(self) -> None:
        """Whatever became of it."""
        for one in self._tasks:
            one.cancel()


def delivered(maildirs: Sequence[Path]) -> Counter[str]:
    """How often each message is in a mailbox, by its id."""
    found = Counter[str]()
    for maildir in maildirs:
        for file in maildir.glob("*/*/new/*"):
            text = file.read_text("ascii")
            found[text.partition(ID)[2].partition("\n")[0].strip()] += 1
    return found
