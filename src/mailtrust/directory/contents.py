"""
What an embedded replica holds: a two-phase set, which is why replicas always come to agree.

Values are added, and withdrawn for good; a withdrawal wins whenever it was made, and may be known before
the value it takes out.  So uniting two replicas needs no order, no clock and no talk: it is the union of
what was added, less the union of what was withdrawn.  Only listeners are overwritten: the latest word wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from mailtrust.core.model.certificate import Fingerprint, Pin, certificate
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.errors import NotACertificate

_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True)
class Added:
    """A value, and when it was first published anywhere."""

    added_at: datetime
    value: bytes


@dataclass(frozen=True, slots=True, order=True)
class Listens:
    """Where a server says that it presents, and since when it says so."""

    set_at: datetime
    listeners: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """
    All that a replica holds.  Two replicas agree when theirs are equal.

    No value stands here that is withdrawn, by its digest or by its key: `pruned` sees to it.
    """

    values: Mapping[tuple[ServerName, Fingerprint], Added] = field(default_factory=dict)
    """By server and SHA-256 of the value."""
    withdrawn: Mapping[tuple[ServerName, Fingerprint], datetime] = field(default_factory=dict)
    withdrawn_keys: Mapping[tuple[ServerName, Pin], datetime] = field(default_factory=dict)
    listeners: Mapping[ServerName, Listens] = field(default_factory=dict)

    def united(self, other: Contents) -> Contents:
        """Both in one; the order does not matter, and what is there already changes nothing."""
        return Contents(
            self._values(other),
            _earliest(self.withdrawn, other.withdrawn),
            _earliest(self.withdrawn_keys, other.withdrawn_keys),
            self._listeners(other),
        ).pruned()

    def pruned(self) -> Contents:
        """The same without the values that are withdrawn."""
        gone = {key for key, one in self.values.items() if self.withdrawal(*key, one.value) is not None}
        if not gone:
            return self
        values = {key: one for key, one in self.values.items() if key not in gone}
        return Contents(values, self.withdrawn, self.withdrawn_keys, self.listeners)

    def withdrawal(self, server: ServerName, digest: Fingerprint, value: bytes) -> datetime | None:
        """When the value, or the key in it, was withdrawn for that server; None if it was not."""
        at = self.withdrawn.get((server, digest))
        if at is not None or not self.withdrawn_keys:
            return at
        pin = pin_of(value)
        return None if pin is None else self.withdrawn_keys.get((server, pin))

    def servers(self) -> tuple[ServerName, ...]:
        """
        Every server with an entry, by name.

        One that withdrew all it had has no entry any more; one with a compromised key always has: whoever
        else publishes that key must not be believed either.
        """
        return tuple(sorted({server for server, _ in (*self.values, *self.withdrawn_keys)}))

    def moments(self) -> Iterator[datetime]:
        """When anything was published or withdrawn."""
        yield from (one.added_at for one in self.values.values())
        yield from self.withdrawn.values()
        yield from self.withdrawn_keys.values()

    def _values(self, other: Contents) -> dict[tuple[ServerName, Fingerprint], Added]:
        united = dict(self.values)
        for key, one in other.values.items():
            held = united.get(key)
            if held is None or one.added_at < held.added_at:
                united[key] = one
        return united

    def _listeners(self, other: Contents) -> dict[ServerName, Listens]:
        united = dict(self.listeners)
        for server, said in other.listeners.items():
            united[server] = max(said, united.get(server, said))
        return united


def pin_of(value: bytes) -> Pin | None:
    """The key in a published value; None where it is no certificate."""
    try:
        return certificate(value).pin
    except NotACertificate:
        return None


def _earliest(one: Mapping[_Key, datetime], other: Mapping[_Key, datetime]) -> dict[_Key, datetime]:
    united = dict(one)
    for key, at in other.items():
        united[key] = min(at, united.get(key, at))
    return united
