"""
The directory of a world: replicas that lag, are cut off, restored from a backup, or answer nothing.

Of two kinds.  *embedded*: each replica is a two-phase set that remembers its withdrawals, any of them takes
writes, and replication is a union.  *numbered*, as in LDAP: the primary's writes have numbers and arrive in
their order, a replica tells how far it has seen, and nobody remembers what was withdrawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mailtrust.core.model.certificate import Certificate, Fingerprint, Pin
from mailtrust.core.model.replication import Stamp
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import Published
from mailtrust.core.model.trust import Column
from mailtrust.simulation.values import replica_name

_Values = Mapping[Fingerprint, Published]


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What one replica holds: never changed, but replaced, so that a backup costs nothing."""

    added: Mapping[ServerName, _Values] = field(default_factory=dict)
    withdrawn: Mapping[ServerName, Mapping[Fingerprint, datetime]] = field(default_factory=dict)
    """Remembered in an embedded directory alone."""
    withdrawn_pins: frozenset[Pin] = frozenset()
    seen: Mapping[str, int] = field(default_factory=dict)
    changed: Mapping[ServerName, Stamp] = field(default_factory=dict)
    cache: dict[object, object] = field(default_factory=dict)
    """What was once worked out of it."""

    def found(self, server: ServerName) -> tuple[Published, ...]:
        """What it shows on that server's entry."""
        shown = self.cache.get(server)
        if shown is None:
            gone, pins = self.withdrawn.get(server, {}), self.withdrawn_pins
            shown = self.cache[server] = tuple(
                one
                for fingerprint, one in self.added.get(server, {}).items()
                if fingerprint not in gone and one.certificate.pin not in pins
            )
        return shown  # type: ignore[return-value]  # the cache holds what is made here

    def column(self, *, remembers: bool) -> Column:
        """Every server's keys, as readers gather them; not to be changed."""
        column = self.cache.get("column")
        if column is None:
            column = self.cache["column"] = self._column(remembers=remembers)
        return column  # type: ignore[return-value]  # the cache holds what is made here

    def _column(self, *, remembers: bool) -> Column:
        column = Column(seen=self.seen, changed=dict(self.changed))
        for server in self.added:
            leaves = [one.certificate for one in self.found(server)]
            column.add(server, [leaf.pin for leaf in leaves], self.withdrawn_pins)
            if remembers:
                for leaf in leaves:
                    column.certificates[leaf.pin] = (leaf.fingerprint,)
        if remembers:
            column.remembered = frozenset(one for gone in self.withdrawn.values() for one in gone)
        return column


@dataclass(slots=True)
class Replica:
    """One replica: what it holds, and what is wrong with it."""

    name: str
    state: State
    backup: State
    is_up: bool = True
    is_cut: bool = False
    """Nothing reaches it from the others."""
    hides: bool = False
    """It answers, and shows nothing: as after a lost access right."""
    unmet: set[int] = field(default_factory=set)
    """The hosts whose agents have not met it yet as it was set back: until then nothing fills it."""


@dataclass(slots=True)
class Directory:
    """All replicas together."""

    replicas: tuple[Replica, ...]
    embedded: bool
    primary: int = 0
    log: list[State] = field(default_factory=list)
    """Numbered: what the primary held after each of its writes, the latest last."""
    writer: int = 0
    number: int = 0

    @classmethod
    def holding(
        cls,
        published: Mapping[ServerName, tuple[Certificate, ...]],
        count: int,
        at: datetime,
        *,
        embedded: bool,
    ) -> Directory:
        """A quiet one, in which these stand everywhere."""
        stamp = Stamp("w0", 0, at)
        added = {
            server: {leaf.fingerprint: Published(leaf, at, None if embedded else stamp) for leaf in leaves}
            for server, leaves in published.items()
        }
        seen = {} if embedded else {"w0": 0}
        changed = {} if embedded else dict.fromkeys(published, stamp)
        state = State(added, seen=seen, changed=changed)
        replicas = tuple(Replica(replica_name(one), state, state) for one in range(count))
        return cls(replicas, embedded, log=[state])

    def publish(self, at: int, server: ServerName, leaf: Certificate, now: datetime) -> bool:
        """Put it there; False where it stands already, or where its withdrawal is remembered."""
        replica = self.replicas[at]
        values = replica.state.added.get(server, {})
        if leaf.fingerprint in values or leaf.fingerprint in replica.state.withdrawn.get(server, {}):
            return False
        self._write(
            replica, server, {**values, leaf.fingerprint: Published(leaf, now, self._stamp(now))}, now
        )
        return True

    def withdraw(self, at: int, server: ServerName, fingerprint: Fingerprint, now: datetime) -> None:
        """Take it out for good; repeating it changes nothing."""
        replica = self.replicas[at]
        state = replica.state
        if self.embedded:
            gone = {fingerprint: now, **state.withdrawn.get(server, {})}
            replica.state = State(state.added, {**state.withdrawn, server: gone}, state.withdrawn_pins)
            return
        values = state.added.get(server, {})
        if fingerprint in values:
            self._stamp(now)
            kept = {one: value for one, value in values.items() if one != fingerprint}
            self._write(replica, server, kept, now)

    def withdraw_key(self, at: int, pin: Pin) -> None:
        """Whatever carries that key is believed no more, where the directory remembers such things."""
        if self.embedded:
            state = self.replicas[at].state
            self.replicas[at].state = State(state.added, state.withdrawn, state.withdrawn_pins | {pin})

    def replicate(self, to: int, origin: int, writes: int = 1000) -> None:
        """Let *to* have what *origin* has (embedded), or the next of the primary's writes (numbered)."""
        target, source = self.replicas[to], self.replicas[origin if self.embedded else self.primary]
        if target is source or target.is_cut or source.is_cut or not (target.is_up and source.is_up):
            return
        if target.unmet or (self.embedded and source.unmet):
            return
        if self.embedded:
            if target.state is not source.state:
                target.state = source.state = _united(target.state, source.state)
        elif target.state is not source.state:
            step = self.log.index(target.state) if target.state in self.log else -1
            target.state = self.log[min(step + writes, len(self.log) - 1)]

    def fill(self, number: int) -> None:
        """A replica that is set up anew has everything before anybody reads it."""
        for other in self.replicas if self.embedded else (self.replicas[self.primary],):
            replica = self.replicas[number]
            replica.state = _united(replica.state, other.state) if self.embedded else other.state

    def promote(self, to: int) -> None:
        """Another one takes the writes from now on; what only the old one had is lost with it (numbered)."""
        self.primary = to
        if not self.embedded:
            self.writer += 1
            self.log = [self.replicas[to].state]

    def _stamp(self, now: datetime) -> Stamp | None:
        if self.embedded:
            return None
        self.number += 1
        return Stamp(f"w{self.writer}", self.number, now)

    def _write(self, replica: Replica, server: ServerName, values: _Values, now: datetime) -> None:
        state = replica.state
        added = {**state.added, server: values}
        if self.embedded:
            replica.state = State(added, state.withdrawn, state.withdrawn_pins)
            return
        writer = f"w{self.writer}"
        stamp = Stamp(writer, self.number, now)
        replica.state = State(
            added, seen={**state.seen, writer: self.number}, changed={**state.changed, server: stamp}
        )
        self.log.append(replica.state)


def _united(one: State, other: State) -> State:
    added = {
        server: {**one.added.get(server, {}), **other.added.get(server, {})}
        for server in one.added.keys() | other.added.keys()
    }
    withdrawn = {
        server: {**one.withdrawn.get(server, {}), **other.withdrawn.get(server, {})}
        for server in one.withdrawn.keys() | other.withdrawn.keys()
    }
    return State(added, withdrawn, one.withdrawn_pins | other.withdrawn_pins)
