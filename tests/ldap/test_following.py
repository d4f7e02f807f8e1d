"""Following a search: whatever the server does, and however often we lose it, our copy becomes its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrust.errors import NotLdap
from mailtrust.ldap import ber, syncrepl
from mailtrust.ldap.following import CaughtUp, Changed, Following, Gone, News
from mailtrust.ldap.responses import Control, Entry, Intermediate, Reference, Response, Result
from mailtrust.ldap.results import Code
from mailtrust.ldap.syncrepl import Fate

ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))


def entry(uuid: UUID, fate: Fate, text: bytes = b"", cookie: bytes | None = None) -> Response:
    value = ber.sequence(
        ber.integer(fate, ber.ENUMERATED),
        ber.octets(uuid.bytes),
        b"" if cookie is None else ber.octets(cookie),
    )
    found = Entry(f"cn={uuid.int}", {"cn": (text,)} if fate in (Fate.ADD, Fate.MODIFY) else {})
    return Response(1, found, (Control(syncrepl.SYNC_STATE, value),))


def info(value: bytes) -> Response:
    return Response(1, Intermediate(syncrepl.SYNC_INFO, value))


def phase_ends(*, deletes: bool, cookie: bytes, refreshed: bool = True) -> Response:
    flag = b"" if refreshed else ber.boolean(refreshed)
    return info(ber.element(0xA1 if deletes else 0xA2, ber.octets(cookie), flag))


def several(*uuids: UUID, deleted: bool) -> Response:
    each = ber.element(ber.SET, *(ber.octets(one.bytes) for one in uuids))
    return info(ber.element(0xA3, ber.boolean(deleted) if deleted else b"", each))


def told(following: Following, *responses: Response) -> list[News]:
    return [news for one in responses for news in following.receive(one)]


def test_at_first_everything_is_told() -> None:
    following = Following()
    following.control()

    news = told(following, entry(ONE, Fate.ADD, b"a"), phase_ends(deletes=False, cookie=b"1"))

    assert news == [Changed(ONE, Entry("cn=1", {"cn": (b"a",)})), CaughtUp()]
    assert (following.known, following.cookie) == ({ONE}, b"1")


def test_what_nobody_names_is_gone() -> None:
    following = Following({ONE, TWO, THREE}, b"1")
    following.control()

    news = told(
        following,
        entry(ONE, Fate.PRESENT),
        several(TWO, deleted=False),
        phase_ends(deletes=False, cookie=b"2"),
    )

    assert news == [Gone(THREE), CaughtUp()]


def test_where_deletions_are_named_nothing_else_is_gone() -> None:
    following = Following({ONE, TWO, THREE}, b"1")
    following.control()

    news = told(following, several(TWO, deleted=True), phase_ends(deletes=True, cookie=b"2"))

    assert news == [Gone(TWO), CaughtUp()]


def test_a_name_that_passes_to_another_entry_is_two_entries() -> None:
    """OpenLDAP tells the new one first; a copy by name would lose it."""
    following = Following({ONE}, b"1")
    told(following, phase_ends(deletes=True, cookie=b"1"))

    told(following, entry(TWO, Fate.ADD), entry(ONE, Fate.DELETE))

    assert following.known == {TWO}


def test_a_search_that_does_not_persist_ends_with_the_same() -> None:
    following = Following({ONE, TWO}, b"1")
    control = following.control(syncrepl.Mode.REFRESH)
    end = ber.sequence(ber.octets(b"2"))

    news = told(
        following, entry(ONE, Fate.PRESENT), Response(1, Result(0), (Control(syncrepl.SYNC_DONE, end),))
    )

    assert control == syncrepl.sync(syncrepl.Mode.REFRESH, b"1")
    assert news == [Gone(TWO), CaughtUp()]
    assert following.cookie == b"2"


def test_a_cookie_too_old_is_forgotten_and_what_we_know_is_not() -> None:
    """Or the entries that went in the meantime would be with us for ever."""
    following = Following({ONE, TWO}, b"1")
    following.control()

    assert told(following, Response(1, Result(Code.E_SYNC_REFRESH_REQUIRED))) == []
    assert following.control() == syncrepl.sync()
    assert told(following, entry(TWO, Fate.ADD), phase_ends(deletes=False, cookie=b"9"))[1:] == [
        Gone(ONE),
        CaughtUp(),
    ]


@pytest.mark.parametrize("code", [3, 51, 52, 80])
def test_a_search_that_breaks_off_says_nothing_about_what_is_gone(code: int) -> None:
    following = Following({ONE}, b"1")
    following.control()

    assert told(following, Response(1, Result(code)), Response(1, Reference(("ldap://dc2",)))) == []
    assert following.known == {ONE}


def test_a_refresh_that_was_broken_off_counts_for_nothing_in_the_next() -> None:
    following = Following({ONE, TWO}, b"1")
    following.control()
    told(following, entry(ONE, Fate.PRESENT))
    following.control()

    news = told(following, entry(TWO, Fate.PRESENT), phase_ends(deletes=False, cookie=b"2"))

    assert news == [Gone(ONE), CaughtUp()]


def test_an_entry_without_its_state_is_no_answer_to_us() -> None:
    """A server that ignores the control would tell everything once, and never a change."""
    with pytest.raises(NotLdap, match="without its state"):
        Following().receive(Response(1, Entry("cn=a", {})))


@pytest.mark.parametrize("named", [entry(TWO, Fate.PRESENT), several(ONE, TWO, deleted=False)])
def test_an_entry_that_we_were_never_told_of_makes_us_ask_for_everything(named: Response) -> None:
    """Its name moved here with the entry above it; without this it would be missing for ever."""
    following = Following({ONE}, b"1")
    following.control()
    following.receive(named)

    with pytest.raises(NotLdap, match="never told of"):
        following.receive(phase_ends(deletes=False, cookie=b"2"))

    assert following.control() == syncrepl.sync()


def test_an_entry_may_be_named_before_it_is_told() -> None:
    """OpenLDAP names all that there is, and only then sends what is new among it."""
    following = Following({ONE}, b"1")
    following.control()

    news = told(
        following,
        several(ONE, TWO, deleted=False),
        entry(TWO, Fate.ADD),
        phase_ends(deletes=False, cookie=b"2"),
    )

    assert news == [Changed(TWO, Entry("cn=2", {"cn": (b"",)})), CaughtUp()]


@dataclass
class Server:
    """The least that RFC 4533 asks of a server: numbered changes, and a cookie that is such a number."""

    log: list[tuple[UUID, bytes | None]] = field(default_factory=list)

    @property
    def cookie(self) -> bytes:
        return str(len(self.log)).encode()

    def holds(self, upto: int | None = None) -> dict[UUID, bytes]:
        latest = dict(self.log[:upto])
        return {uuid: text for uuid, text in latest.items() if text is not None}

    def change(self, uuid: UUID, text: bytes | None) -> Response | None:
        before = self.holds().get(uuid)
        if before == text:
            return None
        self.log.append((uuid, text))
        if text is None:
            return entry(uuid, Fate.DELETE, cookie=self.cookie)
        return entry(uuid, Fate.ADD if before is None else Fate.MODIFY, text, self.cookie)

    def refresh(self, cookie: bytes | None, *, names_deletions: bool) -> list[Response]:
        since = int(cookie or b"0")
        now = self.holds()
        changed = {uuid for uuid, _ in self.log[since:]}
        found = [entry(uuid, Fate.ADD, text) for uuid, text in now.items() if uuid in changed]
        if names_deletions:
            found.append(several(*(changed - set(now)), deleted=True))
        else:
            found.append(several(*(set(now) - changed), deleted=False))
        return [*found, phase_ends(deletes=names_deletions, cookie=self.cookie)]


STEPS = st.one_of(
    st.tuples(st.sampled_from([ONE, TWO, THREE]), st.none() | st.binary(max_size=1)),
    st.sampled_from(["lost", "back", "back, deletions named", "broken off"]),
)


@given(st.lists(STEPS, max_size=30))
def test_our_copy_becomes_the_servers(steps: list[tuple[UUID, bytes | None] | str]) -> None:
    """Changes, lost connections, and refreshes of both kinds, whole and broken off, in any order."""
    server, following = Server(), Following()
    copy: dict[UUID, bytes] = {}
    connected = False

    def take(responses: list[Response]) -> None:
        for news in told(following, *responses):
            if isinstance(news, Changed):
                copy[news.uuid] = news.entry.values("cn")[0]
            elif isinstance(news, Gone):
                del copy[news.uuid]

    def connect(*, names_deletions: bool, most: int | None = None) -> None:
        cookie = following.cookie
        following.control()
        take(server.refresh(cookie, names_deletions=names_deletions)[:most])

    for step in [*steps, "back"]:
        if isinstance(step, tuple):
            change = server.change(*step)
            if connected and change is not None:
                take([change])
        elif step == "broken off":
            connect(names_deletions=False, most=1)
        elif step != "lost":
            connect(names_deletions="named" in step)
        connected = step.startswith("back") if isinstance(step, str) else connected
        if connected:
            assert copy == server.holds()
            assert following.known == set(copy)
