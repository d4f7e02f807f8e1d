"""What an administrator decides about a hub, with defaults that are safe on one machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from mailtrust.core.model.server import Endpoint, ServerName

Mode = Literal["report", "enforce"]
OnStale = Literal["keep", "defer"]


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """How long a message waits for its next attempt: longer each time, and not all at once."""

    first: timedelta = timedelta(minutes=1)
    factor: float = 2.0
    longest: timedelta = timedelta(hours=1)
    jitter: float = 0.2
    """The share of the wait by which attempts are spread, so that a queue does not return in step."""

    def wait(self, attempts: int, chance: float) -> timedelta:
        """After that many attempts, one at least; *chance* is between 0 and 1."""
        grown = self.first * self.factor ** min(attempts - 1, 30)
        return min(grown, self.longest) * (1 + self.jitter * (chance - 0.5))


@dataclass(frozen=True, slots=True)
class HubLimits:
    """What peers may ask of the hub, and how long it waits for them."""

    connections: int = 500
    connections_per_address: int = 100
    recipients: int = 1000
    received_headers: int = 50
    """A message that passed so many servers is in a loop (RFC 5321 section 6.3)."""
    held_bytes: int = 256 << 20
    """Messages half received, of all sessions together."""
    command_timeout: timedelta = timedelta(minutes=5)
    handshake_timeout: timedelta = timedelta(seconds=30)
    session_timeout: timedelta = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """How the hub behaves as a client."""

    sessions_per_hop: int = 4
    messages_per_session: int = 100
    connect_timeout: timedelta = timedelta(seconds=30)
    reply_timeout: timedelta = timedelta(minutes=5)
    idle_timeout: timedelta = timedelta(seconds=5)
    """How long a session with nothing to send is kept for the next message."""


@dataclass(frozen=True, slots=True)
class HubSettings:
    """One hub."""

    name: ServerName
    binds: tuple[Endpoint, ...]
    """Port 0 takes a free one; `Hub.bound` says which."""
    store: Path
    """The queue lives below it, in a folder of its own."""
    maildir: Path
    local_domains: tuple[str, ...] = ()
    routes: Mapping[str, Endpoint] = field(default_factory=dict)
    """Next hop by recipient domain; ``*`` for every other one."""
    mode: Mode = "enforce"
    peer_modes: Mapping[str, Mode] = field(default_factory=dict)
    """By the peer's address, or for a next hop by its host as the route writes it."""
    on_stale: OnStale = "keep"
    accept_local_from_anybody: bool = False
    queue_lifetime: timedelta = timedelta(days=5)
    message_size_bytes: int = 50 << 20
    snapshot_max_age: timedelta = timedelta(minutes=30)
    retry: RetrySchedule = field(default_factory=RetrySchedule)
    limits: HubLimits = field(default_factory=HubLimits)
    relay: RelayLimits = field(default_factory=RelayLimits)

    def mode_towards(self, peer: str) -> Mode:
        """Whether a peer that is not trusted is turned away, or only counted."""
        return self.peer_modes.get(peer, self.mode)

    def is_local(self, domain: str) -> bool:
        """True for a domain whose mail ends here; *domain* in lower case."""
        return domain in self.local_domains

    def next_hop(self, domain: str) -> Endpoint | None:
        """Where mail for a domain that is not local goes; None: nowhere."""
        return self.routes.get(domain) or self.routes.get("*")
