"""A part of the tree of a 389 Directory Server, with a mail server's account in it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from mailtrust.core.model.server import ServerName
from mailtrust.directory.ldap import LdapReplica, LdapSettings
from mailtrust.directory.ldap_bind import Credentials, Password
from mailtrust.directory.ldap_wire import Wire
from mailtrust.ldap import names
from mailtrust.ldap.names import Name
from tests import ds389, slapd
from tests.ds389 import Server
from tests.make import HUB1, NOON

PATIENCE = timedelta(seconds=20)
_numbers = itertools.count(1)


class Place:
    """It is a test's own, and has no access rule."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.base = names.parse(slapd.BASE).child("ou", f"test {next(_numbers)}")
        server.change(f"dn: {self.base}\nobjectClass: organizationalUnit\n")
        self.add(HUB1)

    def add(self, name: ServerName, *lines: str) -> None:
        """What an administrator makes for a mail server."""
        classes = ("device", "pkiUser", "labeledURIObject", "simpleSecurityObject")
        held = [*(f"objectClass: {one}" for one in classes), f"userPassword: {slapd.PASSWORD}", *lines]
        self.server.change("\n".join((f"dn: {self.name(name)}", *held, "")))

    def follow_the_page(self) -> None:
        """Its access rules, for this place."""
        rules = ds389.documented("add: aci")
        assert slapd.SERVERS in rules
        self.server.change(rules.replace(slapd.SERVERS, str(self.base)))

    def name(self, server: ServerName) -> Name:
        return self.base.child("cn", server)

    def password(self, account: str) -> Password:
        return Password(account, slapd.password_file(self.server.folder))

    @asynccontextmanager
    async def replica(
        self,
        account: str = slapd.ADMIN,
        *,
        at: Server | None = None,
        sign_in: Credentials | None = None,
        timeout: timedelta = PATIENCE,
    ) -> AsyncIterator[LdapReplica]:
        settings = LdapSettings(self.base, sign_in or self.password(account), self.server.ca_file)
        replica = LdapReplica((at or self.server).ldaps, settings, timeout=timeout)
        try:
            yield replica
        finally:
            await replica.close()

    @property
    def account(self) -> str:
        """The first mail server's."""
        return str(self.name(HUB1))


async def wire_to(server: Server, sign_in: Credentials | None = None) -> Wire:
    account = sign_in or Password(slapd.ADMIN, slapd.password_file(server.folder))
    return await Wire.open(server.ldaps, credentials=account, ca_file=server.ca_file, timeout=PATIENCE)


async def until_shown(replica: LdapReplica, count: int) -> None:
    async def shown() -> int | None:
        [look] = await replica.look([HUB1], NOON)
        return None if look.found is None else len(look.found)

    async with asyncio.timeout(PATIENCE.total_seconds()):
        while await shown() != count:  # noqa: ASYNC110  # replication sets no event
            await asyncio.sleep(0.02)
