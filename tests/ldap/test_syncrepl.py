"""Following changes: every form that RFC 4533 allows, and OpenLDAP's cookies."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrust.errors import NotLdap
from mailtrust.ldap import ber, syncrepl
from mailtrust.ldap.responses import Control, Entry, Intermediate, Response, Result
from mailtrust.ldap.syncrepl import Done, EntryState, Fate, Mode, NewCookie, PhaseEnds, Several, sync

ONE, TWO = UUID(int=1), UUID(int=2)
FIRST = b"20261124100000.000000Z#000000#001#000000"
LATER = b"20261124100001.000000Z#000000#001#000000"
OTHER = b"20261124090000.000000Z#000000#002#000000"

COOKIES = st.none() | st.binary(max_size=30)


def beside(kind: str, value: bytes) -> Response:
    answer = Entry("cn=a", {}) if kind == syncrepl.SYNC_STATE else Result(0)
    return Response(1, answer, (Control(kind, value),))


def optional(cookie: bytes | None) -> bytes:
    return b"" if cookie is None else ber.octets(cookie)


def news(value: bytes) -> NewCookie | PhaseEnds | Several | None:
    return syncrepl.news(Intermediate(syncrepl.SYNC_INFO, value))


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        (sync(), "30030a0103"),
        (sync(Mode.REFRESH, b"c"), "30060a0101040163"),
        (sync(Mode.PERSIST, b"", reload=True), "30080a010304000101ff"),
    ],
)
def test_the_request_is_the_bytes_of_the_standard(control: Control, expected: str) -> None:
    """An empty cookie is one; no cookie is another thing."""
    assert (control.value or b"").hex() == expected
    assert control.critical


@given(st.sampled_from(Fate), st.uuids(), COOKIES)
def test_what_became_of_an_entry_comes_back(fate: Fate, uuid: UUID, cookie: bytes | None) -> None:
    value = ber.sequence(ber.integer(fate, ber.ENUMERATED), ber.octets(uuid.bytes), optional(cookie))

    assert syncrepl.state(beside(syncrepl.SYNC_STATE, value)) == EntryState(fate, uuid, cookie)


@given(COOKIES, st.booleans())
def test_how_a_refresh_ended_comes_back(cookie: bytes | None, deletes: bool) -> None:
    value = ber.sequence(optional(cookie), ber.boolean(deletes) if deletes else b"")

    assert syncrepl.done(beside(syncrepl.SYNC_DONE, value)) == Done(deletes, cookie)


@given(st.binary(max_size=30))
def test_a_new_cookie_comes_back(cookie: bytes) -> None:
    assert news(ber.octets(cookie, 0x80)) == NewCookie(cookie)


@given(st.booleans(), COOKIES, st.booleans())
def test_the_end_of_a_phase_comes_back(deletes: bool, cookie: bytes | None, refreshed: bool) -> None:
    flag = b"" if refreshed else ber.boolean(refreshed)
    value = ber.element(0xA1 if deletes else 0xA2, optional(cookie), flag)

    assert news(value) == PhaseEnds(deletes, cookie, refreshed)


@given(COOKIES, st.booleans(), st.lists(st.uuids(), max_size=4))
def test_several_entries_come_back(cookie: bytes | None, deleted: bool, uuids: list[UUID]) -> None:
    each = ber.element(ber.SET, *(ber.octets(one.bytes) for one in uuids))
    value = ber.element(0xA3, optional(cookie), ber.boolean(deleted) if deleted else b"", each)

    assert news(value) == Several(tuple(uuids), deleted, cookie)


def test_what_is_about_something_else_is_none_of_ours() -> None:
    assert syncrepl.news(Intermediate("1.2.3", b"x")) is None
    assert syncrepl.state(Response(1, Entry("cn=a", {}))) is None
    assert syncrepl.done(Response(1, Result(0))) is None


@pytest.mark.parametrize("value", ["", "a400", "a30431020401", "a306310404020000"])
def test_news_that_nobody_defined_are_refused(value: str) -> None:
    with pytest.raises(NotLdap):
        news(bytes.fromhex(value))


def test_an_unknown_fate_is_refused() -> None:
    """Taking it for a change, or for nothing, could both be wrong."""
    value = ber.sequence(ber.integer(9, ber.ENUMERATED), ber.octets(ONE.bytes))

    with pytest.raises(NotLdap, match="an entry's state of 9"):
        syncrepl.state(beside(syncrepl.SYNC_STATE, value))


@given(st.binary(max_size=60))
def test_any_value_is_read_or_plainly_refused(noise: bytes) -> None:
    for read in (
        lambda: news(noise),
        lambda: syncrepl.state(beside(syncrepl.SYNC_STATE, noise)),
        lambda: syncrepl.done(beside(syncrepl.SYNC_DONE, noise)),
    ):
        with suppress(NotLdap):
            read()


def test_a_cookie_of_one_writer_does_not_forget_the_others() -> None:
    """OpenLDAP sends such ones while it persists; with the last alone a restart would be sent much again."""
    kept = syncrepl.cookie_of((OTHER, FIRST))

    assert kept == b"rid=000,csn=" + FIRST + b";" + OTHER
    assert syncrepl.merged(kept, b"rid=000,sid=001,csn=" + LATER) == b"rid=000,csn=" + LATER + b";" + OTHER


def test_a_late_cookie_does_not_turn_time_back() -> None:
    kept = syncrepl.cookie_of((LATER,))

    assert syncrepl.merged(kept, b"rid=000,csn=" + FIRST) == kept


def test_a_cookie_that_says_nothing_changes_nothing() -> None:
    kept = syncrepl.cookie_of((LATER,))

    assert syncrepl.merged(kept, b"rid=000,sid=001") == kept


@given(st.none() | st.binary(max_size=30), st.binary(max_size=30))
def test_another_servers_cookie_is_kept_as_it_is(old: bytes | None, new: bytes) -> None:
    assert syncrepl.merged(old, new) == new


def test_change_numbers_have_one_order_whoever_made_them() -> None:
    numbers = [OTHER, FIRST, b"20261124100000.000000Z#000001#001#000000", LATER]

    orders = [syncrepl.order(one) for one in numbers]

    assert orders == sorted(set(orders))
    assert syncrepl.seen(syncrepl.cookie_of((LATER, OTHER))) == {
        "001": syncrepl.order(LATER), "002": syncrepl.order(OTHER),
    }  # fmt: skip
    assert syncrepl.writer(OTHER) == "002"


@given(st.binary(max_size=60))
def test_any_bytes_have_a_place_among_the_numbers(number: bytes) -> None:
    assert syncrepl.order(number) >= 0
