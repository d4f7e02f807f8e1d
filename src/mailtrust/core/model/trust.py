"""
Who believes whom: the trust snapshot.

A snapshot is one replica's published column, frozen.  A peer is trusted when the key it presents
stands in it.  Names, dates and issuers do not matter here: the directory vouches, not a CA.

It never goes back: a key that a replica shows no longer leaves it where the replica proves that it was
withdrawn.  Where the replica proves that it lost its memory, or proves nothing, the key is *kept* for a
while.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from mailtrust.core.model.certificate import Certificate, Fingerprint, Pin
from mailtrust.core.model.replication import Seen, Stamp, furthest, went_back
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

KEPT_WHERE_IT_WENT_BACK = timedelta(days=7)
"""
How long a key is kept that a replica lost: it outlasts a long weekend, and the five days after which a sender
gives up.  Whoever wants it gone before withdraws it where the replica can say so.
"""
KEPT_WHERE_NOTHING_IS_TOLD = timedelta(minutes=30)
"""How long, where a directory does not tell a withdrawal from a loss: as old as a snapshot may be anyway."""


@dataclass(slots=True)
class Column:
    """
    The published column of one replica, as far as trust goes, while it is gathered: server by server, in any
    order, and no more of each than its keys, for there may be a hundred thousand.
    """

    servers: dict[Pin, ServerName] = field(default_factory=dict)
    withdrawn: set[Pin] = field(default_factory=set)
    """Compromised keys: whoever publishes one is not believed by it."""
    certificates: dict[Pin, tuple[Fingerprint, ...]] = field(default_factory=dict, compare=False)
    """The certificates that carry each key, where the replica remembers what was withdrawn."""
    remembered: frozenset[Fingerprint] | None = field(default=None, compare=False)
    """Every certificate that was withdrawn, where the replica remembers it; None where it does not."""
    seen: Seen = field(default_factory=dict, compare=False)
    """How far the replica had seen of each writer before it was read; empty where it does not tell."""
    changed: dict[ServerName, Stamp] = field(default_factory=dict, compare=False)
    """The last write to an entry, of those that somebody asked for."""

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

    def keeps(self, pin: Pin, server: ServerName, before: Snapshot) -> timedelta | None:
        """
        How long *before*'s key of that server, which stands here no more, is kept; None: it was withdrawn.

        A replica that remembers withdrawals names them.  Another one has lost what it lacks where it has seen
        less than was seen before, and where the entry has not been written since: an old state came back.
        What a stand-in has shown is late here while less was seen than there.
        """
        if pin in self.withdrawn:
            return None
        named = before.certificates.get(pin, ())
        if named and self.remembered is not None:
            return None if self.remembered.issuperset(named) else KEPT_WHERE_IT_WENT_BACK
        had = before.lent_seen if pin in before.lent else before.seen
        if not had or not self.seen:
            return KEPT_WHERE_NOTHING_IS_TOLD
        if pin in before.lent:
            return KEPT_WHERE_IT_WENT_BACK if went_back(had, self.seen) else None
        written = self.changed.get(server)
        is_old = written is not None and had.get(written.writer, -1) >= written.number
        return KEPT_WHERE_IT_WENT_BACK if is_old or went_back(had, self.seen) else None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The published keys of every server, as one replica had them at one moment."""

    servers: Mapping[Pin, ServerName] = field(default_factory=dict)
    taken_at: datetime | None = None
    """When the replica last answered; None when it never did."""
    replica: str = ""
    pins_of: Spread[ServerName, tuple[Pin, ...]] | None = field(default=None, compare=False, repr=False)
    """Each server's keys, once somebody asked for them."""
    seen: Seen = field(default_factory=dict)
    """How far its replica had seen of each writer at a look at everybody; empty where it does not tell."""
    certificates: Mapping[Pin, tuple[Fingerprint, ...]] = field(default_factory=dict)
    """The certificates that carry each key, where the replica remembers what was withdrawn."""
    kept: Mapping[Pin, datetime] = field(default_factory=dict)
    """Keys of `servers` that the replica shows no longer and has not proved withdrawn; until when."""
    lent: frozenset[Pin] = frozenset()
    """Keys of `servers` that only a stand-in has shown: the replica may not have had them yet."""
    lent_seen: Seen = field(default_factory=dict)
    """How far the stand-ins had seen of each writer that showed them; empty where they do not tell."""

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

    @property
    def kept_of(self) -> tuple[ServerName, ...]:
        """Whose keys are kept, by name: a server for each key."""
        return tuple(sorted(self.servers[pin] for pin in self.kept))

    @property
    def kept_until(self) -> datetime | None:
        """When the last key goes that is kept; None where none is."""
        return max(self.kept.values(), default=None)

    def says_other_than(self, other: Snapshot) -> bool:
        """True where one of them believes somebody whom the other does not, or for another time."""
        mine = (self.servers, self.replica, self.kept, self.lent)
        return mine != (other.servers, other.replica, other.kept, other.lent)

    def in_force(self, now: datetime, max_age: timedelta, *, defer: bool) -> Snapshot:
        """What tables are made of: with *defer* (``on_stale = "defer"``) of nobody once it is stale."""
        return Snapshot() if defer and self.is_stale(now, max_age) else self

    def missing(self, column: Column) -> frozenset[ServerName]:
        """The servers of which *column* lacks a key that stands here, and has no word about it."""
        lacked = self.servers.keys() - column.servers.keys() - column.withdrawn
        return frozenset(self.servers[pin] for pin in lacked)

    def renewed(self, column: Column, replica: str, now: datetime) -> Snapshot:
        """
        The snapshot after another look at every server of *replica*.  What it shows no longer is kept as
        `Column.keeps` has it.

        An empty answer where there was a full one is damage: then the snapshot stays as it is, with its old
        date.
        """
        believed = column.believed()
        if not believed and self.servers:
            return self
        kept = self._kept(self.servers.keys() - believed.keys(), column, now)
        if not kept:
            # It has all that we had, however it came to that: from here on it is compared with itself.
            return Snapshot(believed, now, replica, seen=column.seen, certificates=column.certificates)
        named = {pin: self.certificates[pin] for pin in kept if pin in self.certificates}
        lent = self.lent & kept.keys()
        return Snapshot(
            {**believed, **{pin: self.servers[pin] for pin in kept}},
            now,
            replica,
            seen=furthest(self.seen, column.seen),
            certificates={**column.certificates, **named},
            kept=kept,
            lent=lent,
            lent_seen=self.lent_seen if lent else {},
        )

    def _kept(self, lacked: Iterable[Pin], column: Column, now: datetime) -> dict[Pin, datetime]:
        """Which of the keys that *column* lacks are kept, and until when."""
        kept: dict[Pin, datetime] = {}
        for pin in lacked:
            length = column.keeps(pin, self.servers[pin], self)
            if length is not None and (until := self.kept.get(pin, now + length)) > now:
                kept[pin] = until
        return kept

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
        told: list[tuple[ServerName, Column]] = []
        for look in looks:
            if look.found is not None:
                column.take(look)
                seen.add(look.server)
                if look.seen:
                    told.append((look.server, _told_by(look)))
        servers, pins_of = self._spread()
        # A key that belongs to somebody who was not looked at stays theirs.
        come = {pin: server for pin, server in column.believed().items() if servers.get(pin, server) in seen}
        robbed = {servers[pin] for pin in column.withdrawn if pin in servers}
        had = {server: pins_of.get(server, ()) for server in seen | robbed}
        kept: dict[Pin, datetime] = {}
        for server, one in told:
            lacked = [pin for pin in had[server] if pin not in come and pin not in column.withdrawn]
            kept |= self._kept(lacked, one, now)
        gone = ({pin for server in seen for pin in had[server]} | column.withdrawn) - kept.keys()
        servers = servers.changed(come, gone)
        if not seen or (not servers and self.servers):
            return self
        has = {server: [pin for pin in pins if pin not in gone] for server, pins in had.items()}
        for pin, server in come.items():
            has[server].append(pin)
        keep = {server: tuple(pins) for server, pins in has.items() if pins}
        settled = come.keys() | gone
        return replace(
            self,
            servers=servers,
            taken_at=now,
            replica=replica,
            pins_of=pins_of.changed(keep, had),
            kept={pin: until for pin, until in self.kept.items() if pin not in settled} | kept,
            lent=self.lent - settled,
            # `seen` stays that of the last look at everybody: of the others' entries more is not known.
        )

    def extended(self, column: Column) -> Snapshot:
        """
        The snapshot with what another replica publishes besides, as old as it was.

        Keys of a server that publishes already elsewhere stay that server's.
        """
        servers = _joined(self.servers, column)
        if servers == self.servers:
            return self
        return replace(
            self,
            servers=servers,
            pins_of=None,
            certificates={**column.certificates, **self.certificates},
            kept={pin: until for pin, until in self.kept.items() if pin in servers},
            lent=(self.lent | servers.keys() - self.servers.keys()) & servers.keys(),
            lent_seen=furthest(self.lent_seen, column.seen),
        )

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


def _told_by(look: ReplicaSighting) -> Column:
    """What a look at one entry proves of what is gone from it."""
    return Column(seen=look.seen, changed={look.server: look.changed} if look.changed is not None else {})
