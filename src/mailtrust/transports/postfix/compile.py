"""
The trust snapshot, as the rows that Postfix looks up.

Two tables say all of it.  `CLIENTS` has a row for each published key: who presents it may send to us.
`POLICY` has a row for each next hop: only one of these keys may answer there.  Postfix looks at no date, name
or issuer of a pinned key, and neither does direct trust: a key counts until its publication is withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mailtrust.core.model.certificate import Pin
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.spread import Spread
from mailtrust.core.model.trust import Snapshot

CLIENTS, POLICY = "relay_clientcerts", "tls_policy"
"""The tables' names, as Postfix is told them: their files end in ``.lmdb`` besides."""

Rows = Mapping[str, str]
Tables = Mapping[str, Rows]
"""Rows by the name of their table."""
NextHops = Mapping[str, tuple[ServerName, ...]]
"""Who may answer at a next hop, by the hop exactly as the transport table has it, in lower case."""

NOBODY = ":".join(["00"] * 32)
"""
No key has this digest.  A row that lists nothing would be a defect of the configuration, and no row at all
sends without looking wherever Postfix is not told to defer: this one defers everywhere.
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """What to write into one table so that it says something else."""

    put: Rows = field(default_factory=dict)
    gone: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.put or self.gone)


Differences = Mapping[str, Difference]
"""By the name of the table; one that stays as it is does not stand in it."""


def tables(snapshot: Snapshot, next_hops: NextHops) -> Tables:
    """Every row that the snapshot stands for."""
    asked = frozenset(server for servers in next_hops.values() for server in servers)
    pins = _pins_of(snapshot, asked)
    return {
        CLIENTS: {_digest(pin): server for pin, server in snapshot.servers.items()},
        POLICY: {hop: _policy(servers, pins) for hop, servers in next_hops.items()},
    }


def difference(before: Rows, after: Rows) -> Difference:
    """What leads from one table to the other."""
    put = {key: value for key, value in after.items() if before.get(key) != value}
    return Difference(put, frozenset(before.keys() - after.keys()))


def changes(before: Snapshot, after: Snapshot, next_hops: NextHops) -> Differences:
    """
    What leads from the tables of one snapshot to those of the next.

    Where the later one came from the earlier by `Snapshot.updated`, it costs what changed, and not what
    there is.
    """
    come, gone = _since(before, after)
    touched = {*come.values(), *(before.servers[pin] for pin in {*come, *gone} if pin in before.servers)}
    affected = {hop: servers for hop, servers in next_hops.items() if not touched.isdisjoint(servers)}
    asked = frozenset(server for servers in affected.values() for server in servers)
    was, now = _pins_of(before, asked), _pins_of(after, asked)
    found = {
        CLIENTS: Difference(
            {_digest(pin): server for pin, server in come.items()}, frozenset(map(_digest, gone))
        ),
        POLICY: difference(
            {hop: _policy(servers, was) for hop, servers in affected.items()},
            {hop: _policy(servers, now) for hop, servers in affected.items()},
        ),
    }
    return {name: one for name, one in found.items() if one}


def _digest(pin: Pin) -> str:
    # Postfix folds what it looks up, and not what stands in the file.
    return bytes.fromhex(pin).hex(":")


def _policy(servers: Iterable[ServerName], pins: Mapping[ServerName, tuple[Pin, ...]]) -> str:
    """A next hop is looked up as one, whichever of its hosts answers: so it takes the keys of all."""
    union = sorted({pin for server in servers for pin in pins.get(server, ())})
    return f"fingerprint match={'|'.join(map(_digest, union)) or NOBODY}"


def _pins_of(snapshot: Snapshot, servers: frozenset[ServerName]) -> Mapping[ServerName, tuple[Pin, ...]]:
    if snapshot.pins_of is not None:
        return snapshot.pins_of
    pins: dict[ServerName, tuple[Pin, ...]] = {}
    for pin, server in snapshot.servers.items() if servers else ():
        if server in servers:
            pins[server] = (*pins.get(server, ()), pin)
    return pins


def _since(before: Snapshot, after: Snapshot) -> tuple[Mapping[Pin, ServerName], Iterable[Pin]]:
    if isinstance(before.servers, Spread) and isinstance(after.servers, Spread):
        return after.servers.since(before.servers)
    come = {pin: server for pin, server in after.servers.items() if before.servers.get(pin) != server}
    return come, before.servers.keys() - after.servers.keys()
