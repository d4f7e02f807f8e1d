"""What every connection of one hub shares: rules, limits, counters, and the way to the queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from mailtrust.core.events.catalog import PEER_NOT_TRUSTED_INBOUND
from mailtrust.core.model.certificate import Fingerprint
from mailtrust.smtp.answer import Answer
from mailtrust.smtp.server import RecipientJudge, ServerLimits
from mailtrust.transports.base import Raised, Report
from mailtrust.transports.hub import admission
from mailtrust.transports.hub.counters import Counters
from mailtrust.transports.hub.credential import Presented
from mailtrust.transports.hub.message import Message
from mailtrust.transports.hub.queue import Queue
from mailtrust.transports.hub.settings import HubSettings
from mailtrust.transports.hub.tally import Tally
from mailtrust.transports.hub.trust import Trust

# One that hammers us is one stranger, not a thousand.
_REPORT_AGAIN_SECONDS = 1.0
_REPORTED_MOST = 10_000


class Connection(Protocol):
    """An open connection, as those see it who must end it."""

    deadline: float
    """On the loop's clock."""

    @property
    def is_idle(self) -> bool:
        """True while no message is half received or half stored."""

    def time_out(self) -> None:
        """It waited too long."""

    def dismiss(self, answer: Answer) -> None:
        """Say a last word and close."""


@dataclass(slots=True)
class Reception:
    """See the module."""

    settings: HubSettings
    presented: Presented
    trust: Trust
    queue: Queue
    counters: Counters
    report: Report
    now: Callable[[], datetime]
    tasks: asyncio.TaskGroup
    stored: Callable[[Message], None]
    """Called with each message that is on disk."""
    tally: Tally
    limits: ServerLimits = field(init=False)
    open: set[Connection] = field(default_factory=set)
    held_bytes: int = 0
    _per_address: dict[str, int] = field(default_factory=dict)
    _reported: dict[tuple[str, str], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.limits = ServerLimits(
            message_size_bytes=self.settings.message_size_bytes, recipients=self.settings.limits.recipients
        )

    def has_room_for(self, address: str) -> bool:
        """Whether one more connection from there is fine."""
        limits = self.settings.limits
        taken = self._per_address.get(address, 0)
        return len(self.open) < limits.connections and taken < limits.connections_per_address

    def enter(self, connection: Connection, address: str) -> None:
        """One more."""
        self.open.add(connection)
        self._per_address[address] = self._per_address.get(address, 0) + 1

    def leave(self, connection: Connection, address: str) -> None:
        """One less; a connection that never entered does no harm."""
        if connection not in self.open:
            return
        self.open.discard(connection)
        self._per_address[address] -= 1
        if not self._per_address[address]:
            del self._per_address[address]

    def sweep(self, moment: float) -> None:
        """Close what has waited too long; call it often."""
        for connection in [one for one in self.open if one.deadline < moment]:
            connection.time_out()

    def judge_trusted(self, address: str) -> Answer | None:
        """For a peer whose key is published."""
        return self._counted(admission.trusted_recipient(self.settings, address))

    def judge_reported(self, address: str) -> Answer | None:
        """For any other, in report mode."""
        return self._counted(admission.reported_recipient(self.settings, address))

    def judge_local_or(self, otherwise: Answer) -> RecipientJudge:
        """For any other, where anybody may send to us."""
        return lambda address: self._counted(admission.local_recipient(self.settings, address, otherwise))

    def count(self, answer: Answer) -> Answer:
        """The same answer, counted as what it is."""
        if answer.code < 500:
            self.counters.deferred += 1
        else:
            self.counters.refused += 1
        return answer

    def report_stranger(self, address: str, subject: str, fingerprint: Fingerprint) -> None:
        """Raise 1036, unless the same one was raised a moment ago."""
        moment = asyncio.get_running_loop().time()
        if moment - self._reported.get((address, fingerprint), float("-inf")) < _REPORT_AGAIN_SECONDS:
            return
        if len(self._reported) >= _REPORTED_MOST:
            self._reported.clear()
        self._reported[address, fingerprint] = moment
        values = {"subject": subject, "fingerprint": fingerprint, "address": address}
        self.report(Raised(PEER_NOT_TRUSTED_INBOUND, self.settings.name, address, values))

    def _counted(self, answer: Answer | None) -> Answer | None:
        return None if answer is None else self.count(answer)
