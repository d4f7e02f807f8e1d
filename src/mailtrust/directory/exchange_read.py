"""
What one domain controller shows of an Exchange organization.

Every controller of the forest holds the configuration, and with it each Exchange server's certificate: in one
attribute of one value, which has a *stamp* of its own.  A stamp without a value is a value that was taken
out, and no stamp at all is proof that nobody ever wrote one.  Whoever may read the stamps and not the values
would take hidden for taken out; so where *no* server shows a value, and the stamps say that there were some,
we say that we could not look.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import timedelta

from mailtrust.core.exchange.facts import Connector
from mailtrust.core.model.replication import Seen, Stamp
from mailtrust.directory.ad_forest import Root, read_root, read_seen
from mailtrust.directory.exchange_entries import (
    ARE_CONNECTORS,
    ARE_SERVERS,
    CERTIFICATE,
    CONNECTOR_ATTRIBUTES,
    SERVER_ATTRIBUTES,
    Key,
    ServerEntry,
    connector,
    dn_of,
    server,
)
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import BadInput, DirectoryUnavailable
from mailtrust.ldap import metadata
from mailtrust.ldap.filters import Equal, Filter
from mailtrust.ldap.names import Name
from mailtrust.ldap.prefixes import key_of, prefixes
from mailtrust.ldap.requests import NO_ATTRIBUTES, Scope, Search
from mailtrust.ldap.responses import Entry
from mailtrust.ldap.results import Code

_WORDED = "msDS-ReplAttributeMetaData"
_ENOUGH_TO_DOUBT = 2
_MOST_ENTRIES = 20_000
"""Far more than any organization has; a controller that gives more is not one."""

Servers = Mapping[Key, ServerEntry]
Stamps = Mapping[Key, Stamp | None]
"""None: it was never written.  What is not there was not told."""


@dataclass(frozen=True, slots=True)
class Contents:
    """All that one look at one controller read."""

    root: Root
    writer: str
    seen: Seen
    organization: Name | None
    """None where no organization is to be seen."""
    servers: Servers = field(default_factory=dict)
    stamps: Stamps | None = None
    """None where this controller does not tell who wrote what."""
    connectors: tuple[Connector, ...] = ()

    @property
    def why_blind(self) -> str:
        """Why nothing can be said of certificates here, though the controller answered; empty: it can."""
        if self.organization is None:
            return (
                "no Exchange organization is to be seen: there is none, or it has not arrived there,"
                " or this account may not see it"
            )
        written = [stamp for stamp in (self.stamps or {}).values() if stamp is not None]
        if len(written) >= _ENOUGH_TO_DOUBT and all(one.value is None for one in self.servers.values()):
            return (
                f"{CERTIFICATE} was written for {len(written)} servers, and this account is shown none of it"
            )
        return ""


async def read_contents(wire: Wire, timeout: timedelta, *, with_connectors: bool) -> Contents:
    """
    What the controller shows; *timeout* is for each question.  Nothing is written.

    Raises: DirectoryUnavailable.
    """
    reader = _Reader(wire, timeout)
    root = await read_root(wire, timeout)
    # First, so that what arrives while we read is not taken for lost.
    writer, seen = await read_seen(wire, root, root.configuration, timeout)
    exchange = root.configuration.child("CN", "Services").child("CN", "Microsoft Exchange")
    organization = await reader.organization(exchange)
    if organization is None:
        return Contents(root, writer, seen, None)
    found = map(server, await reader.all(exchange, ARE_SERVERS, SERVER_ATTRIBUTES))
    servers = {one.dn.key: one for one in found}
    stamps = await reader.stamps(root, exchange, servers)
    if not with_connectors:
        return Contents(root, writer, seen, organization, servers, stamps)
    owners = {key: one.name for key, one in servers.items()}
    entries = await reader.all(exchange, ARE_CONNECTORS, CONNECTOR_ATTRIBUTES)
    connectors = tuple(known for one in entries if (known := connector(one, owners)) is not None)
    return Contents(root, writer, seen, organization, servers, stamps, connectors)


@dataclass(frozen=True, slots=True)
class _Reader:
    wire: Wire
    timeout: timedelta

    async def organization(self, exchange: Name) -> Name | None:
        search = Search(str(exchange), Scope.BASE, attributes=(NO_ATTRIBUTES,))
        # To who may not see it Active Directory says, too, that there is no such entry.
        if not await self.wire.search(search, timeout=self.timeout, also=(Code.NO_SUCH_OBJECT,)):
            return None
        wanted = Equal("objectClass", b"msExchOrganizationContainer")
        found = await self.all(exchange, wanted, (NO_ATTRIBUTES,), Scope.ONE_LEVEL)
        return min((dn_of(one.name) for one in found), key=lambda one: one.key, default=None)

    async def stamps(self, root: Root, exchange: Name, servers: Servers) -> Stamps | None:
        key = await self._key(root)
        by_key = _stamps_by_key(servers, key) if key is not None else None
        return by_key or await self._worded_stamps(exchange)

    async def _key(self, root: Root) -> int | None:
        """The attribute's key among the stamps of this controller; None where that cannot be told."""
        schema = root.configuration.child("CN", "Schema")
        wanted = Equal("lDAPDisplayName", CERTIFICATE.encode())
        found = await self.all(schema, wanted, ("msDS-IntId", "attributeID"), Scope.ONE_LEVEL)
        attribute = next(iter(found), Entry("", {}))
        own = next(iter(attribute.values("msDS-IntId")), None)
        identifier = next(iter(attribute.values("attributeID")), b"")
        try:
            if own is not None:
                return metadata.attribute_key(own)
            # A schema that was extended at the level of Windows 2000, and some of Samba's, gave it none.
            head = Search(str(schema), Scope.BASE, attributes=("prefixMap",))
            [known] = await self.wire.search(head, timeout=self.timeout) or [Entry("", {})]
            return key_of(identifier, prefixes(next(iter(known.values("prefixMap")), b"")))
        except BadInput:
            return None

    async def _worded_stamps(self, exchange: Name) -> Stamps | None:
        found: dict[Key, Stamp | None] = {}
        for one in await self.all(exchange, ARE_SERVERS, (_WORDED,)):
            with suppress(BadInput):
                if words := one.values(_WORDED):
                    found[dn_of(one.name).key] = _worded(words)
        return found or None

    async def all(
        self, base: Name, wanted: Filter, attributes: tuple[str, ...], scope: Scope = Scope.SUBTREE
    ) -> list[Entry]:
        found: list[Entry] = []
        search = Search(str(base), scope, wanted, attributes)
        async with aclosing(self.wire.stream(search, timeout=self.timeout)) as entries:
            async for one in entries:
                if len(found) == _MOST_ENTRIES:
                    raise DirectoryUnavailable(
                        f"{self.wire.url} shows more than {_MOST_ENTRIES} entries below {base}"
                    )
                found.append(one)
        return found


def _stamps_by_key(servers: Servers, key: int) -> Stamps | None:
    found: dict[Key, Stamp | None] = {}
    for entry, one in servers.items():
        if one.metadata is None:
            continue
        try:
            stamp = metadata.stamps(one.metadata).get(key)
        except BadInput:
            continue
        # A value that nobody wrote: then that is not its key, and silence under it proves nothing.
        if stamp is None and one.value is not None:
            return None
        found[entry] = _stamp(stamp) if stamp is not None else None
    return found or None


def _worded(words: tuple[bytes, ...]) -> Stamp | None:
    """Raises: BadInput; what can be read in part only proves nothing."""
    found = dict(map(metadata.worded_stamp, words))
    stamp = next((one for name, one in found.items() if name.lower() == CERTIFICATE.lower()), None)
    return _stamp(stamp) if stamp is not None else None


def _stamp(found: metadata.Stamp) -> Stamp:
    return Stamp(str(found.writer), found.writer_number, found.written_at, found.version)
