"""
Reading an Active Directory: the points, and the computer accounts that they stand below.

Only accounts that administrators listed count.  They are listed by a group, whose members may be groups, or
by an organizational unit; which of them it is, the directory tells.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

from mailtrust.core.model.replication import Seen
from mailtrust.core.model.server import ServerName
from mailtrust.directory import ad_computers as computers
from mailtrust.directory.ad_computers import Computer, Marks, Point
from mailtrust.directory.ad_forest import Root, read_root, read_seen
from mailtrust.directory.ldap_session import LdapSettings
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import BadInput, DirectoryUnavailable, PublishRefused
from mailtrust.ldap.filters import And, AtLeast, Equal, Filter, Matches, Or
from mailtrust.ldap.names import Name
from mailtrust.ldap.requests import Scope, Search
from mailtrust.ldap.responses import Entry
from mailtrust.ldap.results import Code

_IN_CHAIN = "1.2.840.113556.1.4.1941"
"""Members of members as well (MS-ADTS 3.1.1.3.4.4.3)."""
_IS_COMPUTER = Equal("objectClass", b"computer")


@dataclass(frozen=True, slots=True)
class Contents:
    """All that one look read."""

    members: tuple[Computer, ...]
    others: tuple[Computer, ...]
    """Those below which points stand and that do not count."""
    points: tuple[Point, ...]
    marks: Marks
    writer: str
    seen: Seen


@dataclass(frozen=True, slots=True)
class Reader:
    """One connection to a controller.  Every method raises DirectoryUnavailable."""

    wire: Wire
    settings: LdapSettings
    timeout: timedelta

    async def contents(self, servers: tuple[ServerName, ...] | None) -> Contents:
        """What concerns these servers; None: everything."""
        root = await self.root()
        # First, so that what arrives while we read is not taken for lost.
        writer, seen = await read_seen(self.wire, root, root.domain, self.timeout)
        claims = () if servers is None else (_or("serviceDNSName", servers),)
        found = await self._points(root, And((computers.ARE_POINTS, *claims)), computers.POINT_ATTRIBUTES)
        points = tuple(map(computers.point, found))
        parents = {one.parent: one.name.parent for one in points}
        members = await self._members(root, None if servers is None else _chosen(servers, parents.values()))
        counting = {one.name.key for one in members}
        strange = [await self._computer(name) for key, name in parents.items() if key not in counting]
        return Contents(
            members, tuple(one for one in strange if one), points,
            computers.marks(found, root.highest_number), writer, seen,
        )  # fmt: skip

    async def marks(self, since: Marks | None = None) -> Marks:
        """How the points stand; with *since*, what came and changed after that, and not what went."""
        root = await self.root()
        later = () if since is None else (AtLeast("uSNChanged", str(since.number + 1).encode()),)
        found = await self._points(root, And((computers.ARE_POINTS, *later)), computers.MARK_ATTRIBUTES)
        new = computers.marks(found, root.highest_number)
        return new if since is None else Marks({**since.points, **new.points}, new.number)

    async def account(self, server: ServerName) -> Name:
        """The server's computer account.  Raises: PublishRefused where none counts as that server."""
        root = await self.root()
        found = await self._computers(self._below(root), And((_IS_COMPUTER, _or("dNSHostName", (server,)))))
        if len(found) != 1:
            how_many = "no computer account has" if not found else f"{len(found)} computer accounts have"
            raise PublishRefused(
                f"{self.wire.url}: {how_many} the name {server} (dNSHostName)",
                hint="join the server to the domain, or check server.name; this account may not see it, too",
            )
        name = found[0].name
        if not await self._members(root, _chosen((), (name,))):
            raise PublishRefused(
                f"{self.wire.url}: {name} does not belong to {self.settings.members}, so that nobody would"
                " believe what it publishes",
                hint="let an administrator add it to the group or unit that directory.members names",
            )
        return name

    async def points_of(self, account: Name) -> list[Point]:
        """The points below an account."""
        search = Search(str(account), Scope.ONE_LEVEL, computers.ARE_POINTS, computers.POINT_ATTRIBUTES)
        return [computers.point(one) for one in await self._all(search)]

    async def root(self) -> Root:
        """What the controller says of itself, now."""
        return await read_root(self.wire, self.timeout)

    async def _members(self, root: Root, chosen: Filter | None) -> tuple[Computer, ...]:
        """The computers that count, all or those chosen."""
        listed = self.settings.members
        if listed is None:
            raise BadInput("nothing says which computers are mail servers", hint="set directory.members")
        found = await self._entry(listed, ("objectClass", "primaryGroupToken"))
        if found is None:
            raise DirectoryUnavailable(
                f"{self.wire.url} shows no {listed}: it is not there, or this account may not see it",
                hint="directory.members names the group or organizational unit of the mail servers",
            )
        wanted = (_IS_COMPUTER,) if chosen is None else (_IS_COMPUTER, chosen)
        if b"group" not in {one.lower() for one in found.values("objectClass")}:
            return await self._computers(listed, And(wanted))
        # Whoever has it as the primary group is not listed as its member.
        primary = (Equal("primaryGroupID", one) for one in found.values("primaryGroupToken"))
        belongs = Or((Matches(str(listed).encode(), "memberOf", _IN_CHAIN), *primary))
        return await self._computers(self._below(root), And((*wanted, belongs)))

    async def _points(self, root: Root, wanted: Filter, attributes: tuple[str, ...]) -> list[Entry]:
        return await self._all(Search(str(self._below(root)), Scope.SUBTREE, wanted, attributes))

    def _below(self, root: Root) -> Name:
        return self.settings.base if self.settings.base.steps else root.domain

    async def _computers(self, base: Name, wanted: Filter) -> tuple[Computer, ...]:
        search = Search(str(base), Scope.SUBTREE, wanted, computers.COMPUTER_ATTRIBUTES)
        return tuple(map(computers.computer, await self._all(search)))

    async def _computer(self, name: Name) -> Computer | None:
        found = await self._entry(name, computers.COMPUTER_ATTRIBUTES)
        return computers.computer(found) if found else None

    async def _entry(self, name: Name, attributes: tuple[str, ...]) -> Entry | None:
        search = Search(str(name), Scope.BASE, attributes=attributes)
        found = await self.wire.search(search, timeout=self.timeout, also=(Code.NO_SUCH_OBJECT,))
        return found[0] if found else None

    async def _all(self, search: Search) -> list[Entry]:
        async with aclosing(self.wire.stream(search, timeout=self.timeout)) as entries:
            return [one async for one in entries]


def _or(attribute: str, values: Iterable[str]) -> Filter:
    return Or(tuple(Equal(attribute, one.encode()) for one in values))


def _chosen(servers: Iterable[ServerName], accounts: Iterable[Name]) -> Filter:
    """Those accounts, and whoever has one of those names."""
    return Or((_or("dNSHostName", servers), _or("distinguishedName", map(str, accounts))))
