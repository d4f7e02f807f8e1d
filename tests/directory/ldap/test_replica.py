"""What only a replica with LDAP does: rights, time-outs, restarts, servers that tell nothing."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.core.model.server import ServerName
from mailtrust.directory.ldap import LdapReplica, LdapSettings
from mailtrust.directory.ldap_bind import Password
from mailtrust.directory.ldap_wire import Wire
from mailtrust.directory.rights import Deed
from mailtrust.errors import PublishRefused
from mailtrust.ldap import names
from mailtrust.ldap.requests import Change, How, Scope, Search
from tests import slapd
from tests.make import ENDPOINT, HUB1, HUB2, NOON, a_certificate, an_x509, der
from tests.programs import needs
from tests.slapd import ADMIN, BASE, SERVERS, Server, password_file

pytestmark = needs("slapd", "slapadd")

PATIENCE = timedelta(seconds=20)
SOON = timedelta(seconds=0.5)
POLL = timedelta(milliseconds=20)
OWN = "userCertificate;binary"
CLASSES = (b"device", b"pkiUser", b"labeledURIObject", b"simpleSecurityObject")
PAGE = Path(__file__).parents[3] / "docs" / "directories" / "openldap.md"


def documented_rules() -> str:
    """The access rules of the page, in the one form that slapd takes."""
    _, _, rest = PAGE.read_text("utf-8").partition("```slapd\n")
    block = textwrap.dedent(rest.partition("```")[0].rstrip(" "))
    assert block.count("access to") == 3
    assert SERVERS in block
    return block


@pytest.fixture
def server(short: Path) -> Iterator[Server]:
    with slapd.started(short) as (one,):
        yield one


def settings(server: Server, account: str = ADMIN, base: str = SERVERS) -> LdapSettings:
    return LdapSettings(names.parse(base), Password(account, password_file(server.folder)), server.ca_file)


@asynccontextmanager
async def replica_of(
    server: Server, account: str = ADMIN, base: str = SERVERS, timeout: timedelta = PATIENCE
) -> AsyncIterator[LdapReplica]:
    replica = LdapReplica(server.ldaps, settings(server, account, base), timeout=timeout)
    yield replica
    await replica.close()


@asynccontextmanager
async def wire_to(server: Server) -> AsyncIterator[Wire]:
    async with await Wire.open(
        server.ldaps, credentials=settings(server).credentials, ca_file=server.ca_file, timeout=PATIENCE
    ) as wire:
        yield wire


def dn(name: str) -> str:
    return f"cn={name},{SERVERS}"


async def with_an_account(server: Server, name: str) -> None:
    """What an administrator makes for a server: an entry that may sign in."""
    async with wire_to(server) as wire:
        held = (("objectClass", CLASSES), ("cn", (name.encode(),)), ("userPassword", (b"sesame",)))
        await wire.add(dn(name), held, timeout=PATIENCE)


def with_rules(server: Server, *, without: tuple[str, ...] = ()) -> None:
    """The same server with the access rules of the documentation, and without lines that begin so."""
    file = server.folder / "slapd.conf"
    lines = file.read_text("utf-8").splitlines(keepends=True)
    kept = [one for one in lines if not one.startswith(("access", "  by "))]
    kept = [one for one in kept if not one.startswith(without)]
    at = next(number for number, one in enumerate(kept) if one.startswith("database"))
    at = next(number for number, one in enumerate(kept) if number > at and one.startswith("index cn")) + 1
    server.stop()
    file.write_text("".join((*kept[:at], documented_rules(), *kept[at:])), "utf-8")
    server.start()


async def test_a_server_writes_its_own_entry_and_no_other(server: Server) -> None:
    """By the rules of docs/directories/openldap.md: nobody can publish under a neighbour's name."""
    for name in (HUB1, HUB2):
        await with_an_account(server, name)
    with_rules(server)
    leaf = a_certificate()

    async with replica_of(server, dn(HUB1)) as replica:
        await replica.publish(HUB1, leaf.der, NOON, [ENDPOINT])
        with pytest.raises(PublishRefused, match="no right") as refused:
            await replica.publish(HUB2, leaf.der, NOON)
        with pytest.raises(PublishRefused):
            await replica.publish(ServerName("new.example.test"), leaf.der, NOON)
        looks = await replica.look([HUB1, HUB2], NOON)
        await replica.withdraw(HUB1, leaf.fingerprint, NOON)
        after = await replica.look([HUB1], NOON)

    assert "may write" in refused.value.hint
    assert [look.pins for look in looks] == [{leaf.pin}, frozenset()]
    assert looks[0].listeners == (ENDPOINT,)
    assert after[0].found == ()


async def test_an_entry_that_lacks_the_classes_gets_them(server: Server) -> None:
    async with wire_to(server) as wire:
        await wire.add(dn(HUB1), (("objectClass", (b"device",)), ("cn", (HUB1.encode(),))), timeout=PATIENCE)

    async with replica_of(server) as replica:
        await replica.publish(HUB1, a_certificate().der, NOON, [ENDPOINT])
        [look] = await replica.look(None, NOON)

    assert (look.pins, look.listeners) == ({a_certificate().pin}, (ENDPOINT,))


async def test_what_others_wrote_in_the_entry_stays(server: Server) -> None:
    page = b"https://www.example.test the home page"
    async with replica_of(server) as replica, wire_to(server) as wire:
        await replica.publish(HUB1, a_certificate().der, NOON)
        await wire.modify(dn(HUB1), Change(How.ADD, "labeledURI", (page,)), timeout=PATIENCE)

        await replica.publish(HUB1, a_certificate().der, NOON, [ENDPOINT])

        [look] = await replica.look([HUB1], NOON)
        assert look.listeners == (ENDPOINT,)
        found = await wire.search(Search(dn(HUB1), Scope.BASE), timeout=PATIENCE)
    assert set(found[0].values("labeledURI")) == {page, b"smtp://127.0.0.1:2525"}


async def test_a_base_that_is_not_there_cannot_be_read(server: Server) -> None:
    """An entry that is missing means an empty one; a base that is missing may be a right that is missing."""
    async with replica_of(server, base=f"ou=nowhere,{BASE}") as replica:
        [look] = await replica.look([HUB1], NOON)
        state = await replica.state()

    assert look.found is None
    assert "no such entry, or no right to see it" in look.why
    assert not state.readable


async def test_a_wrong_password_is_a_reason_and_is_not_repeated(server: Server) -> None:
    wrong = LdapSettings(
        names.parse(SERVERS), Password(ADMIN, password_file(server.folder, "tahini")), server.ca_file
    )
    replica = LdapReplica(server.ldaps, wrong, timeout=PATIENCE)

    [look] = await replica.look([HUB1], NOON)
    await replica.close()

    assert look.found is None
    assert "wrong name or password" in look.why
    assert "tahini" not in look.why


async def test_a_hung_server_costs_the_deadline_and_is_asked_anew_when_it_goes_on(server: Server) -> None:
    async with replica_of(server, timeout=SOON) as replica:
        await replica.publish(HUB1, a_certificate().der, NOON)
        server.freeze()
        begun = asyncio.get_running_loop().time()

        [look] = await replica.look([HUB1], NOON)
        took = asyncio.get_running_loop().time() - begun
        server.thaw()

        assert look.found is None
        assert "did not answer within 0.5 seconds" in look.why
        assert took < SOON.total_seconds() + 3
        [again] = await replica.look([HUB1], NOON)
        assert again.pins == {a_certificate().pin}


async def test_a_server_that_was_started_anew_is_asked_on_a_new_connection(server: Server) -> None:
    async with replica_of(server) as replica:
        await replica.publish(HUB1, a_certificate().der, NOON)
        server.stop()
        server.start()

        await replica.publish(HUB1, a_certificate(key="b").der, NOON)

        [look] = await replica.look([HUB1], NOON)
        assert look.pins == {a_certificate().pin, a_certificate(key="b").pin}


async def test_a_watch_goes_on_over_a_restart(server: Server) -> None:
    async with replica_of(server) as watched, replica_of(server) as other:
        await watched.look(None, NOON)
        async with aclosing(watched.watch(POLL)) as watch:
            await other.publish(HUB1, a_certificate().der, NOON)
            await asyncio.wait_for(anext(watch), 10)
            server.stop()
            # That it cannot be read is news; and then, that it can.
            await asyncio.wait_for(anext(watch), 10)
            server.start()
            await asyncio.wait_for(anext(watch), 10)
            await other.publish(HUB2, a_certificate(HUB2).der, NOON)

            await asyncio.wait_for(anext(watch), 10)


@pytest.mark.parametrize(
    "without", [("overlay syncprov", "syncprov-"), ("overlay syncprov", "syncprov-", "moduleload syncprov")]
)
async def test_a_server_that_tells_nothing_by_itself_is_read_again_and_again(
    server: Server, without: tuple[str, ...]
) -> None:
    """Also one that knows how to tell, but not of this part of its tree: its contextCSN stands still."""
    with_rules(server, without=without)
    async with replica_of(server) as watched, replica_of(server) as other:
        await watched.look(None, NOON)
        async with aclosing(watched.watch(POLL)) as watch:
            waiting = asyncio.ensure_future(anext(watch))
            await asyncio.wait({waiting}, timeout=10 * POLL.total_seconds())
            if waiting.done():
                # Learning that it does not tell may count as news, once.
                waiting = asyncio.ensure_future(anext(watch))
                done, _ = await asyncio.wait({waiting}, timeout=10 * POLL.total_seconds())
                assert not done

            await other.publish(HUB1, a_certificate().der, NOON)

            await asyncio.wait_for(waiting, 10)


async def test_two_thousand_servers_are_seen_in_one_look(server: Server) -> None:
    """More than a server gives at once: its limit is 500."""
    value = der(an_x509())
    names_of_all = [ServerName(f"hub{number:04}.example.test") for number in range(2000)]
    async with wire_to(server) as wire:
        for name in names_of_all:
            held = (("objectClass", CLASSES[:3]), ("cn", (name.encode(),)), (OWN, (value,)))
            await wire.add(dn(name), held, timeout=PATIENCE)

    async with replica_of(server) as replica:
        everybody = await replica.look(None, NOON)
        asked = await replica.look(names_of_all[:100], NOON)

    assert [look.server for look in everybody] == names_of_all
    assert all(len(look.found or ()) == 1 for look in everybody)
    assert [look.server for look in asked] == names_of_all[:100]


async def test_the_documented_rules_hold_when_they_are_tried(server: Server) -> None:
    """And nothing is left behind by trying them."""
    for name in (HUB1, HUB2):
        await with_an_account(server, name)
    with_rules(server)
    value = der(an_x509(key="thrown away"))

    async with replica_of(server, dn(HUB1)) as replica:
        tried = await replica.rights(HUB1, HUB2, value)
        after = await replica.look([HUB1, HUB2], NOON)

    assert {one.deed: one.allowed for one in tried} == {
        Deed.OWN: True, Deed.NEIGHBOUR: False, Deed.NEW: False, Deed.ANONYMOUS: False,
    }  # fmt: skip
    assert all(look.found == () for look in after)


async def test_rules_that_let_everybody_write_are_found_out(server: Server) -> None:
    for name in (HUB1, HUB2):
        await with_an_account(server, name)

    async with replica_of(server) as replica:
        tried = await replica.rights(HUB1, HUB2, der(an_x509(key="thrown away")))
        state = await replica.state()
        missing = await replica.rights(ServerName("hub7.example.test"), None, der(an_x509(key="thrown away")))

    assert {one.deed: one.allowed for one in tried if one.deed is not Deed.ANONYMOUS} == {
        Deed.OWN: True, Deed.NEIGHBOUR: True, Deed.NEW: True,
    }  # fmt: skip
    assert state.values == 0
    assert (missing[0].allowed, "not there" in missing[0].why) == (None, True)


async def test_who_wrote_last_is_told_of_the_servers_that_were_asked_about(server: Server) -> None:
    """Of all it is left out: a hundred thousand names would be read for nobody."""
    async with replica_of(server) as replica:
        await replica.publish(HUB1, a_certificate().der, NOON)

        [one] = await replica.look((HUB1,), NOON)
        [among_all] = await replica.look(None, NOON)

    assert one.author.lower() == ADMIN.lower()
    assert among_all.author == ""
