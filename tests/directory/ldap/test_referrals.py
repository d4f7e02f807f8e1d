"""Where a server points is named and never gone to: it would be told a password, perhaps in the clear."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.directory.ldap import LdapReplica, LdapSettings
from mailtrust.directory.ldap_bind import Password
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import DirectoryUnavailable, PublishRefused
from mailtrust.ldap import names
from mailtrust.ldap.requests import Change, How, Scope, Search
from mailtrust.ldap.responses import Reference, Result
from tests import slapd
from tests.directory.ldap import hostile
from tests.directory.ldap.hostile import asked, let_in, message
from tests.make import HUB1, NOON, a_certificate
from tests.programs import needs
from tests.slapd import ADMIN, MX1, SERVERS, password_file

PATIENCE = timedelta(seconds=20)
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


async def forever() -> None:
    await asyncio.Event().wait()


async def test_what_another_server_would_know_is_named_and_not_asked_for(short: Path) -> None:
    met = asyncio.Event()

    async def elsewhere(reader: Reader, writer: Writer) -> None:
        met.set()

    async with hostile.server(elsewhere, short, plain=True) as there:

        async def point(reader: Reader, writer: Writer) -> None:
            await let_in(reader, writer)
            while True:
                number, request, _ = await asked(reader)
                if isinstance(request, Search) and request.scope is Scope.SUBTREE:
                    writer.write(message(number, Reference((there,))) + message(number, Result(0)))
                else:
                    writer.write(message(number, Result(10, referrals=(there,))))

        async with (
            hostile.server(point, short) as url,
            await Wire.open(
                url,
                credentials=Password(MX1, password_file(short)),
                ca_file=short / "ca.pem",
                timeout=PATIENCE,
            ) as wire,
        ):
            assert await wire.search(Search("dc=example"), timeout=PATIENCE) == []
            with pytest.raises(DirectoryUnavailable, match=f"points to {there}"):
                await wire.search(Search("dc=example", Scope.BASE), timeout=PATIENCE)
            with pytest.raises(PublishRefused, match=f"points to {there}") as refused:
                await wire.modify(MX1, Change(How.ADD, "cn", (b"x",)), timeout=PATIENCE)

    assert "a password is never sent where a server points" in refused.value.hint
    assert not met.is_set()


@contextmanager
def that_takes_no_writes(folder: Path) -> Iterator[slapd.Server]:
    """A consumer, as OpenLDAP has it: whoever wants to write is pointed to where it copies from."""
    extra = (
        f"syncrepl rid=9 provider=ldap://127.0.0.1:9 searchbase={slapd.BASE} bindmethod=simple "
        "type=refreshAndPersist retry=60,+\nupdateref ldap://primary.example.test"
    )
    with slapd.started(folder, extra=extra) as (server,):
        yield server


@needs("slapd", "slapadd")
async def test_a_copy_that_takes_no_writes_says_where_to_write(short: Path) -> None:
    with that_takes_no_writes(short) as server:
        settings = LdapSettings(names.parse(SERVERS), Password(ADMIN, password_file(short)), server.ca_file)
        replica = LdapReplica(server.ldaps, settings, timeout=PATIENCE)
        with pytest.raises(PublishRefused, match=r"points to ldap://primary\.example\.test") as refused:
            await replica.publish(HUB1, a_certificate().der, NOON)
        await replica.close()

    assert "name a server that takes writes" in refused.value.hint
