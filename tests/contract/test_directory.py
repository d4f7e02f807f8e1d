"""
What every directory must do, whatever stands behind it.

A new back end adds one entry to BACK_ENDS and passes.  Where it cannot do something it says so itself, as
`Replica.holds_many` and `BackEnd.takes_anything` do; then the test asks for what is true there, or is left
out.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import pytest

from mailtrust.clock import now
from mailtrust.core.model.certificate import fingerprint_of
from mailtrust.core.model.server import Endpoint
from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.core.model.trust import Column
from mailtrust.directory.ad import AdReplica
from mailtrust.directory.base import Replica
from mailtrust.directory.ldap import LdapReplica, LdapSettings
from mailtrust.directory.ldap_bind import Password
from mailtrust.directory.ldap_wire import Wire
from mailtrust.directory.open import Directory
from mailtrust.directory.replicate import replicate_once
from mailtrust.directory.sqlite import SqliteReplica
from mailtrust.errors import DirectoryUnavailable, PublishRefused
from mailtrust.ldap import names
from tests import ds389, slapd
from tests.make import (
    AUTHORITY,
    ENDPOINT,
    HUB1,
    HUB2,
    NOON,
    a_certificate,
    an_x509,
    der,
    half_readable,
    minutes,
)
from tests.programs import needs
from tests.samba.controller import BASE
from tests.samba.fixtures import forest, forest_at_rest, needs_forest
from tests.samba.forest import ADMINISTRATOR, Forest

__all__ = ["forest", "forest_at_rest"]

POLL = timedelta(milliseconds=20)
QUIET = 10 * POLL.total_seconds()
LdapServer = slapd.Server | ds389.Server
JUNK = half_readable()[0]
"""No directory refuses it, and we cannot read it."""


class BackEnd(Protocol):
    """One directory with nothing in it, and ways to disturb it."""

    opened: list[Replica]
    replica: Replica
    keeps_moments: bool
    """Whether a value has the moment that its publisher tells, and not one of the directory's clock."""
    takes_anything: bool
    """Whether a value may be no certificate at all."""

    def again(self) -> Replica:
        """The same replica, as another process opens it."""

    def others(self) -> list[Replica]:
        """The other replicas of the directory."""

    async def spread(self) -> None:
        """Hurry what the directory's own replication would bring by itself, where it can be hurried."""

    def take_away(self) -> None:
        """Make it unreadable."""


class Sqlite:
    """A replica in a folder of its own, and the way to take it away."""

    keeps_moments = True
    takes_anything = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "dc1"
        self.folder.mkdir()
        self.opened: list[Replica] = []
        self.replica = self.again()

    def again(self) -> Replica:
        """The same replica, as another process opens it."""
        url = f"sqlite://{self.folder}/directory.db"
        self.opened.append(SqliteReplica(url, timeout=timedelta(seconds=10)))
        return self.opened[-1]

    def others(self) -> list[Replica]:
        """One more file."""
        url = f"sqlite://{self.folder}/other.db"
        self.opened.append(SqliteReplica(url, timeout=timedelta(seconds=10)))
        return [self.opened[-1]]

    async def spread(self) -> None:
        """Unite all that were opened."""
        await replicate_once(Directory(tuple(self.opened), self.replica, self.replica), now())

    def take_away(self) -> None:
        """Make it unreadable."""
        self.folder.rename(self.folder.with_name("unmounted"))


class Ldap:
    """A part of the tree of three real OpenLDAP providers, of this test's own."""

    keeps_moments = False
    takes_anything = False

    def __init__(self, servers: tuple[LdapServer, ...], name: str) -> None:
        self._server, *self._others = servers
        self._base = names.parse(slapd.BASE).child("ou", name)
        self.opened: list[Replica] = []
        self.replica = self.again()

    def again(self) -> Replica:
        """The same replica, as another process opens it."""
        return self._opened(self._server)

    def others(self) -> list[Replica]:
        """The other two providers."""
        return [self._opened(one) for one in self._others]

    async def spread(self) -> None:
        """They do so at once."""

    def _opened(self, server: LdapServer) -> Replica:
        self.opened.append(LdapReplica(server.ldaps, self._settings, timeout=timedelta(seconds=10)))
        return self.opened[-1]

    def take_away(self) -> None:
        """Make it unreadable."""
        self._server.stop()

    async def begin(self) -> None:
        """Make the place where entries will stand."""
        if self._server.process is None:
            self._server.start()
        patience = timedelta(seconds=10)
        settings = self._settings
        async with await Wire.open(
            self._server.ldaps, credentials=settings.credentials, ca_file=settings.ca_file, timeout=patience
        ) as wire:
            unit = (("objectClass", (b"organizationalUnit",)),)
            await wire.add(str(self._base), unit, timeout=patience)

    @property
    def _settings(self) -> LdapSettings:
        password = slapd.password_file(self._server.folder)
        return LdapSettings(self._base, Password(slapd.ADMIN, password), self._server.ca_file)


class Ds389(Ldap):
    """The same of two real 389 Directory Servers, which look at no value of `userCertificate`."""

    takes_anything = True

    def take_away(self) -> None:
        """Make it unreadable, at once: to stop in good order takes seconds."""
        self._server.kill()


class ActiveDirectory:
    """An organizational unit of a real domain, of this test's own, with the two servers' computers in it."""

    keeps_moments = False
    takes_anything = True

    def __init__(self, forest: Forest, number: int) -> None:
        self._forest = forest
        self._number = number
        self._unit = names.parse(BASE).child("OU", f"test {number}")
        self.opened: list[Replica] = []
        self.replica = self.again()

    def again(self) -> Replica:
        """The same replica, as another process opens it."""
        return self._opened(self._forest.dc1.url)

    def others(self) -> list[Replica]:
        """The second controller."""
        return [self._opened(self._forest.dc2.url)]

    async def spread(self) -> None:
        """Let it fetch what is new."""
        await asyncio.to_thread(self._forest.replicate, self._forest.dc2, self._forest.dc1)

    def _opened(self, url: str) -> Replica:
        self.opened.append(AdReplica(url, self._settings, timeout=timedelta(seconds=10)))
        return self.opened[-1]

    def take_away(self) -> None:
        """Make it unreadable."""
        self._forest.dc1.stop()

    async def begin(self) -> None:
        """Make the unit and the computers."""
        if self._forest.dc1.process is None:
            self._forest.dc1.start()
        patience = timedelta(seconds=10)
        settings = self._settings
        async with await Wire.open(
            self._forest.dc1.url, credentials=settings.credentials, ca_file=settings.ca_file, timeout=patience
        ) as wire:
            await wire.add(str(self._unit), [("objectClass", [b"organizationalUnit"])], timeout=patience)
            for server in (HUB1, HUB2):
                account = f"T{self._number}{server.partition('.')[0]}".encode()
                held = (
                    ("objectClass", [b"computer"]), ("sAMAccountName", [account + b"$"]),
                    ("dNSHostName", [server.encode()]), ("userAccountControl", [b"4096"]),
                )  # fmt: skip
                await wire.add(str(self._unit.child("CN", account.decode())), held, timeout=patience)

    @property
    def _settings(self) -> LdapSettings:
        administrator = self._forest.password(ADMINISTRATOR)
        return LdapSettings(self._unit, administrator, self._forest.ca_file, members=self._unit)


BACK_ENDS = (
    "sqlite",
    pytest.param("ldap", marks=[needs("slapd", "slapadd")]),
    pytest.param("389", marks=[ds389.needs_ds389, pytest.mark.xdist_group("389")]),
    pytest.param("ad", marks=needs_forest),
)
REMEMBERING, FORGETTING = BACK_ENDS[:1], BACK_ENDS[1:]
"""Those that know themselves what was withdrawn, and those for which the server's own journal knows it."""
remembering_only = pytest.mark.parametrize("back_end", REMEMBERING, indirect=True)
forgetting_only = pytest.mark.parametrize("back_end", FORGETTING, indirect=True)
NUMBERING = [BACK_ENDS[1], BACK_ENDS[3]]
"""Those that number their changes, so that one that was told leaves nothing to ask."""
numbering_only = pytest.mark.parametrize("back_end", NUMBERING, indirect=True)
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def openldap() -> Iterator[tuple[slapd.Server, ...]]:
    with tempfile.TemporaryDirectory(prefix="mt-") as folder, slapd.started(Path(folder), 3) as servers:
        yield servers


@pytest.fixture(scope="module")
def ds389_servers() -> Iterator[tuple[ds389.Server, ...]]:
    with tempfile.TemporaryDirectory(prefix="mt-") as folder, ds389.started(Path(folder), 2) as servers:
        yield servers


@pytest.fixture(params=BACK_ENDS)
async def back_end(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BackEnd]:
    made: BackEnd
    match request.param:
        case "sqlite":
            made = Sqlite(tmp_path)
        case "ldap":
            made = Ldap(request.getfixturevalue("openldap"), f"test {next(_numbers)}")
            await made.begin()
        case "389":
            made = Ds389(request.getfixturevalue("ds389_servers"), f"test {next(_numbers)}")
            await made.begin()
        case _:
            made = ActiveDirectory(request.getfixturevalue("forest"), next(_numbers))
            await made.begin()
    yield made
    for replica in made.opened:
        await replica.close()


@pytest.fixture
def replica(back_end: BackEnd) -> Replica:
    return back_end.replica


async def entry(replica: Replica) -> ReplicaSighting:
    [look] = await replica.look((HUB1,), NOON)
    return look


async def test_a_server_that_never_published_has_an_empty_entry(replica: Replica) -> None:
    """Empty, and not unseen: nobody stopped us from looking."""
    look = await entry(replica)

    assert (look.server, look.place, look.seen_at) == (HUB1, replica.url, NOON)
    assert look.found == ()
    assert look.why == ""


async def test_nobody_has_an_entry_at_first(replica: Replica) -> None:
    assert list(await replica.look(None, NOON)) == []
    assert (await replica.state()).readable


async def test_what_is_published_is_seen_with_its_moment_and_its_listeners(back_end: BackEnd) -> None:
    """A directory's own clock tells when an entry last changed, some of them in whole seconds."""
    replica, leaf, before = back_end.replica, a_certificate(), now().replace(microsecond=0)

    await replica.publish(HUB1, leaf.der, NOON, [ENDPOINT, Endpoint("::1", 25)])

    look = await entry(replica)
    [one] = look.found or ()
    assert one.certificate == leaf
    assert one.published_at == NOON if back_end.keeps_moments else before <= one.published_at <= now()
    assert look.listeners == (ENDPOINT, Endpoint("::1", 25))
    assert not look.home
    assert not look.primary


async def test_what_is_published_is_seen_by_others(back_end: BackEnd) -> None:
    """Done means that it is there, not that it is on its way."""
    await back_end.replica.publish(HUB1, a_certificate().der, NOON)

    assert (await entry(back_end.again())).pins == {a_certificate().pin}


async def test_publishing_twice_changes_nothing(replica: Replica) -> None:
    """Its first publication is what replication is measured from."""
    leaf = a_certificate()
    await replica.publish(HUB1, leaf.der, NOON, [ENDPOINT])
    before = await entry(replica)

    await replica.publish(HUB1, leaf.der, NOON + minutes(5), [ENDPOINT])

    # How far it has seen is about all entries: a domain controller also writes by itself.
    after = replace(await entry(replica), seen=before.seen)
    assert after == before


async def test_publishing_without_listeners_leaves_them_and_with_others_replaces_them(
    replica: Replica,
) -> None:
    await replica.publish(HUB1, a_certificate().der, NOON, [ENDPOINT])
    await replica.publish(HUB1, a_certificate(key="b").der, NOON + minutes(1))
    assert (await entry(replica)).listeners == (ENDPOINT,)

    await replica.publish(HUB1, a_certificate(key="b").der, NOON + minutes(2), [])

    assert (await entry(replica)).listeners == ()


async def test_an_entry_holds_several_certificates_or_says_that_it_cannot(replica: Replica) -> None:
    """A rotation needs the old one and the new one side by side."""
    old, new = a_certificate(key="old"), a_certificate(key="new")

    await replica.publish(HUB1, old.der, NOON)
    await replica.publish(HUB1, new.der, NOON + minutes(1))

    assert (await entry(replica)).pins == ({old.pin, new.pin} if replica.holds_many else {new.pin})


async def test_everybody_is_seen_by_name(replica: Replica) -> None:
    await replica.publish(HUB2, a_certificate(HUB2).der, NOON)
    await replica.publish(HUB1, a_certificate().der, NOON)

    assert [look.server for look in await replica.look(None, NOON)] == [HUB1, HUB2]


async def test_those_asked_for_are_seen_in_the_order_asked(replica: Replica) -> None:
    await replica.publish(HUB1, a_certificate().der, NOON)

    looks = await replica.look([HUB2, HUB1], NOON)

    assert [(look.server, len(look.found or ())) for look in looks] == [(HUB2, 0), (HUB1, 1)]
    assert list(await replica.look([], NOON)) == []


async def test_a_value_that_does_not_parse_costs_that_value_only(back_end: BackEnd) -> None:
    replica = back_end.replica
    leaf, junk = a_certificate(), JUNK
    await replica.publish(HUB1, leaf.der, NOON)

    await replica.publish(HUB1, junk, NOON + minutes(1))

    look = await entry(replica)
    assert look.pins == {leaf.pin}
    [broken] = look.unparsable
    assert (broken.digest, broken.size_bytes) == (fingerprint_of(junk), len(junk))
    assert not back_end.keeps_moments or broken.published_at == NOON + minutes(1)


async def test_a_value_that_is_no_certificate_at_all_is_kept_or_refused(back_end: BackEnd) -> None:
    """Never taken and then not shown."""
    replica, junk = back_end.replica, b"no certificate at all"

    if back_end.takes_anything:
        await replica.publish(HUB1, junk, NOON)
    else:
        with pytest.raises(PublishRefused, match=r"not of the attribute's kind"):
            await replica.publish(HUB1, junk, NOON)

    assert len((await entry(replica)).unparsable) == back_end.takes_anything


async def test_what_was_withdrawn_is_gone_and_on_record(replica: Replica) -> None:
    leaf = a_certificate()
    await replica.publish(HUB1, leaf.der, NOON)

    await replica.withdraw(HUB1, leaf.fingerprint, NOON + minutes(1))
    await replica.withdraw(HUB1, leaf.fingerprint, NOON + minutes(9))

    look = await entry(replica)
    assert look.found == ()
    on_record = {leaf.fingerprint: NOON + minutes(1)} if replica.remembers_withdrawals else {}
    assert look.withdrawn == on_record


async def test_a_value_that_does_not_parse_can_be_withdrawn(replica: Replica) -> None:
    await replica.publish(HUB1, JUNK, NOON)

    await replica.withdraw(HUB1, fingerprint_of(JUNK), NOON)

    assert (await entry(replica)).unparsable == ()


@remembering_only
async def test_what_was_withdrawn_never_returns(replica: Replica) -> None:
    """Its withdrawal may still be on the way to another replica, and would take the new entry with it."""
    leaf = a_certificate()
    await replica.publish(HUB1, leaf.der, NOON)
    await replica.withdraw(HUB1, leaf.fingerprint, NOON)

    with pytest.raises(PublishRefused, match=r"withdrawn at 2026-06-01 12:00:00Z") as refused:
        await replica.publish(HUB1, leaf.der, NOON + minutes(1))

    assert "mailtrust new" in refused.value.hint
    assert (await entry(replica)).found == ()


@forgetting_only
async def test_what_was_withdrawn_is_forgotten_where_nothing_remembers_it(replica: Replica) -> None:
    """Then it is the journal that refuses; this replica takes the value like any other."""
    assert not replica.remembers_withdrawals
    leaf = a_certificate()
    await replica.publish(HUB1, leaf.der, NOON)
    await replica.withdraw(HUB1, leaf.fingerprint, NOON)

    await replica.publish(HUB1, leaf.der, NOON + minutes(1))

    assert (await entry(replica)).pins == {leaf.pin}


@remembering_only
async def test_a_withdrawal_may_come_before_its_value(replica: Replica) -> None:
    leaf = a_certificate()
    await replica.withdraw(HUB1, leaf.fingerprint, NOON)

    with pytest.raises(PublishRefused):
        await replica.publish(HUB1, leaf.der, NOON)


async def test_a_withdrawal_is_of_one_server_only(replica: Replica) -> None:
    """Two servers may share a certificate; one of them may stop."""
    leaf = a_certificate()
    for server in (HUB1, HUB2):
        await replica.publish(server, leaf.der, NOON)

    await replica.withdraw(HUB1, leaf.fingerprint, NOON)

    [one, other] = await replica.look([HUB1, HUB2], NOON)
    assert (one.pins, other.pins) == (frozenset(), frozenset([leaf.pin]))


async def test_a_compromised_key_is_withdrawn_with_every_certificate_that_carries_it(
    replica: Replica,
) -> None:
    first, renewed, other = (
        a_certificate(key="lost"), a_certificate(key="lost"), a_certificate(key="kept"),
    )  # fmt: skip
    await replica.publish(HUB1, first.der, NOON)
    await replica.publish(HUB1, other.der, NOON)

    await replica.withdraw_key(HUB1, first.pin, NOON)

    look = await entry(replica)
    assert first.fingerprint != renewed.fingerprint
    assert look.pins == ({other.pin} if replica.holds_many else frozenset())
    if replica.remembers_withdrawals:
        assert look.withdrawn_pins == {first.pin}
        with pytest.raises(PublishRefused, match="withdrawn"):
            await replica.publish(HUB1, renewed.der, NOON)


async def test_a_server_that_withdrew_everything_has_no_entry_any_more(replica: Replica) -> None:
    """Else a server that was taken out of service would be looked for ever after."""
    leaf = a_certificate()
    await replica.publish(HUB1, leaf.der, NOON, [ENDPOINT])

    await replica.withdraw(HUB1, leaf.fingerprint, NOON)

    assert list(await replica.look(None, NOON)) == []
    assert (await entry(replica)).listeners == ()


@remembering_only
async def test_a_server_with_a_compromised_key_is_always_seen(replica: Replica) -> None:
    """Whoever else publishes that key must not be believed either."""
    leaf = a_certificate()

    await replica.withdraw_key(HUB1, leaf.pin, NOON)

    [look] = await replica.look(None, NOON)
    assert (look.server, look.withdrawn_pins) == (HUB1, frozenset([leaf.pin]))


async def test_the_state_counts_what_is_there(back_end: BackEnd) -> None:
    replica, leaf, before = back_end.replica, a_certificate(), now().replace(microsecond=0)
    await replica.publish(HUB1, leaf.der, NOON)
    await replica.publish(HUB2, JUNK, NOON + minutes(1))
    await replica.withdraw(HUB1, leaf.fingerprint, NOON + minutes(2))

    state = await replica.state()

    assert (state.url, state.readable, state.why) == (replica.url, True, "")
    assert (state.servers, state.values, state.withdrawn) == (1, 1, int(replica.remembers_withdrawals))
    assert state.changed_at is not None
    if back_end.keeps_moments:
        assert state.changed_at == NOON + minutes(2)
    else:
        assert before <= state.changed_at <= now()


async def test_a_replica_that_cannot_be_read_was_not_seen(back_end: BackEnd) -> None:
    """Never an empty answer, and never an exception from a look."""
    replica = back_end.replica
    await replica.publish(HUB1, a_certificate().der, NOON)
    back_end.take_away()

    looks = await replica.look([HUB1, HUB2], NOON)

    assert [(look.server, look.found) for look in looks] == [(HUB1, None), (HUB2, None)]
    assert all(look.why for look in looks)
    assert list(await replica.look(None, NOON)) == []
    state = await replica.state()
    assert not state.readable
    assert state.why


async def test_a_replica_that_cannot_be_asked_is_named(back_end: BackEnd) -> None:
    replica, leaf = back_end.replica, a_certificate()
    back_end.take_away()

    acts: tuple[Callable[[], Awaitable[None]], ...] = (
        lambda: replica.publish(HUB1, leaf.der, NOON),
        lambda: replica.withdraw(HUB1, leaf.fingerprint, NOON),
        lambda: replica.withdraw_key(HUB1, leaf.pin, NOON),
    )
    for act in acts:
        with pytest.raises(DirectoryUnavailable) as unavailable:
            await act()
        assert replica.url in unavailable.value.message
        assert unavailable.value.hint


async def test_what_is_published_at_one_replica_comes_to_all_the_others(back_end: BackEnd) -> None:
    """The same certificate, with the same moment and the same stamp."""
    leaf = a_certificate()
    others = back_end.others()
    await back_end.replica.publish(HUB1, leaf.der, NOON, [ENDPOINT])
    await back_end.spread()

    for other in others:
        async with asyncio.timeout(30):
            while not (arrived := await entry(other)).found:  # noqa: ASYNC110  # replication sets no event
                await asyncio.sleep(0.02)
        assert (arrived.found, arrived.listeners) == ((await entry(back_end.replica)).found, (ENDPOINT,))


async def test_many_publications_at_once_all_arrive(replica: Replica) -> None:
    assert replica.holds_many
    leaves = [der(an_x509()) for _ in range(20)]

    await asyncio.gather(*(replica.publish(HUB1, leaf, NOON) for leaf in leaves))

    assert {one.certificate.der for one in (await entry(replica)).found or ()} == set(leaves)


async def test_a_watch_tells_what_another_one_changed_and_nothing_else(back_end: BackEnd) -> None:
    watch = aiter(back_end.replica.watch(POLL))
    waiting = asyncio.ensure_future(anext(watch))
    done, _ = await asyncio.wait({waiting}, timeout=QUIET)
    assert not done

    await back_end.again().publish(HUB1, a_certificate().der, NOON)

    await asyncio.wait_for(waiting, 10)
    await ended(watch)


async def test_a_watch_tells_what_changed_since_the_last_look(back_end: BackEnd) -> None:
    """Between a look and the watch that begins after it, nothing may slip through."""
    replica = back_end.replica
    await replica.publish(HUB1, a_certificate().der, NOON)
    await replica.look(None, NOON)
    await back_end.again().publish(HUB2, JUNK, NOON)

    watch = aiter(replica.watch(POLL))

    await asyncio.wait_for(anext(watch), 10)
    await ended(watch)


async def ended(watch: AsyncIterator[None]) -> None:
    close = getattr(watch, "aclose", None)
    if close is not None:
        await close()


async def test_a_column_has_the_keys_of_everybody_and_no_authoritys(back_end: BackEnd) -> None:
    """So a trust snapshot is what looks at everybody would make of it."""
    replica = back_end.replica
    authority = a_certificate(HUB2, key="authority", extensions=AUTHORITY)
    for server, value in (
        (HUB1, a_certificate(HUB1, key="one").der),
        (HUB1, a_certificate(HUB1, key="two").der),
        (HUB2, a_certificate(HUB2, key="three").der),
        (HUB2, authority.der),
        (HUB2, JUNK),
    ):
        await replica.publish(server, value, NOON)

    column = await replica.column(NOON)

    assert column == Column.of(await replica.look(None, NOON))
    assert sorted(column.servers.values()) == [HUB1, HUB1, HUB2]
    assert authority.pin not in column.servers


@remembering_only
async def test_a_column_believes_nobody_by_a_compromised_key(replica: Replica) -> None:
    leaf = a_certificate(key="stolen")
    await replica.publish(HUB2, leaf.der, NOON)
    await replica.withdraw_key(HUB1, leaf.pin, NOON)

    column = await replica.column(NOON)

    assert leaf.pin in column.withdrawn
    assert column == Column.of(await replica.look(None, NOON))
    assert leaf.pin not in column.believed()


async def test_a_column_that_cannot_be_read_is_none(back_end: BackEnd) -> None:
    """An empty one would cost the trust in everybody."""
    back_end.take_away()

    with pytest.raises(DirectoryUnavailable) as unavailable:
        await back_end.replica.column(NOON)
    assert unavailable.value.hint


@forgetting_only
async def test_a_replica_with_nothing_new_says_so_for_less_than_a_look(back_end: BackEnd) -> None:
    """So a hub that waits knows that its home answers, however much that holds."""
    replica = back_end.replica
    await replica.publish(HUB1, a_certificate().der, NOON)
    before = await replica.unchanged()
    await replica.column(NOON)

    assert (before, await replica.unchanged()) == (False, True)


async def test_a_replica_with_something_new_is_not_unchanged(back_end: BackEnd) -> None:
    replica = back_end.replica
    await replica.column(NOON)
    await back_end.again().publish(HUB1, a_certificate().der, NOON)

    assert not await replica.unchanged()
    back_end.take_away()
    assert not await replica.unchanged()


@numbering_only
async def test_what_a_watch_has_told_is_nothing_new(back_end: BackEnd) -> None:
    replica = back_end.replica
    await replica.column(NOON)
    watch = aiter(replica.watch(POLL))
    waiting = asyncio.ensure_future(anext(watch))
    await asyncio.wait({waiting}, timeout=QUIET)
    await back_end.again().publish(HUB1, a_certificate().der, NOON)

    assert await asyncio.wait_for(waiting, 10) == {HUB1}
    assert await replica.unchanged()
    await ended(watch)
