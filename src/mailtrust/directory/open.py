"""
From URLs to the directory: its replicas, looked at side by side and each by itself.

Which replica is *home* (we read it) and which is *primary* (it takes our writes) is this server's own
configuration; a replica does not know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mailtrust.core.model.certificate import Fingerprint
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.directory.base import Replica, ReplicaState
from mailtrust.directory.ldap import LdapReplica, LdapSettings
from mailtrust.directory.sqlite import Memory, SqliteReplica
from mailtrust.errors import BadInput
from mailtrust.ldap.names import Name


@dataclass(frozen=True, slots=True)
class Directory:
    """All replicas of one directory, as one server uses them."""

    replicas: tuple[Replica, ...]
    home: Replica
    primary: Replica

    async def look(self, servers: Iterable[ServerName] | None, now: datetime) -> tuple[ReplicaSighting, ...]:
        """
        One sighting per replica and server, replica by replica; never raises.

        None: every server that any readable replica knows.  So an entry that is missing at one is seen to be
        missing there, and a replica that cannot be read says so for each.  Where none can be read nobody is
        known: then there are no sightings, and whoever is of interest is asked for by name.
        """
        asked = None if servers is None else tuple(dict.fromkeys(servers))
        looks = await asyncio.gather(*(one.look(asked, now) for one in self.replicas))
        if asked is None:
            known = {look.server for found in looks for look in found}
            looks = await asyncio.gather(
                *(_completed(one, found, known, now) for one, found in zip(self.replicas, looks, strict=True))
            )
        return tuple(
            replace(look, home=one is self.home, primary=one is self.primary)
            for one, found in zip(self.replicas, looks, strict=True)
            for look in found
        )

    async def publish(
        self,
        server: ServerName,
        value: bytes,
        now: datetime,
        replica_url: str | None = None,
        listeners: Sequence[Endpoint] | None = None,
    ) -> None:
        """
        Publish at the primary, or at the replica named.  It may be repeated.

        Raises: DirectoryUnavailable, PublishRefused, BadInput for a replica that is not configured.
        """
        await self.replica(replica_url).publish(server, value, now, listeners)

    async def withdraw(
        self, server: ServerName, fingerprint: Fingerprint, now: datetime, replica_url: str | None = None
    ) -> None:
        """
        Withdraw for good, at the primary or at the replica named.  It may be repeated.

        Raises: DirectoryUnavailable, PublishRefused, BadInput for a replica that is not configured.
        """
        await self.replica(replica_url).withdraw(server, fingerprint, now)

    async def states(self) -> tuple[ReplicaState, ...]:
        """Every replica as a whole, in their order; never raises."""
        return tuple(await asyncio.gather(*(one.state() for one in self.replicas)))

    async def close(self) -> None:
        """Let go of every replica."""
        for one in self.replicas:
            await one.close()

    def replica(self, url: str | None) -> Replica:
        """The replica of that URL; None: the primary.  Raises: BadInput."""
        if url is None:
            return self.primary
        for one in self.replicas:
            if one.url == url:
                return one
        configured = ", ".join(one.url for one in self.replicas)
        raise BadInput(f"{url} is no replica of this directory", hint=f"configured are: {configured}")


def open_directory(
    home: str,
    primary: str,
    replicas: Iterable[str],
    *,
    timeout: timedelta,
    memory: Memory | None,
    ldap: LdapSettings | None = None,
) -> Directory:
    """
    The directory behind these URLs; nothing is touched before it is asked.

    *timeout* is that of each look and each write; *memory* knows which files were read before; *ldap* is
    how to sign in to whatever speaks LDAP.
    Raises: BadInput for a URL that names no directory that we speak to, or one replica written in two ways.
    """
    urls = tuple(dict.fromkeys((home, primary, *replicas)))
    opened = {url: _replica(url, timeout, memory, ldap) for url in urls}
    _refuse_twins(opened.values())
    return Directory(tuple(opened.values()), opened[home], opened[primary])


def _replica(
    url: str, timeout: timedelta, memory: Memory | None, ldap: LdapSettings | None
) -> SqliteReplica | LdapReplica:
    scheme = url.partition(":")[0].lower()
    if scheme == "sqlite":
        return SqliteReplica(url, timeout=timeout, memory=memory)
    if scheme not in ("ldap", "ldaps", "ldapi"):
        raise BadInput(
            f"{url!r} names no directory that this release speaks to",
            hint="write sqlite:///srv/dc1.db, with an absolute path, or ldaps://dc1.example.test",
        )
    replica = LdapReplica(url, ldap or LdapSettings(Name()), timeout=timeout)
    if ldap is None:
        raise BadInput(
            f"{url} speaks LDAP, and nothing says where its entries stand", hint="set directory.base"
        )
    return replica


def _refuse_twins(replicas: Iterable[SqliteReplica | LdapReplica]) -> None:
    """Two names of one replica would be two witnesses that always agree."""
    seen: dict[str, str] = {}
    for one in replicas:
        where = str(one.file) if isinstance(one, SqliteReplica) else one.server
        first = seen.setdefault(where, one.url)
        if first != one.url:
            raise BadInput(f"{first} and {one.url} are the same replica", hint="write its URL in one way")


async def _completed(
    replica: Replica, found: Sequence[ReplicaSighting], known: Iterable[ServerName], now: datetime
) -> Sequence[ReplicaSighting]:
    """What a replica shows, and what it says of the servers that only others show."""
    missing = sorted(set(known) - {look.server for look in found})
    return [*found, *await replica.look(missing, now)] if missing else found
