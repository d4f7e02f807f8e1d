"""
Who believes whom: the trust snapshot.

A snapshot is one replica's published column, frozen.  A peer is trusted when the key it presents
stands in it.  Names, dates and issuers do not matter here: the directory vouches, not a CA.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailtrust.core.model.certificate import Certificate, Pin
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import ReplicaSighting


@dataclass(frozen=True, slots=True)
class Trusted:
    """The key is published, by this server."""

    server: ServerName


@dataclass(frozen=True, slots=True)
class Stranger:
    """A certificate whose key nobody publishes."""

    certificate: Certificate


@dataclass(frozen=True, slots=True)
class Anonymous:
    """No certificate was presented."""


Verdict = Trusted | Stranger | Anonymous


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The published keys of every server, as one replica had them at one moment."""

    servers: Mapping[Pin, ServerName] = field(default_factory=dict)
    taken_at: datetime | None = None
    """When the replica last answered; None when it never did."""
    replica: str = ""

    def judge(self, presented: Certificate | None) -> Verdict:
        """Whether to believe what a peer presented.  Expiry never breaks direct trust."""
        if presented is None:
            return Anonymous()
        server = self.servers.get(presented.pin)
        return Trusted(server) if server is not None else Stranger(presented)

    def publishes(self, server: ServerName) -> bool:
        """True if that server has any published key, so that it can be held to it."""
        return server in self.servers.values()

    def is_stale(self, now: datetime, max_age: timedelta) -> bool:
        """True when the replica has not answered for longer than *max_age*, or never did."""
        return self.taken_at is None or now - self.taken_at > max_age

    def renewed(self, looks: Iterable[ReplicaSighting], replica: str, now: datetime) -> Snapshot:
        """
        The snapshot after another look at every server of *replica*.

        A server that could not be looked at keeps what it had; one without an entry keeps nothing.
        Where two servers publish one key, the alphabetically first one wins, as 12107 will say.  No
        answer is no news, and an empty one where there was a full one is damage: then the snapshot stays
        as it is, with its old date.
        """
        looks = tuple(looks)
        unseen = {look.server for look in looks if look.found is None}
        if looks and len(unseen) == len(looks):
            return self
        kept = {pin: server for pin, server in self.servers.items() if server in unseen}
        if not any(look.found for look in looks) and self.servers:
            return self
        return Snapshot(_joined(kept, looks), now, replica)

    def updated(self, looks: Iterable[ReplicaSighting], replica: str, now: datetime) -> Snapshot:
        """
        The snapshot after another look at a few servers of *replica*: all others keep what they had.

        What would leave nobody believed is damage, as in `renewed`.
        """
        looks = tuple(looks)
        seen = {look.server for look in looks if look.found is not None}
        kept = {pin: server for pin, server in self.servers.items() if server not in seen}
        servers = _joined(kept, looks)
        return Snapshot(servers, now, replica) if seen and (servers or not self.servers) else self

    def extended(self, looks: Iterable[ReplicaSighting]) -> Snapshot:
        """
        The snapshot with what another replica publishes besides, as old as it was.

        Keys of a server that publishes already elsewhere stay that server's.
        """
        servers = _joined(self.servers, tuple(looks))
        return self if servers == self.servers else Snapshot(servers, self.taken_at, self.replica)


def _joined(kept: Mapping[Pin, ServerName], looks: tuple[ReplicaSighting, ...]) -> dict[Pin, ServerName]:
    gone = {pin for look in looks for pin in look.withdrawn_pins}
    servers = {pin: server for pin, server in kept.items() if pin not in gone}
    for look in sorted(looks, key=lambda look: look.server):
        # Whatever an authority issued would be believed elsewhere, by name: no server needs to be one.
        leaves = (one.certificate for one in look.found or () if not one.certificate.is_ca)
        for pin in {leaf.pin for leaf in leaves} - gone:
            servers.setdefault(pin, look.server)
    return servers
