"""
What a large directory costs, counted and not timed: questions asked, and entries held.

How long it takes stands in docs/performance.md; a slow neighbour must not make a build red.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.core.model.server import ServerName
from mailtrust.core.model.trust import Trusted
from mailtrust.directory.ldap import LdapReplica, LdapSettings
from mailtrust.directory.ldap_bind import Password
from mailtrust.directory.ldap_wire import Wire
from mailtrust.ldap import names
from mailtrust.ldap.requests import Scope, Search
from mailtrust.ldap.responses import Entry
from mailtrust.transports.hub.trust import Trust
from tests import slapd
from tests.loopback import eventually
from tests.make import HUB1, HUB2, NOON, a_certificate
from tests.programs import needs
from tests.slapd import ADMIN, SERVERS, Server, password_file

pytestmark = [needs("slapd", "slapadd"), pytest.mark.xdist_group("large")]

PATIENCE = timedelta(seconds=20)
PAGE = 100
FEW, MANY = 3, 2000
PEER = a_certificate(HUB2, key="peer")


def crowded(count: int) -> Iterator[Server]:
    """A server with that many entries, which all publish one certificate."""
    with tempfile.TemporaryDirectory(prefix="mt-") as made:
        folder = Path(made)
        (folder / "entries.ldif").write_text("".join(map(entry, range(count))))
        with slapd.started(folder, entries=folder / "entries.ldif") as (server,):
            yield server


def entry(number: int) -> str:
    server = f"crowd{number}.example.test"
    value = base64.b64encode(a_certificate(key="crowd").der).decode()
    classes = "objectClass: device\nobjectClass: pkiUser\n"
    return f"dn: cn={server},{SERVERS}\n{classes}cn: {server}\nuserCertificate;binary:: {value}\n\n"


@pytest.fixture(scope="module")
def large() -> Iterator[Server]:
    yield from crowded(MANY)


@pytest.fixture(scope="module")
def small() -> Iterator[Server]:
    yield from crowded(FEW)


@asynccontextmanager
async def replica_at(server: Server) -> AsyncIterator[LdapReplica]:
    account = Password(ADMIN, password_file(server.folder))
    settings = LdapSettings(names.parse(SERVERS), account, server.ca_file)
    replica = LdapReplica(server.ldaps, settings, timeout=PATIENCE)
    try:
        yield replica
    finally:
        await replica.close()


def entries_held() -> int:
    gc.collect()
    return sum(isinstance(one, Entry) for one in gc.get_objects())


async def asked_for_a_change(server: Server, folder: Path) -> list[str]:
    """What is asked of a hub's home when one entry changes, and when nothing has."""
    async with replica_at(server) as home, replica_at(server) as writer:
        trust = Trust(ServerName(HUB1), home, folder / "snapshot.jsonl", lambda _: None)
        await writer.withdraw(HUB2, PEER.fingerprint, NOON)
        await trust.start()
        keeping = asyncio.create_task(trust.keep())
        try:
            # The watch is the one search for nothing but numbers.
            await eventually(lambda: "SRCH attr=entryCSN\n" in server.log())
            before = len(server.log())
            await writer.publish(HUB2, PEER.der, NOON)
            await eventually(lambda: trust.judge(PEER) == Trusted(HUB2))
            assert await home.unchanged()
        finally:
            keeping.cancel()
            await asyncio.wait((keeping,))
    return [line for line in server.log()[before:].splitlines() if " SRCH base=" in line]


async def test_a_change_and_a_quiet_minute_cost_the_same_in_a_small_and_a_large_directory(
    small: Server, large: Server, tmp_path: Path
) -> None:
    counts = [len(await asked_for_a_change(one, tmp_path)) for one in (small, large)]

    assert counts[0] == counts[1]
    # The writer's own look and ours, with the mark before it; then the mark once more.
    assert counts[0] < 10


async def test_of_a_large_directory_two_pages_are_held_at_most(large: Server) -> None:
    account = Password(ADMIN, password_file(large.folder))
    before, most, seen = entries_held(), 0, 0
    async with await Wire.open(
        large.ldaps, credentials=account, ca_file=large.ca_file, timeout=PATIENCE
    ) as wire:
        search = Search(SERVERS, Scope.ONE_LEVEL)
        async with aclosing(wire.stream(search, timeout=PATIENCE, page=PAGE)) as entries:
            async for _ in entries:
                seen += 1
                if seen % PAGE in (0, 1, PAGE // 2):
                    most = max(most, entries_held())

    assert seen >= MANY
    assert most - before <= 2 * PAGE + 1


async def test_a_column_holds_no_entry(large: Server) -> None:
    """Of a hundred thousand certificates only keys and names stay in memory."""
    before = entries_held()
    async with replica_at(large) as replica:
        column = await replica.column(NOON)

        assert column.servers[a_certificate(key="crowd").pin] == "crowd0.example.test"
        # What the loop has still in hand goes with its next turn.
        await asyncio.sleep(0)
        assert entries_held() <= before
