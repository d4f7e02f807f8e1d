"""
From URLs to the directory: its replicas, looked at side by side and each by itself.

Which replica is *home* (we read it) and which is *primary* (it takes our writes) is this server's own
configuration; a replica does not know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from mailtrust.core.model.certificate import Fingerprint, Pin
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.directory.ad import AdReplica
from mailtrust.directory.ad_discovery import Discovery, Which
from mailtrust.directory.base import Replica, ReplicaState
from mailtrust.directory.ldap import LdapReplica, LdapSettings
from mailtrust.directory.sqlite import Memory, SqliteReplica
from mailtrust.errors import BadInput
from mailtrust.ldap.names import Name


class Directory:
    """All replicas of one directory, as one server uses them."""

    def __init__(
        self,
        named: tuple[Replica, ...],
        home: Replica,
        primary: Replica,
        discovery: Discovery | None = None,
        *,
        computes_latency: bool = False,
    ) -> None:
        self._named = named
        self.home = home
        self.primary = primary
        self.discovery = discovery
        self._computes_latency = computes_latency

    @property
    def replicas(self) -> tuple[Replica, ...]:
        """Those that the configuration names, and those that were discovered since; home is among them."""
        return (*self._named, *(self.discovery.replicas if self.discovery else ()))

    @property
    def stand_ins(self) -> tuple[Replica, ...]:
        """All but home: whom to ask while it does not answer."""
        return tuple(one for one in self.replicas if one is not self.home)

    async def discover(self) -> None:
        """Find the replicas that nobody named, where the directory itself tells of them.  Never raises."""
        if self.discovery is not None:
            ordered = sorted(self._named, key=lambda one: one is not self.home)
            await self.discovery.refresh([one for one in ordered if isinstance(one, AdReplica)])

    async def look(self, servers: Iterable[ServerName] | None, now: datetime) -> tuple[ReplicaSighting, ...]:
        """
        One sighting per replica and server, replica by replica; never raises.

        None: every server that any readable replica knows.  So an entry that is missing at one is seen to be
        missing there, and a replica that cannot be read says so for each.  Where none can be read nobody is
        known: then there are no sightings, and whoever is of interest is asked for by name.
        """
        await self.discover()
        replicas = self.replicas
        asked = None if servers is None else tuple(dict.fromkeys(servers))
        looks = await asyncio.gather(*(one.look(asked, now) for one in replicas))
        if asked is None:
            known = {look.server for found in looks for look in found}
            looks = await asyncio.gather(
                *(_completed(one, found, known, now) for one, found in zip(replicas, looks, strict=True))
            )
        return tuple(
            self._described(replace(look, home=one is self.home, primary=one is self.primary))
            for one, found in zip(replicas, looks, strict=True)
            for look in found
        )

    def _described(self, look: ReplicaSighting) -> ReplicaSighting:
        if self.discovery is None:
            return look
        return self.discovery.found.described(look, with_latency=self._computes_latency)

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
        await self._known(replica_url)
        await self.replica(replica_url).publish(server, value, now, listeners)

    async def withdraw(
        self, server: ServerName, fingerprint: Fingerprint, now: datetime, replica_url: str | None = None
    ) -> None:
        """
        Withdraw for good, at the primary or at the replica named.  It may be repeated.

        Raises: DirectoryUnavailable, PublishRefused, BadInput for a replica that is not configured.
        """
        await self._known(replica_url)
        await self.replica(replica_url).withdraw(server, fingerprint, now)

    async def withdraw_key(self, server: ServerName, pin: Pin, now: datetime) -> None:
        """
        Withdraw a stolen key for good, in whatever certificate, at the primary.  It may be repeated.

        Raises: DirectoryUnavailable, PublishRefused.
        """
        await self.primary.withdraw_key(server, pin, now)

    async def _known(self, url: str | None) -> None:
        if url is not None and all(url != one.url for one in self.replicas):
            await self.discover()

    async def states(self) -> tuple[ReplicaState, ...]:
        """Every replica as a whole, in their order; never raises."""
        await self.discover()
        return tuple(await asyncio.gather(*map(_timed, self.replicas)))

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
        raise BadInput(f"{url} is no replica of this directory", hint=f"it has {configured}")


async def _timed(replica: Replica) -> ReplicaState:
    loop = asyncio.get_running_loop()
    began = loop.time()
    state = await replica.state()
    return replace(state, took=timedelta(seconds=loop.time() - began) if state.readable else None)


def open_directory(
    home: str,
    primary: str,
    replicas: Iterable[str],
    *,
    timeout: timedelta,
    memory: Memory | None,
    ldap: LdapSettings | None = None,
    which: Which = "named",
    computes_latency: bool = False,
) -> Directory:
    """
    The directory behind these URLs; nothing is touched before it is asked.

    *timeout* is that of each look and each write; *memory* knows which files were read before; *ldap* is
    how to sign in to whatever speaks LDAP.  In Active Directory *which* controllers are looked at besides
    those named, and whether replication's latency is computed from its site links.
    Raises: BadInput for a URL that names no directory that we speak to, or one replica written in two ways.
    """
    urls = tuple(dict.fromkeys((home, primary, *replicas)))
    opened = {url: _replica(url, timeout, memory, ldap) for url in urls}
    _refuse_twins(opened.values())
    found = None
    if ldap is not None and ldap.members is not None:
        settings = ldap
        found = Discovery(which, lambda url: AdReplica(url, settings, timeout=timeout))
    return Directory(
        tuple(opened.values()), opened[home], opened[primary], found, computes_latency=computes_latency
    )


def _replica(
    url: str, timeout: timedelta, memory: Memory | None, ldap: LdapSettings | None
) -> SqliteReplica | LdapReplica | AdReplica:
    scheme = url.partition(":")[0].lower()
    if scheme == "sqlite":
        return SqliteReplica(url, timeout=timeout, memory=memory)
    if scheme not in ("ldap", "ldaps", "ldapi"):
        raise BadInput(
            f"{url!r} names no directory that this release speaks to",
            hint="write sqlite:///srv/dc1.db, with an absolute path, or ldaps://dc1.example.test",
        )
    if ldap is not None and ldap.members is not None:
        return AdReplica(url, ldap, timeout=timeout)
    replica = LdapReplica(url, ldap or LdapSettings(Name()), timeout=timeout)
    if ldap is None:
        raise BadInput(
            f"{url} speaks LDAP, and nothing says where its entries stand", hint="set directory.base"
        )
    return replica


def _refuse_twins(replicas: Iterable[SqliteReplica | LdapReplica | AdReplica]) -> None:
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
