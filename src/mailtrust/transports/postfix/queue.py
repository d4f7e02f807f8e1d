"""
What `postqueue -j` prints, read: one JSON object a line, a message with its recipients and their reasons.

Postfix does not say there where a message goes next: that is in its transport tables, which the caller has
asked (`Hops`).  Nor does it say when it is tried again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mailtrust.core.why import Waiting
from mailtrust.errors import TransportUnavailable

Hops = Callable[[str], str]
"""The next hop of a recipient's address, ``[host]:port`` or a domain; empty where it is not known."""

# "host mx1[192.0.2.1] said: 454 4.7.1 … (in reply to RCPT TO command)", or "refused to talk to me: 421 …".
_SAID = re.compile(
    r"host \S+ (?:said|refused to talk to me): (\d{3}[ -].*?)(?: \(in reply to [^()]*\))?\Z", re.S
)
_ADDRESS = re.compile(
    r"(?:connect to|host|conversation with|lost connection with) \S*\[([0-9A-Fa-f.:]+)\](?::(\d+))?"
)


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long Postfix tries a message; one without a sender, a report, has its own time."""

    messages: timedelta = timedelta(days=5)
    """`maximal_queue_lifetime`; Postfix's default."""
    reports: timedelta = timedelta(days=5)
    """`bounce_queue_lifetime`."""


_ON_HOLD = "on hold"


@dataclass(frozen=True, slots=True)
class Queued:
    """One message of the queue, as Postfix says it."""

    id: str
    queue: str
    """``deferred``, ``active``, ``incoming``, ``hold``, ``maildrop``."""
    arrived_at: datetime
    sender: str
    """Empty for the null sender."""
    recipients: tuple[tuple[str, str], ...]
    """Address and reason; the reason is empty before the first attempt."""


def queued(output: str) -> tuple[Queued, ...]:
    """The messages in the output of `postqueue -j`.  Raises: TransportUnavailable for anything else."""
    return tuple(_message(line) for line in output.splitlines() if line.strip())


def waiting(messages: Iterable[Queued], hop_of: Hops, lifetimes: Lifetimes) -> tuple[Waiting, ...]:
    """What waits, each message once for every next hop and reason that its recipients have."""
    return tuple(one for message in messages for one in _waiting(message, hop_of, lifetimes))


def answer(reason: str) -> str:
    """What the next hop said, by the reason; empty where these are Postfix's own words."""
    found = _SAID.search(reason)
    return " ".join(found[1].split()) if found else ""


def address(reason: str) -> str:
    """The address that Postfix spoke with or called, ``[host]:port``; empty where the reason names none."""
    found = _ADDRESS.search(reason)
    if not found:
        return ""
    return f"[{found[1]}]:{found[2]}" if found[2] else f"[{found[1]}]"


def _waiting(message: Queued, hop_of: Hops, lifetimes: Lifetimes) -> Iterator[Waiting]:
    groups: dict[tuple[str, str], list[str]] = {}
    for recipient, tried in message.recipients:
        hop = hop_of(recipient) or address(tried)
        # What its last try came to keeps it no longer.
        reason = _ON_HOLD if message.queue == "hold" else tried
        groups.setdefault((hop, reason), []).append(recipient)
    lifetime = lifetimes.messages if message.sender else lifetimes.reports
    ends_at = None if message.queue == "hold" else message.arrived_at + lifetime
    for (hop, reason), recipients in groups.items():
        said = answer(reason)
        yield Waiting(
            message.id, hop, tuple(sorted({_domain(one) for one in recipients})), message.arrived_at,
            said, "" if said else reason, None, ends_at,
        )  # fmt: skip


def _message(line: str) -> Queued:
    try:
        value: dict[str, Any] = json.loads(line)
        recipients = tuple(
            (str(one["address"]), " ".join(str(one.get("delay_reason", "")).split()))
            for one in value["recipients"]
        )
        return Queued(
            str(value["queue_id"]), str(value["queue_name"]),
            datetime.fromtimestamp(int(value["arrival_time"]), UTC),
            "" if value["sender"] in ("", "MAILER-DAEMON", "<>") else str(value["sender"]), recipients,
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, OverflowError, OSError) as error:
        raise TransportUnavailable("what postqueue printed is no queue that we can read") from error


def _domain(recipient: str) -> str:
    return recipient.rpartition("@")[2].lower()
