"""What real OpenLDAP servers do when something is wrong with them, and what becomes of a publication."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.directory.ldap import LdapReplica, LdapSettings
from mailtrust.directory.ldap_bind import Password
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import DirectoryUnavailable, PublishRefused
from mailtrust.ldap import names
from tests import slapd
from tests.make import HUB1, NOON, a_certificate, an_x509, der
from tests.programs import needs
from tests.slapd import ADMIN, MX1, SERVERS, Server, password_file

pytestmark = needs("slapd", "slapadd")

PATIENCE = timedelta(seconds=20)
OWN = "userCertificate;binary"


def settings(server: Server, account: str = ADMIN) -> LdapSettings:
    return LdapSettings(names.parse(SERVERS), Password(account, password_file(server.folder)), server.ca_file)


@asynccontextmanager
async def replica_of(server: Server, account: str = ADMIN) -> AsyncIterator[LdapReplica]:
    replica = LdapReplica(server.ldaps, settings(server, account), timeout=PATIENCE)
    yield replica
    await replica.close()


async def fill(server: Server, count: int) -> None:
    async with await Wire.open(
        server.ldaps, credentials=settings(server).credentials, ca_file=server.ca_file, timeout=PATIENCE
    ) as wire:
        for number in range(count):
            name = f"filled{number}.example.test"
            held = (("objectClass", (b"device", b"pkiUser")), (OWN, (a_certificate().der,)))
            await wire.add(f"cn={name},{SERVERS}", held, timeout=PATIENCE)


async def test_a_read_only_server_says_no_and_is_read_all_the_same(short: Path) -> None:
    with slapd.started(short, extra="readonly on") as (server,):
        async with replica_of(server) as replica:
            with pytest.raises(PublishRefused) as refused:
                await replica.publish(HUB1, a_certificate().der, NOON)
            [look] = await replica.look([HUB1], NOON)

    assert server.ldaps in refused.value.message
    assert "directory.primary" in refused.value.hint
    assert look.found == ()


async def test_a_full_server_takes_the_whole_publication_or_nothing(short: Path) -> None:
    """What was published before stays."""
    leaf = a_certificate()
    with slapd.started(short, extra="maxsize 200000") as (server,):
        async with replica_of(server) as replica:
            await replica.publish(HUB1, leaf.der, NOON)
            refused: DirectoryUnavailable | None = None
            published = {leaf.der}
            for _ in range(400):
                new = der(an_x509(key="rsa", kind="rsa2048"))
                try:
                    await replica.publish(HUB1, new, NOON)
                except DirectoryUnavailable as error:
                    refused = error
                    break
                published.add(new)
            [look] = await replica.look([HUB1], NOON)

    assert refused is not None
    assert server.ldaps in refused.message
    assert {one.certificate.der for one in look.found or ()} == published


async def test_more_entries_than_the_servers_limit_are_no_smaller_directory(short: Path) -> None:
    """Part of an answer would look as if the rest were not there."""
    with slapd.started(short, extra="sizelimit size.prtotal=10") as (server,):
        await fill(server, 30)
        async with replica_of(server, MX1) as replica:
            looks = await replica.look(None, NOON)
            [asked] = await replica.look([HUB1], NOON)
            state = await replica.state()

    assert list(looks) == []
    assert (state.readable, "more entries than the server gives" in state.why) == (False, True)
    # What is within the limit is answered.
    assert asked.found == ()


@pytest.mark.parametrize("largest_page", [500, 7])
async def test_a_limit_on_one_answer_is_no_limit_on_pages(short: Path, largest_page: int) -> None:
    limits = f"sizelimit size.soft=10 size.hard=10 size.pr={largest_page} size.prtotal=unlimited"
    with slapd.started(short, extra=limits) as (server,):
        await fill(server, 30)
        async with replica_of(server, MX1) as replica:
            looks = await replica.look(None, NOON)

    assert len(looks) == 30
