"""Conversations with a real OpenLDAP server, and `ldapsearch` as the judge of what it then holds."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from mailtrust.errors import Refused
from mailtrust.ldap import controls, syncrepl
from mailtrust.ldap.filters import And, Equal, Filter, Not, Present, Substrings, parse
from mailtrust.ldap.following import CaughtUp, Changed, Following, Gone, News
from mailtrust.ldap.names import parse as name
from mailtrust.ldap.requests import (
    NO_ATTRIBUTES,
    WHO_AM_I,
    Add,
    Change,
    Delete,
    Extended,
    How,
    Modify,
    SaslBind,
    Scope,
    Search,
    SimpleBind,
)
from mailtrust.ldap.responses import Entry, Intermediate, Result
from mailtrust.ldap.results import Code
from mailtrust.ldap.syncrepl import Fate, NewCookie, PhaseEnds
from tests import make
from tests.ldap.talk import Talk, entries_in
from tests.loopback import LOOPBACK
from tests.programs import needs
from tests.slapd import ADMIN, BASE, PASSWORD, Server, started

pytestmark = needs("slapd", "ldapsearch")

SERVERS = name(f"ou=mail,{BASE}")
CERTIFICATE = "userCertificate;binary"
OLD, NEW = (make.der(make.an_x509(key=label)) for label in ("old", "new"))


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with started(tmp_path_factory.mktemp("slapd")) as (server,):
        with signed_in(server) as talk:
            talk.result(Add(str(SERVERS), (("objectClass", (b"organizationalUnit",)),)))
        yield server


@pytest.fixture
def talk(slapd: Server) -> Iterator[Talk]:
    with signed_in(slapd) as one:
        yield one


def signed_in(server: Server) -> Talk:
    talk = Talk(LOOPBACK, server.port)
    talk.turn_to_tls(server.ca_file)
    talk.result(SimpleBind(ADMIN, PASSWORD.encode()))
    return talk


def add(talk: Talk, label: str, *certificates: bytes) -> str:
    """An entry of that name, anew."""
    entry = str(SERVERS.child("cn", label))
    talk.answers(Delete(entry))
    classes = (b"device", b"pkiUser")
    with_these = ((CERTIFICATE, certificates),) if certificates else ()
    talk.result(Add(entry, (("objectClass", classes), ("cn", (label.encode(),)), *with_these)))
    return entry


def at(entry: str, *attributes: str) -> Search:
    return Search(entry, Scope.BASE, attributes=attributes)


def below(wanted: Filter, *attributes: str) -> Search:
    return Search(str(SERVERS), Scope.ONE_LEVEL, wanted, attributes)


def ldapsearch(server: Server, *arguments: str) -> list[str]:
    """What OpenLDAP's own client reads, line by line."""
    sign_in = ["-x", "-D", ADMIN, "-w", PASSWORD]
    command = ["ldapsearch", "-H", server.ldap, *sign_in, "-LLL", "-o", "ldif-wrap=no", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.splitlines()


def test_the_server_tells_who_we_are(talk: Talk) -> None:
    answer = talk.result(Extended(WHO_AM_I)).answer

    assert isinstance(answer, Result)
    assert answer.value == b"dn:" + ADMIN.encode()


def test_the_root_tells_what_the_server_knows(slapd: Server) -> None:
    with Talk(LOOPBACK, slapd.port) as talk:
        talk.result(SimpleBind())
        (root,) = talk.entries(at("", "+"))

    assert root.values("namingContexts") == (BASE.encode(),)
    assert {controls.POST_READ, controls.ASSERTION, controls.PAGED, syncrepl.SYNC_REQUEST} <= {
        one.decode() for one in root.values("SUPPORTEDCONTROL")
    }


def test_a_wrong_password_is_an_answer(slapd: Server) -> None:
    with Talk(LOOPBACK, slapd.port) as talk:
        talk.turn_to_tls(slapd.ca_file)

        talk.result(SimpleBind(ADMIN, b"wrong"), code=Code.INVALID_CREDENTIALS)
        talk.result(SaslBind("NO-SUCH"), code=Code.AUTH_METHOD_NOT_SUPPORTED)
        talk.result(SimpleBind(ADMIN, PASSWORD.encode()))


def test_no_password_goes_to_the_server_in_the_clear(slapd: Server) -> None:
    with Talk(LOOPBACK, slapd.port) as talk, pytest.raises(Refused):
        talk.send(SimpleBind(ADMIN, PASSWORD.encode()))


def test_what_we_publish_another_client_reads(slapd: Server, talk: Talk) -> None:
    entry = add(talk, "hub1", OLD)

    lines = ldapsearch(slapd, "-b", entry, "-s", "base", CERTIFICATE)

    assert lines[:2] == [f"dn: {entry}", f"{CERTIFICATE}:: {base64.b64encode(OLD).decode()}"]
    assert talk.entries(at(entry, CERTIFICATE)) == [Entry(entry, {CERTIFICATE: (OLD,)})]


def test_a_write_tells_what_it_left(talk: Talk) -> None:
    entry = add(talk, "hub1", OLD)
    swap = Modify(entry, (Change(How.DELETE, CERTIFICATE, (OLD,)), Change(How.ADD, CERTIFICATE, (NEW,))))

    done = talk.result(swap, controls.pre_read(CERTIFICATE), controls.post_read(CERTIFICATE, "entryCSN"))

    before, after = controls.entry_before(done), controls.entry_after(done)
    assert before is not None
    assert after is not None
    assert (before.values(CERTIFICATE), after.values(CERTIFICATE)) == ((OLD,), (NEW,))
    assert talk.entries(at(entry, "entryCSN"))[0].values("entryCSN") == after.values("entryCSN")


def test_a_value_is_written_once_and_deleted_once(talk: Talk) -> None:
    entry = add(talk, "hub1", OLD)
    publish = Modify(entry, (Change(How.ADD, CERTIFICATE, (OLD,)),))
    withdraw = Modify(entry, (Change(How.DELETE, CERTIFICATE, (NEW,)),))

    talk.result(publish, code=Code.ATTRIBUTE_OR_VALUE_EXISTS)
    talk.result(withdraw, code=Code.NO_SUCH_ATTRIBUTE)
    talk.result(Modify(entry, (Change(How.REPLACE, CERTIFICATE),)))

    assert talk.entries(at(entry, CERTIFICATE)) == [Entry(entry, {})]


def test_garbage_is_no_certificate_to_the_server(talk: Talk) -> None:
    entry = add(talk, "hub1")

    talk.result(
        Modify(entry, (Change(How.ADD, CERTIFICATE, (b"garbage",)),)), code=Code.INVALID_ATTRIBUTE_SYNTAX
    )


def test_a_write_with_a_condition_is_refused_once_another_came_first(talk: Talk) -> None:
    entry = add(talk, "hub1", OLD)
    (stamp,) = talk.entries(at(entry, "entryCSN"))[0].values("entryCSN")
    publish = Modify(entry, (Change(How.ADD, "description", (b"x",)),))

    talk.result(publish, controls.only_if(Equal("entryCSN", stamp)))
    talk.result(publish, controls.only_if(Equal("entryCSN", stamp)), code=Code.ASSERTION_FAILED)


def test_an_entry_that_is_gone_says_how_far_the_name_led(talk: Talk) -> None:
    entry = add(talk, "hub1")
    talk.result(Delete(entry))

    answer = talk.result(at(entry), code=Code.NO_SUCH_OBJECT).answer

    assert isinstance(answer, Result)
    assert name(answer.matched).is_same(SERVERS)


@pytest.mark.parametrize("label", ['a,b+c="d"<e>;\\f', " blank ", "#sharp", "tab\tand é", "a*b(c)\\2a"])
def test_names_and_filters_mean_to_the_server_what_they_mean_to_us(talk: Talk, label: str) -> None:
    entry = add(talk, label)

    (found,) = talk.entries(below(Equal("cn", label.encode()), NO_ATTRIBUTES))

    assert name(found.name).is_same(name(entry))
    assert name(found.name).parent.is_same(SERVERS)
    talk.result(Delete(entry))


@pytest.mark.parametrize(
    "text",
    [
        "(cn=hub1)", "(!(cn=hub1))", "(&(objectClass=device)(cn=*))", "(|(cn=hub1)(cn=hub3))", "(cn=h*b*2)",
        "(cn=*b1)", "(cn:caseExactMatch:=HUB1)", "(ou:dn:=servers)", "(entryCSN>=2)", "(entryCSN<=2)",
        "(cn~=hub1)", "(userCertificate;binary=*)", "(&)", "(|)", "(cn=)", r"(cn=\68ub1)",
    ],
)  # fmt: skip
def test_a_filter_finds_what_ldapsearch_finds_by_its_text(slapd: Server, talk: Talk, text: str) -> None:
    for number, certificates in enumerate([(OLD,), (), (NEW,)], 1):
        add(talk, f"hub{number}", *certificates)

    ours = {found.name for found in talk.entries(below(parse(text), NO_ATTRIBUTES))}

    lines = ldapsearch(slapd, "-b", str(SERVERS), "-s", "one", text, NO_ATTRIBUTES)
    assert ours == {line.removeprefix("dn: ") for line in lines if line}


def test_pages_hold_everything_once(talk: Talk) -> None:
    labels = [f"page{number:03}" for number in range(25)]
    for label in labels:
        add(talk, label)
    wanted = And((Substrings("cn", b"page"), Not(Present("member"))))

    found: list[Entry] = []
    sizes, cookie = [], b""
    while True:
        *page, last = talk.answers(below(wanted, "cn"), controls.paged(10, cookie))
        found += entries_in(page)
        sizes.append(len(page))
        cookie = controls.page_cookie(last) or b""
        if not cookie:
            break

    assert sizes == [10, 10, 5]
    assert sorted(one.values("cn")[0].decode() for one in found) == labels


def test_a_size_limit_is_an_answer_with_what_was_found(talk: Talk) -> None:
    for number in range(5):
        add(talk, f"limit{number}")

    *found, last = talk.answers(
        Search(str(SERVERS), wanted=Substrings("cn", b"limit"), attributes=(NO_ATTRIBUTES,), size_limit=3)
    )

    assert len(found) == 3
    assert isinstance(last.answer, Result)
    assert last.answer.code == Code.SIZE_LIMIT_EXCEEDED


def test_a_hundred_requests_are_open_at_once(talk: Talk) -> None:
    entries = [add(talk, f"many{number}") for number in range(20)]

    numbers = {talk.send(at(entry, NO_ATTRIBUTES)): entry for entry in entries * 5}

    # Asked for backwards: the answers to the others wait.
    for number, entry in reversed(numbers.items()):
        assert talk.next(number).answer == Entry(entry, {})
        assert talk.next(number).is_last


def test_a_watch_tells_every_change_beside_other_requests(talk: Talk) -> None:
    add(talk, "watched", OLD)
    watch = talk.send(below(Present("cn"), "cn"), syncrepl.sync())
    known: set[UUID] = set()
    while not isinstance(message := talk.next(watch).answer, Intermediate):
        assert isinstance(message, Entry)
    ends = syncrepl.news(message)
    assert isinstance(ends, PhaseEnds)
    assert ends.refreshed
    cookie = ends.cookie

    entry = add(talk, "watched", NEW)
    fates: list[Fate] = []
    while len(fates) < 2:
        told = talk.next(watch)
        if state := syncrepl.state(told):
            fates.append(state.fate)
            known.add(state.uuid)
            cookie = syncrepl.merged(cookie, state.cookie) if state.cookie else cookie
        else:
            assert isinstance(told.answer, Intermediate)
            assert isinstance(syncrepl.news(told.answer), NewCookie)
    talk.abandon(watch)

    # The same name, and another entry.
    assert fates == [Fate.DELETE, Fate.ADD]
    assert len(known) == 2
    (suffix,) = talk.entries(at(BASE, "contextCSN"))
    assert cookie == syncrepl.cookie_of(suffix.values("contextCSN"))
    assert talk.entries(at(entry, NO_ATTRIBUTES)) == [Entry(entry, {})]


def test_a_refresh_from_a_cookie_tells_what_changed_since(talk: Talk) -> None:
    stays, goes = add(talk, "stays"), add(talk, "goes")
    uuids = {
        entry: UUID(talk.entries(at(entry, "entryUUID"))[0].values("entryUUID")[0].decode())
        for entry in (stays, goes)
    }
    (suffix,) = talk.entries(at(BASE, "contextCSN"))
    cookie = syncrepl.cookie_of(suffix.values("contextCSN"))
    talk.result(Delete(goes))
    new = add(talk, "new")

    *told, last = talk.answers(below(Present("cn"), "cn"), syncrepl.sync(syncrepl.Mode.REFRESH, cookie))

    states = [state for one in told if (state := syncrepl.state(one))]
    gone: set[UUID] = set()
    for one in told:
        if isinstance(one.answer, Intermediate):
            named = syncrepl.news(one.answer)
            assert isinstance(named, syncrepl.Several)
            assert named.deleted
            gone |= set(named.uuids)
    new_uuid = UUID(talk.entries(at(new, "entryUUID"))[0].values("entryUUID")[0].decode())
    done = syncrepl.done(last)
    # Its session log knows what went; without one it would name all that is still there.
    assert done is not None
    assert done.deletes
    assert gone == {uuids[goes]}
    assert [state.uuid for state in states] == [new_uuid]


def test_a_control_that_nobody_knows_is_refused_if_it_matters(talk: Talk) -> None:
    talk.result(at(BASE), controls.notify(), code=Code.UNAVAILABLE_CRITICAL_EXTENSION)
    talk.result(at(BASE), controls.domain_scope())


def test_an_operation_that_nobody_knows_is_an_answer(talk: Talk) -> None:
    talk.result(Extended("1.2.3"), code=Code.PROTOCOL_ERROR)


def followed(talk: Talk, following: Following) -> tuple[int, list[News]]:
    """What there is, told by a search that stays."""
    number = talk.send(below(Present("cn"), "cn"), following.control())
    told: list[News] = []
    while CaughtUp() not in told:
        told += following.receive(talk.next(number))
    return number, told


def next_news(talk: Talk, following: Following, number: int) -> News:
    while not (news := following.receive(talk.next(number))):
        pass
    (one,) = news
    return one


def rename(server: Server, entry: str, leaf: str) -> None:
    sign_in = ["-x", "-D", ADMIN, "-w", PASSWORD]
    subprocess.run(["ldapmodrdn", "-H", server.ldap, *sign_in, "-r", entry, leaf], check=True, timeout=30)


def test_a_copy_follows_through_restarts_renames_and_deletions(tmp_path: Path) -> None:
    following = Following()
    copy: dict[UUID, str] = {}

    def take(*told: News) -> None:
        for news in told:
            if isinstance(news, Changed):
                copy[news.uuid] = name(news.entry.name).leaf
            elif isinstance(news, Gone):
                del copy[news.uuid]

    with started(tmp_path) as (server,):
        with signed_in(server) as talk:
            talk.result(Add(str(SERVERS), (("objectClass", (b"organizationalUnit",)),)))
            for label in ("stays", "goes", "goes later", "old"):
                add(talk, label)
            number, told = followed(talk, following)
            take(*told)
            assert sorted(copy.values()) == ["goes", "goes later", "old", "stays"]

            with signed_in(server) as other:
                other.result(Delete(str(SERVERS.child("cn", "goes"))))
                take(next_news(talk, following, number))
                rename(server, str(SERVERS.child("cn", "old")), "cn=new")
                take(next_news(talk, following, number))
            assert sorted(copy.values()) == ["goes later", "new", "stays"]

        # Another process that was told all that, and a server that was away.
        following = Following(following.known, following.cookie)
        server.stop()
        server.start()
        with signed_in(server) as other:
            other.result(Delete(str(SERVERS.child("cn", "goes later"))))
            add(other, "new while away")
        with signed_in(server) as talk:
            _, told = followed(talk, following)
            take(*told)
        assert [one.entry.values("cn") for one in told if isinstance(one, Changed)] == [(b"new while away",)]
        assert sorted(copy.values()) == ["new", "new while away", "stays"]

        # Nothing has changed: nothing is told.
        with signed_in(server) as talk:
            assert followed(talk, following)[1] == [CaughtUp()]
    assert following.known == set(copy)
