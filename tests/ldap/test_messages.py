"""Requests and answers: the same on both sides of the wire, and the standard's bytes."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrust.errors import BadInput, NotLdap
from mailtrust.ldap import ber
from mailtrust.ldap.filters import Equal, parse
from mailtrust.ldap.requests import (
    START_TLS,
    Abandon,
    Add,
    Aliases,
    Change,
    Delete,
    Extended,
    How,
    Modify,
    Request,
    SaslBind,
    Scope,
    Search,
    SimpleBind,
    Unbind,
)
from mailtrust.ldap.responses import (
    Answer,
    Control,
    Entry,
    Intermediate,
    Reference,
    Response,
    Result,
    decode,
)
from tests.ldap import wire

TEXT = st.text(max_size=12)
LINE = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=12)
RAW = st.binary(max_size=40)
KIND = st.from_regex(r"[A-Za-z][A-Za-z0-9;-]{0,10}", fullmatch=True)
VALUES = st.lists(RAW, max_size=3).map(tuple)
NUMBER = st.from_regex(r"[0-2](\.[0-9]{1,3}){1,4}", fullmatch=True)
MESSAGE_ID = st.integers(min_value=0, max_value=2**31 - 1)
COUNT = st.integers(min_value=0, max_value=2**31 - 1)
CONTROLS = st.lists(st.builds(Control, NUMBER, st.none() | RAW, st.booleans()), max_size=3).map(tuple)

REQUESTS: st.SearchStrategy[Request | Abandon | Unbind] = st.one_of(
    st.builds(SimpleBind, TEXT, st.binary(min_size=1, max_size=40)),
    st.just(SimpleBind()),
    st.builds(SaslBind, LINE, st.none() | RAW, TEXT),
    st.builds(
        Search,
        TEXT,
        st.sampled_from(Scope),
        st.builds(Equal, KIND, RAW),
        st.lists(KIND, max_size=3).map(tuple),
        COUNT,
        COUNT.map(lambda seconds: timedelta(seconds=seconds)),
        st.booleans(),
        st.sampled_from(Aliases),
    ),
    st.builds(
        Modify,
        TEXT,
        st.lists(st.builds(Change, st.sampled_from(How), KIND, VALUES), max_size=3).map(tuple),
    ),
    st.builds(Add, TEXT, st.lists(st.tuples(KIND, VALUES), max_size=3).map(tuple)),
    st.builds(Delete, TEXT),
    st.builds(Extended, NUMBER, st.none() | RAW),
    st.builds(Abandon, COUNT),
    st.builds(Unbind),
)
ANSWERS: st.SearchStrategy[Answer] = st.one_of(
    st.builds(Entry, TEXT, st.dictionaries(KIND, VALUES, max_size=3)),
    st.builds(Reference, st.lists(LINE, max_size=3).map(tuple)),
    st.builds(Intermediate, NUMBER | st.just(""), st.none() | RAW),
    st.builds(
        Result,
        st.integers(min_value=0, max_value=5000),
        TEXT,
        LINE,
        st.lists(LINE, max_size=2).map(tuple),
        NUMBER | st.just(""),
        st.none() | RAW,
        st.none() | RAW,
    ),
)
RESPONSES = st.builds(Response, MESSAGE_ID, ANSWERS, CONTROLS)


def content(whole: bytes) -> bytes:
    return ber.Reader(whole).take(ber.SEQUENCE)


@given(REQUESTS)
def test_requests_come_back(request: Request | Abandon | Unbind) -> None:
    assert wire.read_request(ber.Reader(request.encode())) == request


@given(RESPONSES)
def test_answers_come_back(response: Response) -> None:
    assert decode(content(wire.message(response))) == response


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_plainly_none(noise: bytes) -> None:
    with suppress(NotLdap):
        decode(noise)


@given(RESPONSES, st.data())
def test_a_damaged_answer_is_an_answer_or_plainly_none(response: Response, data: st.DataObject) -> None:
    """Noise alone is refused at its first bytes; one changed byte reaches every corner."""
    whole = bytearray(content(wire.message(response)))
    place = data.draw(st.integers(min_value=0, max_value=len(whole) - 1))
    whole[place] = data.draw(st.integers(min_value=0, max_value=255))
    with suppress(NotLdap):
        decode(bytes(whole))


@given(RESPONSES, st.data())
def test_a_cut_answer_is_never_taken_for_a_whole_one(response: Response, data: st.DataObject) -> None:
    whole = content(wire.message(Response(response.message_id, response.answer)))
    end = data.draw(st.integers(min_value=0, max_value=len(whole) - 1))

    with pytest.raises(NotLdap):
        decode(whole[:end])


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (SimpleBind(), "60070201030400 8000"),
        (SimpleBind("cn=a", b"pw"), "600d 020103 0404636e3d61 80027077"),
        (SaslBind("EXTERNAL"), "6011 020103 0400 a30a 0408 45585445524e414c"),
        (SaslBind("EXTERNAL", b""), "6013 020103 0400 a30c 0408 45585445524e414c 0400"),
        (Unbind(), "4200"),
        (Delete("cn=a"), "4a04636e3d61"),
        (Abandon(5), "500105"),
        (Extended(START_TLS), "7718 8016 312e332e362e312e342e312e313436362e3230303337"),
        (
            Search("", Scope.BASE, parse("(objectClass=*)"), ("1.1",)),
            "6325 0400 0a0100 0a0100 020100 020100 010100 870b6f626a656374436c617373 3005 0403312e31",
        ),
        (
            Modify("cn=a", (Change(How.ADD, "sn", (b"x",)), Change(How.DELETE, "ou"))),
            "6625 0404636e3d61 301d 300e 0a0100 3009 0402736e 3103 040178 300b 0a0101 3006 04026f75 3100",
        ),
        (Add("cn=a", (("sn", (b"x", b"y")),)), "6816 0404636e3d61 300e 300c 0402736e 3106 040178 040179"),
    ],
)
def test_requests_are_the_bytes_of_the_standard(request_: Request, expected: str) -> None:
    """Put together by hand from the module in RFC 4511 appendix B."""
    assert request_.encode().hex() == expected.replace(" ", "")


def test_a_name_without_a_password_cannot_sign_in() -> None:
    """RFC 4513 section 5.1.2: a server may say yes, and mean nobody."""
    with pytest.raises(BadInput, match="cn=hub1 cannot sign in without a password"):
        SimpleBind("cn=hub1")


def test_no_request_shows_its_secret() -> None:
    """A representation ends in logs, tracebacks and failed tests."""
    shown = repr((SimpleBind("cn=hub1", b"sesame"), SaslBind("PLAIN", b"sesame")))

    assert "sesame" not in shown


def test_a_result_may_come_with_any_tag() -> None:
    """Samba refuses a control that it does not know as if every request were an extended one."""
    refused = Response(7, Result(12, diagnostic="no such control"))

    for tag in (0x61, 0x65, 0x67, 0x69, 0x6B, 0x6D, 0x6F, 0x78):
        assert decode(content(wire.message(refused, tag=tag))) == refused


def test_what_a_later_version_adds_is_passed_over() -> None:
    """RFC 4511 section 4: behind the controls, and behind a result's last part."""
    result = ber.element(0x65, ber.integer(0, ber.ENUMERATED), ber.octets(""), ber.octets(""), b"\x99\x01x")
    message = ber.integer(1) + result + ber.octets("new", 0x8C)

    assert decode(message) == Response(1, Result(0))


def test_a_servers_text_cannot_move_the_cursor() -> None:
    """Windows ends it with a NUL; whoever stands in between may write what he likes."""
    sent = wire.message(Response(1, Result(49, diagnostic="data 52e\x1b[2J\0", referrals=("ldap://\x07",))))

    answer = decode(content(sent)).answer

    assert isinstance(answer, Result)
    assert str(answer) == "49 (wrong name or password): data 52e?[2J"
    assert answer.referrals == ("ldap://?",)


def test_an_attribute_is_found_however_it_is_written() -> None:
    """A server may answer with its own capitals."""
    found = Entry("cn=a", {"userCertificate;binary": (b"x",), "cn": ()})

    assert found.values("usercertificate;BINARY") == (b"x",)
    assert found.values("cn") == found.values("sn") == ()


@pytest.mark.parametrize(
    ("wire_", "why"),
    [
        ("0201ff 650700", "a message numbered -1"),
        ("02050080000000 6500", "a message numbered 2147483648"),
        ("0209000000000000000001 6500", "a message without a number"),
        ("040101 6500", "a message without a number"),
        ("02821388" + "7f" * 5000 + " 6500", "a message without a number"),
        ("020101 6600", "a message of an unknown kind, 0x66"),
        ("020101 6404 3000 3000", "an entry without a name, or without attributes"),
        ("020101 6404 0400 3100", "an entry without a name, or without attributes"),
        ("020101 6405 0401ff 3000", "a text that is no UTF-8"),
        ("020101 6407 0400 3003 0401 61", "longer than what holds it"),
        ("020101 640b 0400 3007 3005 0400 3001 00", "an entry whose attributes are none"),
        ("020101 640c 0400 3008 3006 0400 3102 0200", "a value with tag 0x02"),
        ("020101 640b 0400 3007 3005 0401ff 3100", "an attribute whose name is not ASCII"),
        ("020101 6412 0400 300e 3005 040161 3100 3005 040161 3100", "an entry with a twice"),
        ("020101 6507 0a0100 0400 0400 a08201 04" + "30020400" * 65, "more than 64 controls"),
    ],
)
def test_what_is_no_answer_is_refused_with_its_reason(wire_: str, why: str) -> None:
    with pytest.raises(NotLdap, match=why):
        decode(bytes.fromhex(wire_))


def test_a_time_limit_is_never_rounded_down_to_none() -> None:
    """0 on the wire is: take all the time you like."""
    assert wire.read_request(ber.Reader(Search("", time_limit=timedelta(milliseconds=1)).encode())) == Search(
        "", time_limit=timedelta(seconds=1)
    )
