"""The whole way: a change at one replica, replicated, compiled, and answered in a session that is open."""

from __future__ import annotations

import asyncio
import smtplib
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust import clock
from mailtrust.core.model.certificate import certificate
from mailtrust.core.model.server import ServerName
from mailtrust.directory.ldap import LdapReplica, LdapSettings
from mailtrust.directory.ldap_bind import Password
from mailtrust.directory.sqlite import SqliteReplica
from mailtrust.ldap import names
from mailtrust.transports.base import Raised
from mailtrust.transports.hub.trust import Home, Trust
from mailtrust.transports.postfix.compile import CLIENTS, NextHops
from mailtrust.transports.postfix.follow import NotWritten, Written, follow
from mailtrust.transports.postfix.instance import Instance
from mailtrust.transports.postfix.tables import held
from tests import postfix, slapd
from tests.loopback import PATIENCE, eventually, free_port
from tests.make import a_certificate, an_x509, der, minutes
from tests.postfix import Postfix, answer, chain_pem, session
from tests.programs import needs

MX1, MX2 = ServerName("mx1.example.test"), ServerName("mx2.example.test")
LOCAL = f"ann@{MX1}"
PEER, NEXT = (der(an_x509(MX2, key=key)) for key in ("peer", "next"))
POLL = timedelta(milliseconds=20)
pytestmark = postfix.MARKS


@pytest.fixture
def folder() -> Iterator[Path]:
    with postfix.folder() as one:
        for label in ("peer", "next"):
            (one / f"{label}.pem").write_text(chain_pem(MX2, key=label))
        yield one


@dataclass
class Following:
    """A `follow` that runs, and what it told."""

    steps: list[Written | NotWritten] = field(default_factory=list)
    raised: list[Raised] = field(default_factory=list)

    async def said(self, count: int) -> None:
        await eventually(lambda: len(self.steps) >= count, f"{count} steps: {self.steps}")


@asynccontextmanager
async def following(
    home: Home, mx1: Postfix, next_hops: NextHops | None = None, **options: object
) -> AsyncIterator[Following]:
    seen = Following()
    max_age = options.pop("max_age", minutes(30))
    assert isinstance(max_age, timedelta)
    trust = Trust(MX1, home, mx1.folder / "snapshot.jsonl", seen.raised.append, poll=POLL, max_age=max_age)
    await trust.start()
    hands = Instance(mx1.config, mx1.tables)

    async def take() -> None:
        async for step in follow(trust, hands, next_hops or {}, **options):  # type: ignore[arg-type]
            seen.steps.append(step)

    tasks = [asyncio.create_task(trust.keep()), asyncio.create_task(take())]
    try:
        yield seen
    finally:
        for one in tasks:
            one.cancel()
        for one in tasks:
            with suppress(asyncio.CancelledError):
                await one
        hands.close()


@pytest.fixture
def mx1(folder: Path) -> Postfix:
    """One that is not started."""
    one = Postfix(folder / "mx1", MX1, free_port(), free_port())
    one.make_configuration()
    one.tables.mkdir()
    return one


@pytest.fixture
async def home(folder: Path) -> AsyncIterator[SqliteReplica]:
    one = SqliteReplica(f"sqlite://{folder}/dc1.db", timeout=timedelta(seconds=PATIENCE))
    yield one
    await one.close()


def clients(mx1: Postfix) -> set[str]:
    return set(held(mx1.tables, mx1.config, (CLIENTS,))[CLIENTS])


def digests(*keys: str) -> set[str]:
    return {bytes.fromhex(a_certificate(MX2, key=key).pin).hex(":") for key in keys}


async def test_a_directory_that_is_down_leaves_the_tables_as_they_are(folder: Path, mx1: Postfix) -> None:
    """What they say is better than what a reader says that never read anything."""
    (folder / "dc1.db").write_bytes(b"no database" * 1000)
    home = SqliteReplica(f"sqlite://{folder}/dc1.db", timeout=timedelta(seconds=1))
    async with following(home, mx1, max_age=timedelta(seconds=0.2)) as seen:
        await eventually(lambda: seen.raised)
        await asyncio.sleep(0.2)

    assert seen.steps == []
    assert list(mx1.tables.iterdir()) == []
    await home.close()


async def test_tables_that_cannot_be_written_are_written_whole_later(
    home: SqliteReplica, mx1: Postfix
) -> None:
    await home.publish(MX2, PEER, clock.now())
    async with following(home, mx1) as seen:
        await seen.said(1)
        mx1.tables.rename(mx1.folder / "aside")
        await home.publish(MX2, NEXT, clock.now())
        await seen.said(2)
        mx1.tables.mkdir()
        await home.publish(MX2, der(an_x509(MX2, key="third")), clock.now())
        await eventually(
            lambda: isinstance(seen.steps[-1], Written) and len(seen.steps[-1].snapshot.servers) == 3
        )

    whole = [one for one in seen.steps if isinstance(one, Written) and one.differences is None]
    assert isinstance(seen.steps[1], NotWritten)
    assert len(whole) == 2
    assert clients(mx1) == digests("peer", "next", "third")


async def test_a_site_may_defer_everybody_once_the_snapshot_is_old(
    folder: Path, home: SqliteReplica, mx1: Postfix
) -> None:
    await home.publish(MX2, PEER, clock.now())
    async with following(home, mx1, max_age=timedelta(seconds=1), defer_when_stale=True) as seen:
        await seen.said(1)
        assert clients(mx1) == digests("peer")
        (folder / "dc1.db").write_bytes(b"no database" * 1000)
        await seen.said(2)

    assert clients(mx1) == set()
    assert [one.event.code for one in seen.raised] == [12111]


async def ask(client: smtplib.SMTP, recipient: str = LOCAL) -> int:
    return (await asyncio.to_thread(answer, client, recipient)).code


async def until(client: smtplib.SMTP, code: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while await ask(client) != code:  # noqa: ASYNC110  # a peer asks again as well
            await asyncio.sleep(0.005)


@needs("slapd", "slapadd")
async def test_an_open_session_is_answered_by_what_another_replica_was_told(folder: Path) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="mt-") as short,
        slapd.started(Path(short), 2) as servers,
        postfix.started(
            folder / "mx1", chain=chain_pem(MX1), name=MX1, trusting=True, tables={CLIENTS: {}}
        ) as mx1,
        session(mx1.inner, chain=folder / "next.pem") as peer,
    ):
        primary, home = (
            LdapReplica(
                one.ldaps,
                LdapSettings(
                    names.parse(slapd.SERVERS),
                    Password(slapd.ADMIN, slapd.password_file(one.folder)),
                    one.ca_file,
                ),
                timeout=timedelta(seconds=PATIENCE),
            )
            for one in servers
        )
        await primary.prepare(MX2)
        await primary.publish(MX2, PEER, clock.now())
        assert await ask(peer) == 450
        async with following(home, mx1) as seen:
            await seen.said(1)
            await primary.publish(MX2, NEXT, clock.now())
            await until(peer, 250)
            await primary.withdraw(MX2, certificate(NEXT).fingerprint, clock.now())
            await until(peer, 450)
        await primary.close()
        await home.close()

    assert not [one for one in seen.steps if isinstance(one, NotWritten)]
