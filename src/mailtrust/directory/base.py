"""
The protocol that every directory speaks, whatever stands behind it.

A directory is a set of *replicas* that come to agree.  We write at one of them, and look at every one
by itself, because the disease we cure is that they differ.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from mailtrust.core.model.certificate import Fingerprint, Pin
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.core.model.trust import Column

Changed = frozenset[ServerName] | None
"""Whose entries changed; None: somebody's."""


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """One replica as a whole, for `directory show`."""

    url: str
    readable: bool
    why: str = ""
    """What stopped us; empty when it is readable."""
    servers: int = 0
    values: int = 0
    """Published and not withdrawn, parsable or not."""
    withdrawn: int = 0
    changed_at: datetime | None = None
    """The latest publication or withdrawal it knows of."""
    took: timedelta | None = None
    """How long it took to tell all that."""


class Prepared(StrEnum):
    """What it took to have a server's entry."""

    MADE = "made"
    THERE = "there"


@runtime_checkable
class Preparing(Protocol):
    """A replica in which a server's entry has to be there before it publishes."""

    async def prepare(self, server: ServerName) -> Prepared:
        """
        Make the server's entry, with nothing published, unless it is there.  It may be repeated.

        Raises: PublishRefused where this account may not, or where only an administrator can;
        DirectoryUnavailable.
        """

    def ldif(self, server: ServerName) -> str:
        """The entry as an administrator can add it; empty where entries are made in another way."""


class Replica(Protocol):
    """
    One directory server.

    Every method takes at most its *timeout*.  All may be repeated: publishing what is published and
    withdrawing what is withdrawn change nothing.  Raises: DirectoryUnavailable when it cannot be asked,
    PublishRefused when it answered no.  Nothing else.  `look` and `state` never raise.
    """

    url: str
    takes_writes: bool
    """
    Whether a value may be written here, besides at the primary.  Not where an entry replicates as a whole:
    of two writes to one entry at two replicas the directory keeps one.
    """
    replicates_itself: bool
    """Whether the directory carries its values to the other replicas, and not we."""
    holds_many: bool
    """Whether an entry holds several values, so that publishing does not erase the old one."""
    remembers_withdrawals: bool
    """
    Whether a replica itself keeps what was withdrawn from returning.  Elsewhere a value is deleted without a
    trace, `ReplicaSighting.withdrawn` stays empty, and the server's own journal is what knows.
    """

    async def look(self, servers: Iterable[ServerName] | None, now: datetime) -> Sequence[ReplicaSighting]:
        """
        One sighting per server asked for, in their order; None: every server with an entry, by name.

        A server without an entry has an empty sighting.  A replica that cannot be read gives a sighting
        with ``found=None`` for each server asked for; asked for all, it gives none: see `state` for why.
        `home` and `primary` are left False: the caller knows.
        """

    async def column(self, now: datetime) -> Column:
        """
        The keys that every server publishes: a `look` at everybody for a fraction of its time and memory.

        They are those of the certificates that such a look finds, authorities left out.
        """

    async def unchanged(self) -> bool:
        """
        True if it answers, and nothing changed here but what a look at everybody or a column showed, or a
        watch of this object told since.  A False may be wrong: then look.  Never raises.
        """

    async def publish(
        self, server: ServerName, value: bytes, now: datetime, listeners: Sequence[Endpoint] | None = None
    ) -> None:
        """
        Put *value* (a DER certificate, or any bytes) on the server's entry, and read it back.

        *listeners*, when not None, replace those published before.  Raises: PublishRefused also for a
        value, or a certificate whose key, was withdrawn, if the replica remembers it; and for a value that
        the replica does not take for a certificate, if it looks.
        """

    async def withdraw(self, server: ServerName, fingerprint: Fingerprint, now: datetime) -> None:
        """Take a value (parsable or not) out for good."""

    async def withdraw_key(self, server: ServerName, pin: Pin, now: datetime) -> None:
        """Take a compromised key out for good, with every certificate that carries it."""

    async def state(self) -> ReplicaState:
        """The replica as a whole."""

    def watch(self, every: timedelta) -> AsyncIterator[Changed]:
        """
        Yields whenever something may have changed here, and whose entry it was where the replica tells.

        Polling takes *every* between looks.  What changed since the last look of this object at everybody is
        told as well.
        """

    async def close(self) -> None:
        """Let go of files and sockets; afterwards the replica is not used again."""
