"""A snapshot of an OpenLDAP server that is restored from a backup: who is believed, and who is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailtrust import clock
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.trust import Stranger, Trusted
from mailtrust.directory.ldap import LdapReplica
from mailtrust.transports.base import Raised
from mailtrust.transports.hub.trust import Trust
from tests import slapd
from tests.directory.ldap.test_replica import replica_of
from tests.make import HUB1, HUB2, NOON, a_certificate
from tests.programs import needs
from tests.slapd import Server

pytestmark = needs("slapd", "slapadd", "slapcat")

FIRST, OLD, NEW = a_certificate(HUB1), a_certificate(HUB2, key="old"), a_certificate(HUB2, key="new")
NEXT = a_certificate(HUB1, key="next")


@pytest.fixture
def server(short: Path) -> Iterator[Server]:
    with slapd.started(short) as (one,):
        yield one


class Reader:
    """A trust snapshot that is renewed when the test says so."""

    def __init__(self, replica: LdapReplica, folder: Path) -> None:
        self.raised: list[Raised] = []
        self.trust = Trust(HUB1, replica, folder / "snapshot.jsonl", self.raised.append)

    async def believes(self, *leaves: Certificate) -> list[bool]:
        await self.trust.look()
        verdicts = [self.trust.judge(leaf) for leaf in leaves]
        assert {type(one) for one in verdicts} <= {Trusted, Stranger}
        return [isinstance(one, Trusted) for one in verdicts]


async def test_what_was_published_since_the_backup_is_kept_and_what_is_withdrawn_is_not(
    server: Server, tmp_path: Path
) -> None:
    async with replica_of(server) as replica:
        reader = Reader(replica, tmp_path)
        await replica.publish(HUB1, FIRST.der, NOON)
        await replica.publish(HUB2, OLD.der, NOON)
        backup = server.dump()
        await replica.publish(HUB2, NEW.der, NOON)
        assert await reader.believes(FIRST, OLD, NEW) == [True, True, True]

        server.stop()
        server.reload(backup)
        server.start()
        assert await reader.believes(FIRST, OLD, NEW) == [True, True, True]
        assert [one.event.code for one in reader.raised] == [12156]

        # It writes on: how far it has seen passes what we had seen.
        await replica.publish(HUB1, NEXT.der, clock.now())
        assert await reader.believes(FIRST, OLD, NEW, NEXT) == [True, True, True, True]

        await replica.publish(HUB2, NEW.der, clock.now())
        assert await reader.believes(NEW) == [True]
        assert not reader.trust.snapshot.kept
        await replica.withdraw(HUB2, NEW.fingerprint, clock.now())
        assert await reader.believes(FIRST, OLD, NEW, NEXT) == [True, True, False, True]


async def test_a_server_that_writes_on_before_anybody_looked_is_found_out_by_the_entry(
    server: Server, tmp_path: Path
) -> None:
    async with replica_of(server) as replica:
        reader = Reader(replica, tmp_path)
        await replica.publish(HUB1, FIRST.der, NOON)
        await replica.publish(HUB2, OLD.der, NOON)
        backup = server.dump()
        await replica.publish(HUB2, NEW.der, NOON)
        assert await reader.believes(NEW) == [True]

        server.stop()
        server.reload(backup)
        server.start()
        await replica.publish(HUB1, NEXT.der, clock.now())

        assert await reader.believes(OLD, NEW, NEXT) == [True, True, True]


async def test_a_withdrawal_takes_effect_at_the_next_look(server: Server, tmp_path: Path) -> None:
    async with replica_of(server) as replica:
        reader = Reader(replica, tmp_path)
        await replica.publish(HUB1, FIRST.der, NOON)
        await replica.publish(HUB2, NEW.der, NOON)
        assert await reader.believes(FIRST, NEW) == [True, True]

        await replica.withdraw(HUB2, NEW.fingerprint, clock.now())

        assert await reader.believes(FIRST, NEW) == [True, False]
        assert not reader.raised
