"""The directory client against a real OpenLDAP server."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mailtrust.directory.ldap_bind import Anonymous, ClientCertificate, OwnAccount, Password
from mailtrust.directory.ldap_wire import Settings, Wire
from mailtrust.errors import BadInput, DirectoryUnavailable, PublishRefused
from mailtrust.ldap import filters, syncrepl
from mailtrust.ldap.controls import entry_after, post_read
from mailtrust.ldap.requests import Change, How, Scope, Search
from mailtrust.ldap.responses import Entry
from mailtrust.ldap.results import Code
from tests import slapd
from tests.loopback import eventually, free_port
from tests.make import a_key, an_x509, der
from tests.programs import needs, program
from tests.slapd import ADMIN, BASE, MX1, MX2, SERVERS, Server, password_file

pytestmark = needs("slapd", "slapadd", "ldapsearch")

PATIENCE = timedelta(seconds=20)
SOON = timedelta(seconds=0.4)
EVERYBODY = Search(SERVERS, Scope.ONE_LEVEL, filters.EVERYTHING, ("cn",))
OWN = "userCertificate;binary"


@pytest.fixture
def server(short: Path) -> AsyncIterator[Server]:
    with slapd.started(short) as (one,):
        yield one


async def opened(server: Server, name: str = ADMIN, **options: object) -> Wire:
    given = {"timeout": PATIENCE, "credentials": Password(name, password_file(server.folder)), **options}
    url = str(given.pop("url", server.ldaps))
    return await Wire.open(url, ca_file=server.ca_file, **given)  # type: ignore[arg-type]


async def crowd(wire: Wire, count: int) -> None:
    adding = (
        wire.add(
            f"cn=n{number},{SERVERS}",
            [("objectClass", [b"device"]), ("cn", [f"n{number}".encode()])],
            timeout=PATIENCE,
        )
        for number in range(count)
    )
    await asyncio.gather(*adding)


@pytest.mark.parametrize("scheme", ["ldap", "ldaps", "ldapi"])
async def test_a_password_opens_every_kind_of_url(server: Server, scheme: str) -> None:
    async with await opened(server, url=getattr(server, scheme)) as wire:
        assert await wire.who_am_i(timeout=PATIENCE) == f"dn:{ADMIN}"
        assert bool(wire.channel_binding) is (scheme != "ldapi")


async def test_a_client_certificate_opens_the_account_it_is_mapped_to(server: Server, short: Path) -> None:
    pem = slapd.client_pem(short, "mx1")
    async with await opened(server, credentials=ClientCertificate(pem)) as wire:
        assert await wire.who_am_i(timeout=PATIENCE) == f"dn:{MX1}"


async def test_a_client_certificate_of_a_stranger_opens_nothing(server: Server, short: Path) -> None:
    other = short / "else"
    other.mkdir()
    with pytest.raises(DirectoryUnavailable):
        await opened(server, credentials=ClientCertificate(_of_another_authority(other)))


def _of_another_authority(folder: Path) -> Path:
    made = an_x509("mx1", key="stranger")
    key = a_key("stranger", "p256").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "mx1.pem").write_bytes(made.public_bytes(Encoding.PEM) + key)
    return folder / "mx1.pem"


async def test_a_socket_tells_who_we_are(server: Server) -> None:
    async with await opened(server, url=server.ldapi, credentials=OwnAccount()) as wire:
        assert await wire.who_am_i(timeout=PATIENCE) == f"dn:{ADMIN}"


async def test_nobody_may_read_the_root_only(server: Server) -> None:
    async with await opened(server, credentials=Anonymous()) as wire:
        assert len(await wire.search(Search("", Scope.BASE), timeout=PATIENCE)) == 1
        with pytest.raises(DirectoryUnavailable, match=r"50 \(this account has no right"):
            await wire.search(Search(MX1, Scope.BASE), timeout=PATIENCE)


async def test_a_wrong_password_is_said_in_words_that_do_not_hold_it(server: Server, short: Path) -> None:
    wrong = Password(ADMIN, password_file(short, "open-barley"))
    with pytest.raises(DirectoryUnavailable, match="wrong name or password") as caught:
        await opened(server, credentials=wrong)

    assert "barley" not in repr(caught.value) + str(caught.value) + repr(Password(ADMIN, short / "p"))


async def test_an_authority_that_we_were_not_given_is_named(server: Server, short: Path) -> None:
    other = short / "other.pem"
    other.write_bytes(der(an_x509("Another authority")))
    with pytest.raises(DirectoryUnavailable, match=r"not given .*issued by CN=Test authority"):
        await Wire.open(server.ldaps, ca_file=other, timeout=PATIENCE)
    with pytest.raises(DirectoryUnavailable, match="not given"):
        await Wire.open(server.ldap, timeout=PATIENCE)


async def test_a_certificate_for_another_name_is_refused_with_both_names(server: Server) -> None:
    async def resolve(_: str, __: int) -> list[str]:
        return ["127.0.0.1"]

    url = f"ldaps://dc1.example.test:{server.tls_port}"
    with pytest.raises(
        DirectoryUnavailable, match=r"for localhost, 127\.0\.0\.1, not for dc1\.example\.test"
    ):
        await Wire.open(url, ca_file=server.ca_file, timeout=PATIENCE, resolve=resolve)


async def test_a_server_without_tls_is_never_told_the_password(short: Path) -> None:
    with slapd.started(short) as (server,):
        server.stop()
        config = server.folder / "slapd.conf"
        config.write_text("\n".join(x for x in config.read_text().splitlines() if not x.startswith("TLS")))
        server.start()
        with pytest.raises(DirectoryUnavailable, match=r"does not turn to TLS .*told and asked nothing"):
            await opened(server, url=server.ldap)

        assert "BIND" not in server.log()


async def test_a_search_finds_what_ldapsearch_finds(server: Server) -> None:
    async with await opened(server) as wire:
        await crowd(wire, 30)
        found = await wire.search(EVERYBODY, timeout=PATIENCE)

    said = await asyncio.to_thread(_ldapsearch, server)
    theirs = {line[4:] for line in said.splitlines() if line.startswith("dn: ")}
    assert len(theirs) == 32
    assert {one.name for one in found} == theirs
    assert {one.values("cn")[0].decode() for one in found} == {
        line[4:] for line in said.splitlines() if line.startswith("cn: ")
    }


def _ldapsearch(server: Server) -> str:
    ldapsearch = program("ldapsearch")
    assert ldapsearch is not None
    # It takes the whole file for the password.
    bare = server.folder / "bare"
    bare.write_text(slapd.PASSWORD)
    account = ["-x", "-H", server.ldapi, "-D", ADMIN, "-y", str(bare)]
    asked = ["-LLL", "-o", "ldif-wrap=no", "-b", SERVERS, "-s", "one", "cn"]
    return subprocess.run([ldapsearch, *account, *asked], check=True, capture_output=True, text=True).stdout


async def test_a_stream_comes_page_by_page_beyond_the_servers_limit(short: Path) -> None:
    with slapd.started(short, extra="sizelimit size.soft=20 size.hard=20 size.prtotal=unlimited") as (
        server,
    ):
        async with await opened(server) as admin, await opened(server, MX1) as wire:
            await crowd(admin, 50)
            with pytest.raises(DirectoryUnavailable, match="more entries than the server gives at once"):
                await wire.search(EVERYBODY, timeout=PATIENCE)

            names = [one.name async for one in wire.stream(EVERYBODY, timeout=PATIENCE, page=7)]

            assert len(set(names)) == len(names) == 52


async def test_two_streams_on_one_connection_take_turns(server: Server) -> None:
    """OpenLDAP remembers one place in one result per connection, and refuses the other's cookie."""
    async with await opened(server) as wire:
        await crowd(wire, 20)

        async def count() -> int:
            return len([one async for one in wire.stream(EVERYBODY, timeout=PATIENCE, page=3)])

        assert await asyncio.gather(count(), count(), count()) == [22, 22, 22]


async def test_a_value_is_added_once_and_deleted_once(server: Server) -> None:
    value = der(an_x509())
    async with await opened(server, MX1) as wire:
        add, remove = (Change(how, OWN, (value,)) for how in (How.ADD, How.DELETE))
        done = await wire.modify(MX1, add, controls=[post_read("entryCSN", OWN)], timeout=PATIENCE)
        twice = await wire.modify(MX1, add, timeout=PATIENCE, also={Code.ATTRIBUTE_OR_VALUE_EXISTS})
        await wire.modify(MX1, remove, timeout=PATIENCE)
        gone = await wire.modify(MX1, remove, timeout=PATIENCE, also={Code.NO_SUCH_ATTRIBUTE})

    entry = entry_after(done)
    assert entry is not None
    assert entry.values(OWN) == (value,)
    assert not twice.answer.done  # type: ignore[union-attr]
    assert not gone.answer.done  # type: ignore[union-attr]


async def test_what_the_account_may_not_write_is_a_refusal_with_the_reason(server: Server) -> None:
    async with await opened(server, MX1) as wire:
        change = Change(How.ADD, OWN, (der(an_x509()),))
        with pytest.raises(PublishRefused, match=f"did not change {MX2}: 50"):
            await wire.modify(MX2, change, timeout=PATIENCE)
        with pytest.raises(PublishRefused, match="21"):
            await wire.modify(MX1, Change(How.ADD, OWN, (b"garbage",)), timeout=PATIENCE)
        with pytest.raises(PublishRefused, match="did not delete"):
            await wire.delete(MX2, timeout=PATIENCE)


async def test_three_hundred_questions_share_one_connection(server: Server) -> None:
    async with await opened(server) as wire:
        asked = (wire.search(Search(MX1, Scope.BASE), timeout=PATIENCE) for _ in range(300))
        assert [len(found) for found in await asyncio.gather(*asked)] == [1] * 300


async def test_a_watch_tells_a_change_made_beside_it_on_the_same_connection(server: Server) -> None:
    async with await opened(server) as wire:
        async with aclosing(wire.watch(EVERYBODY, [syncrepl.sync()], timeout=PATIENCE)) as events:
            seen = 0
            while seen < 2:
                seen += syncrepl.state(await anext(events)) is not None
            await crowd(wire, 1)
            fates = [syncrepl.state(await anext(events)), syncrepl.state(await anext(events))]
        assert any(one is not None and one.fate is syncrepl.Fate.ADD for one in fates)
        assert len(await wire.search(EVERYBODY, timeout=PATIENCE)) == 3
    await eventually(lambda: "ABANDON" in server.log(), "the watch is abandoned")


async def test_a_cancelled_question_is_abandoned_and_the_connection_goes_on(server: Server) -> None:
    async with await opened(server) as wire:
        server.freeze()
        asking = asyncio.create_task(wire.search(EVERYBODY, timeout=PATIENCE))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        server.thaw()

        assert len(await wire.search(EVERYBODY, timeout=PATIENCE)) == 2
    await eventually(lambda: "ABANDON" in server.log(), "the question is abandoned")


async def test_a_killed_server_is_told_to_everybody_and_a_write_is_unknown(server: Server) -> None:
    async with await opened(server) as wire:
        server.freeze()
        reading = asyncio.create_task(wire.search(EVERYBODY, timeout=PATIENCE))
        change = Change(How.REPLACE, "description", (b"new",))
        writing = asyncio.create_task(wire.modify(MX1, change, timeout=PATIENCE))
        watching = asyncio.create_task(anext(wire.watch(EVERYBODY, [syncrepl.sync()])))
        await asyncio.sleep(0)
        server.kill()
        read, wrote, watched = await asyncio.gather(reading, writing, watching, return_exceptions=True)

        assert type(read) is type(watched) is type(wrote) is DirectoryUnavailable
        assert "outcome is unknown" in str(wrote)
        assert "outcome" not in str(read)
        with pytest.raises(DirectoryUnavailable, match="nothing was changed"):
            await wire.modify(MX1, change, timeout=PATIENCE)


@pytest.mark.parametrize("scheme", ["ldap", "ldaps", "ldapi"])
async def test_a_frozen_server_costs_the_deadline_and_the_loop_goes_on(server: Server, scheme: str) -> None:
    server.freeze()
    loop = asyncio.get_running_loop()
    worst, before = 0.0, loop.time()

    async def feel_the_pulse() -> None:
        nonlocal worst
        while True:
            begun = loop.time()
            await asyncio.sleep(0.005)
            worst = max(worst, loop.time() - begun)

    pulse = asyncio.create_task(feel_the_pulse())
    with pytest.raises(DirectoryUnavailable, match=r"within 0\.4 seconds, (turning|signing)"):
        await opened(server, url=getattr(server, scheme), timeout=SOON)
    took = loop.time() - before
    pulse.cancel()

    # uvloop's clock goes by whole milliseconds.
    assert 0.395 <= took < 3
    assert worst < 1


async def test_a_hung_server_is_left_while_somebody_watches(server: Server) -> None:
    settings = Settings(quiet=timedelta(seconds=0.2), alive_within=timedelta(seconds=0.3))
    async with await opened(server, settings=settings) as wire:
        events = wire.watch(EVERYBODY, [syncrepl.sync()])
        for _ in range(2):
            await anext(events)
        # A quiet server that lives is asked, and kept.
        await eventually(lambda: server.log().count('SRCH base=""') >= 2, "it is asked twice")
        assert wire.why_ended is None
        server.freeze()
        with pytest.raises(DirectoryUnavailable, match=r"hangs: it did not say within 0\.3 seconds"):
            async for _ in events:
                pass


async def test_nothing_is_left_of_connections_that_failed(server: Server) -> None:
    await (await opened(server)).close()
    before, tasks = descriptors(), len(asyncio.all_tasks())
    server.freeze()
    for _ in range(5):
        with pytest.raises(DirectoryUnavailable):
            await opened(server, timeout=timedelta(seconds=0.05))
    server.thaw()
    for _ in range(5):
        await (await opened(server)).close()

    assert len(asyncio.all_tasks()) == tasks
    await eventually(lambda: descriptors() <= before, "every socket is closed")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_nobody_there_is_said_at_once() -> None:
    with pytest.raises(DirectoryUnavailable, match="cannot be reached"):
        await Wire.open(f"ldaps://127.0.0.1:{free_port()}", timeout=PATIENCE)


async def test_a_password_file_that_is_missing_or_empty_is_bad_input(server: Server, short: Path) -> None:
    """A name without a password is let in as nobody, and everything would look empty."""
    (short / "empty").write_text("\n")
    for file in ("missing", "empty"):
        with pytest.raises(BadInput, match=file):
            await opened(server, credentials=Password(ADMIN, short / file))


async def test_several_servers_tell_each_other(short: Path) -> None:
    with slapd.started(short, 2) as (first, second):
        async with await opened(first) as one, await opened(second) as two:
            await crowd(one, 1)
            async for event in two.watch(Search(BASE), [syncrepl.sync()], timeout=PATIENCE):
                if isinstance(event.answer, Entry) and event.answer.name.startswith("cn=n0,"):
                    break
