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


@dataclass(slots=True)
class Column:
    """
    The published column of one replica, as far as trust goes, while it is gathered: server by server, in any
    order, and no more of each than its keys, for there may be a hundred thousand.
    """

    servers: dict[Pin, ServerName] = field(default_factory=dict)
    withdrawn: set[Pin] = field(default_factory=set)
    """Compromised keys: whoever publishes one is not believed by it."""

    @classmethod
    def of(cls, looks: Iterable[ReplicaSighting]) -> Column:
        """What these looks say; not of authorities: what one issued would be believed elsewhere, by name."""
        column = cls()
        for look in looks:
            leaves = (one.certificate for one in look.found or ())
            column.add(look.server, [leaf.pin for leaf in leaves if not leaf.is_ca], look.withdrawn_pins)
        return column

    def add(self, server: ServerName, pins: Iterable[Pin], withdrawn: Iterable[Pin] = ()) -> None:
        """The keys of the certificates on a server's entry that are no authorities."""
        for pin in pins:
            held = self.servers.setdefault(pin, server)
            # Where two servers publish one key, the alphabetically first one has it, as 12107 will say.
            if server < held:
                self.servers[pin] = server
        self.withdrawn.update(withdrawn)

    def believed(self) -> Mapping[Pin, ServerName]:
        """Each key with its server, without those that were withdrawn."""
        if self.withdrawn.isdisjoint(self.servers):
            return self.servers
        return {pin: server for pin, server in self.servers.items() if pin not in self.withdrawn}


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

    def renewed(self, column: Column, replica: str, now: datetime) -> Snapshot:
        """
        The snapshot after another look at every server of *replica*; one without an entry keeps nothing.

        An empty answer where there was a full one is damage: then the snapshot stays as it is, with its old
        date.
        """
        believed = column.believed()
        return Snapshot(believed, now, replica) if believed or not self.servers else self

    def confirmed(self, now: datetime) -> Snapshot:
        """The snapshot after its replica answered that nothing changed."""
        return Snapshot(self.servers, now, self.replica)

    def updated(self, looks: Iterable[ReplicaSighting], replica: str, now: datetime) -> Snapshot:
        """
        The snapshot after another look at a few servers of *replica*: all others keep what they had.

        No answer about a server is no news, and what would leave nobody believed is damage, as in `renewed`.
        """
        looks = [look for look in looks if look.found is not None]
        seen = {look.server for look in looks}
        kept = {pin: server for pin, server in self.servers.items() if server not in seen}
        servers = _joined(kept, Column.of(looks))
        return Snapshot(servers, now, replica) if seen and (servers or not self.servers) else self

    def extended(self, column: Column) -> Snapshot:
        """
        The snapshot with what another replica publishes besides, as old as it was.

        Keys of a server that publishes already elsewhere stay that server's.
        """
        servers = _joined(self.servers, column)
        return self if servers == self.servers else Snapshot(servers, self.taken_at, self.replica)


def _joined(kept: Mapping[Pin, ServerName], column: Column) -> dict[Pin, ServerName]:
    servers = {**column.believed(), **kept}
    for pin in column.withdrawn:
        servers.pop(pin, None)
    return servers
