"""
Who believes whom: the trust snapshot.

A snapshot is one replica's published column, frozen.  A peer is trusted when the key it presents
stands in it.  Names, dates and issuers do not matter here: the directory vouches, not a CA.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from mailtrust.core.model.certificate import Certificate, Pin
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.core.model.spread import Spread


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
            column.take(look)
        return column

    def take(self, look: ReplicaSighting) -> None:
        """What this look says."""
        leaves = (one.certificate for one in look.found or ())
        self.add(look.server, [leaf.pin for leaf in leaves if not leaf.is_ca], look.withdrawn_pins)

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
    pins_of: Spread[ServerName, tuple[Pin, ...]] | None = field(default=None, compare=False, repr=False)
    """Each server's keys, once somebody asked for them."""

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
        return replace(self, taken_at=now)

    def updated(self, looks: Iterable[ReplicaSighting], replica: str, now: datetime) -> Snapshot:
        """
        The snapshot after another look at a few servers of *replica*: all others keep what they had.

        But for the first time it costs what changed, and not what there is.  No answer about a server is no
        news, and what would leave nobody believed is damage, as in `renewed`.
        """
        column, seen = Column(), set[ServerName]()
        for look in looks:
            if look.found is not None:
                column.take(look)
                seen.add(look.server)
        servers, pins_of = self._spread()
        # A key that belongs to somebody who was not looked at stays theirs.
        come = {pin: server for pin, server in column.believed().items() if servers.get(pin, server) in seen}
        robbed = {servers[pin] for pin in column.withdrawn if pin in servers}
        had = {server: pins_of.get(server, ()) for server in seen | robbed}
        gone = {pin for server in seen for pin in had[server]} | column.withdrawn
        servers = servers.changed(come, gone)
        if not seen or (not servers and self.servers):
            return self
        has = {server: [pin for pin in pins if pin not in gone] for server, pins in had.items()}
        for pin, server in come.items():
            has[server].append(pin)
        keep = {server: tuple(pins) for server, pins in has.items() if pins}
        return Snapshot(servers, now, replica, pins_of.changed(keep, had))

    def extended(self, column: Column) -> Snapshot:
        """
        The snapshot with what another replica publishes besides, as old as it was.

        Keys of a server that publishes already elsewhere stay that server's.
        """
        servers = _joined(self.servers, column)
        return self if servers == self.servers else Snapshot(servers, self.taken_at, self.replica)

    def _spread(self) -> tuple[Spread[Pin, ServerName], Spread[ServerName, tuple[Pin, ...]]]:
        if self.pins_of is not None and isinstance(self.servers, Spread):
            return self.servers, self.pins_of
        pins_of: dict[ServerName, tuple[Pin, ...]] = {}
        for pin, server in self.servers.items():
            pins_of[server] = (*pins_of.get(server, ()), pin)
        return Spread(self.servers), Spread(pins_of)


def _joined(kept: Mapping[Pin, ServerName], column: Column) -> dict[Pin, ServerName]:
    servers = {**column.believed(), **kept}
    for pin in column.withdrawn:
        servers.pop(pin, None)
    return servers
