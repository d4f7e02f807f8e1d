"""
What an Active Directory controller tells about its forest: who the controllers are, and how they replicate.

Every controller holds the configuration of the whole forest, so that any of them names all the others; and
each tells how far it has seen of each one's writes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from mailtrust.core.model.replication import Seen
from mailtrust.core.sites import FIRST_PARTNER, LINK_COST, NEXT_PARTNER, Controller, Forest, Notice, SiteLink
from mailtrust.core.sites import longest_closed as closed
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import BadInput, DirectoryUnavailable
from mailtrust.ldap import metadata, names
from mailtrust.ldap.filters import Equal, Filter, Or
from mailtrust.ldap.names import Name, Step
from mailtrust.ldap.requests import Scope, Search
from mailtrust.ldap.responses import Entry
from mailtrust.ldap.results import Code

_ROOT = ("defaultNamingContext", "configurationNamingContext", "dsServiceName", "highestCommittedUSN",
         "dnsHostName", "currentTime")  # fmt: skip
_HOLDS = ("msDS-HasMasterNCs", "hasMasterNCs", "msDS-hasFullReplicaNCs")
_SETTINGS = (Equal("objectClass", b"nTDSDSA"), Equal("objectClass", b"nTDSDSARO"))
_NOTIFIES = 0x1
_SCHEDULE = struct.Struct("<IIIII")
_SCHEDULE_HOURS = 168
_QUARTERS = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class Root:
    """What a controller says of itself to anybody."""

    host: str
    """Its DNS name, lower case."""
    domain: Name
    """The naming context of its domain, where computers stand."""
    configuration: Name
    settings: Name
    """Its own NTDS Settings entry."""
    highest_number: int
    """The number of its latest write."""


async def read_root(wire: Wire, timeout: timedelta) -> Root:
    """Raises: DirectoryUnavailable, also for a server that is no Active Directory controller."""
    [entry] = await wire.search(Search("", Scope.BASE, attributes=_ROOT), timeout=timeout) or [Entry("", {})]
    try:
        return Root(
            _text(entry, "dnsHostName").lower(),
            names.parse(_text(entry, "defaultNamingContext")),
            names.parse(_text(entry, "configurationNamingContext")),
            names.parse(_text(entry, "dsServiceName")),
            int(_text(entry, "highestCommittedUSN")),
        )
    except (BadInput, ValueError) as error:
        raise DirectoryUnavailable(
            f"{wire.url} is no controller of an Active Directory: its root does not say what theirs do",
            hint='for OpenLDAP set directory.layout = "standard"',
        ) from error


async def read_seen(wire: Wire, root: Root, context: Name, timeout: timedelta) -> tuple[str, Seen]:
    """
    How the controller signs its own writes, and how far it has seen of each writer in a naming context.

    Empty where this account may not read that.  Raises: DirectoryUnavailable.
    """
    own = await _base(wire, root.settings, ("invocationId",), timeout)
    writer = _writer(own)
    head = await _base(wire, context, ("replUpToDateVector",), timeout)
    blob = next(iter(head.values("replUpToDateVector")), None) if head else None
    if blob is None:
        return writer, {}
    try:
        seen = {str(database): number for database, number in metadata.cursors(blob).items()}
    except BadInput:
        return writer, {}
    # A controller does not list its own database: of that it has seen everything.
    return writer, {**seen, writer: root.highest_number} if writer else seen


async def read_forest(wire: Wire, root: Root, timeout: timedelta) -> Forest:
    """
    The controllers of the forest, and the links between their sites.

    What this account may not see is left out.  Raises: DirectoryUnavailable.
    """
    sites = root.configuration.child("CN", "Sites")
    settings = await _all(wire, sites, Or(_SETTINGS), ("objectClass", "invocationId", *_HOLDS), timeout)
    servers = await _all(wire, sites, Equal("objectClass", b"server"), ("dNSHostName",), timeout)
    connections = await _all(
        wire, sites, Equal("objectClass", b"nTDSConnection"), ("fromServer", "enabledConnection"), timeout
    )
    links = await _all(
        wire, sites, Equal("objectClass", b"siteLink"),
        ("cn", "siteList", "cost", "replInterval", "options", "schedule"), timeout,
    )  # fmt: skip
    hosts = {names.parse(one.name).key: _text(one, "dNSHostName").lower() for one in servers}
    controllers = tuple(
        _controller(one, host, _partners(one, connections, hosts))
        for one in settings
        if (host := hosts.get(names.parse(one.name).parent.key))
    )
    notice = await _notice(wire, root, timeout)
    return Forest(
        tuple(sorted(controllers, key=lambda one: one.host)), tuple(map(_link, links)), notice
    )  # fmt: skip


def _controller(settings: Entry, host: str, partners: tuple[str, ...]) -> Controller:
    name = names.parse(settings.name)
    classes = {one.lower() for one in settings.values("objectClass")}
    held = {one.decode("utf-8", "replace") for attribute in _HOLDS for one in settings.values(attribute)}
    # CN=NTDS Settings,CN=DC1,CN=Servers,CN=the site,CN=Sites,…
    site = Name(name.steps[3:]).leaf
    return Controller(
        host, site, settings.name, _writer(settings), b"ntdsdsaro" in classes, partners, tuple(sorted(held))
    )


def _partners(
    settings: Entry, connections: Iterable[Entry], hosts: Mapping[tuple[Step, ...], str]
) -> tuple[str, ...]:
    """The hosts that a controller copies from, by its own list of connections."""
    own = names.parse(settings.name)
    found = set()
    for one in connections:
        if names.parse(one.name).parent.key != own.key or one.values("enabledConnection") == (b"FALSE",):
            continue
        for source in one.values("fromServer"):
            host = hosts.get(_name(source).parent.key)
            if host:
                found.add(host)
    return tuple(sorted(found))


def _link(entry: Entry) -> SiteLink:
    return SiteLink(
        _text(entry, "cn"),
        frozenset(_name(one).leaf for one in entry.values("siteList")),
        _number(entry, "cost", LINK_COST),
        timedelta(minutes=_number(entry, "replInterval", 180)),
        bool(_number(entry, "options", 0) & _NOTIFIES),
        closed(schedule(next(iter(entry.values("schedule")), b""))),
    )


def schedule(blob: bytes) -> tuple[bool, ...]:
    """
    Which quarters of an hour of a week are open (MS-ADTS 6.1.4.1: one byte an hour, four bits of it).

    Empty for what is no schedule: then the link is always open.
    """
    hours = blob[_SCHEDULE.size : _SCHEDULE.size + _SCHEDULE_HOURS]
    if len(blob) < _SCHEDULE.size or len(hours) < _SCHEDULE_HOURS:
        return ()
    return tuple(bool(hour & quarter) for hour in hours for quarter in _QUARTERS)


async def _notice(wire: Wire, root: Root, timeout: timedelta) -> Notice:
    partitions = root.configuration.child("CN", "Partitions")
    attributes = ("msDS-Replication-Notify-First-DSA-Delay", "msDS-Replication-Notify-Subsequent-DSA-Delay")
    wanted = Equal("nCName", str(root.domain).encode())
    found = await _all(wire, partitions, wanted, attributes, timeout)
    own = found[0] if found else Entry("", {})
    first, following = (
        timedelta(seconds=_number(own, attribute, int(default.total_seconds())))
        for attribute, default in zip(attributes, (FIRST_PARTNER, NEXT_PARTNER), strict=True)
    )
    return Notice(first, following)


async def _base(wire: Wire, name: Name, attributes: tuple[str, ...], timeout: timedelta) -> Entry | None:
    search = Search(str(name), Scope.BASE, attributes=attributes)
    found = await wire.search(search, timeout=timeout, also=(Code.NO_SUCH_OBJECT,))
    return found[0] if found else None


async def _all(
    wire: Wire, base: Name, wanted: Filter, attributes: tuple[str, ...], timeout: timedelta
) -> list[Entry]:
    search = Search(str(base), Scope.SUBTREE, wanted, attributes)
    async with aclosing(wire.stream(search, timeout=timeout)) as entries:
        return [one async for one in entries]


def _writer(entry: Entry | None) -> str:
    raw = next(iter(entry.values("invocationId")), b"") if entry else b""
    return str(UUID(bytes_le=raw)) if len(raw) == 16 else ""


def _name(value: bytes) -> Name:
    try:
        return names.parse(value.decode("utf-8", "replace"))
    except BadInput:
        return Name()


def _text(entry: Entry, attribute: str) -> str:
    return next(iter(entry.values(attribute)), b"").decode("utf-8", "replace")


def _number(entry: Entry, attribute: str, default: int) -> int:
    try:
        return int(next(iter(entry.values(attribute))))
    except (StopIteration, ValueError):
        return default
