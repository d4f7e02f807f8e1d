"""One connection: many requests at once, in any order of answers, and nothing from strangers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrust.errors import DirectoryUnavailable, Refused
from mailtrust.ldap import ber, controls
from mailtrust.ldap.connection import NOTICE_OF_DISCONNECTION, Connection, Ended, Event, Limits
from mailtrust.ldap.requests import (
    START_TLS,
    Abandon,
    Delete,
    Extended,
    Request,
    SaslBind,
    Search,
    SimpleBind,
    Unbind,
)
from mailtrust.ldap.responses import Answer, Entry, Intermediate, Reference, Response, Result
from tests.ldap import wire

DONE = Result(0)
TLS = Extended(START_TLS)
SIGN_IN = SimpleBind("cn=hub1", b"sesame")
INJECTED = "sent more in the clear before encryption began"


def confidential() -> Connection:
    return Connection(confidential=True)


def clear() -> Connection:
    return Connection(confidential=False)


def say(number: int, answer: Answer) -> bytes:
    return wire.message(Response(number, answer))


def answer(connection: Connection, number: int, answer_: Answer = DONE) -> tuple[Event, ...]:
    return connection.receive(say(number, answer_))


def test_many_requests_are_open_and_answered_in_any_order() -> None:
    connection = confidential()
    first, second, third = (connection.send(Search("dc=org")) for _ in range(3))
    found = Entry("cn=a,dc=org", {})

    events = connection.receive(
        say(third, found) + say(first, DONE) + say(third, DONE) + say(second, Result(32))
    )

    assert events == (
        Response(third, found),
        Response(first, DONE),
        Response(third, DONE),
        Response(second, Result(32)),
    )
    assert connection.open_requests == frozenset()


def test_what_is_sent_is_what_was_asked() -> None:
    connection = confidential()
    page = controls.paged(10)
    number = connection.send(Search("dc=org"), [page])
    other = connection.send(Delete("cn=a"))

    assert wire.all_asked(connection.take_output()) == [
        (number, Search("dc=org"), (page,)),
        (other, Delete("cn=a"), ()),
    ]
    assert connection.take_output() == b""


@given(st.lists(st.integers(min_value=0), max_size=12))
def test_the_events_are_the_same_however_the_bytes_were_cut(places: list[int]) -> None:
    stream = (
        say(1, Entry("cn=a", {"cn": (b"a",)})) + say(0, Result(0)) + say(2, DONE) + say(1, DONE) + b"HTTP"
    )
    edges = sorted({0, len(stream), *(place % len(stream) for place in places)})
    connection, whole = confidential(), confidential()
    for one in (connection, whole):
        one.send(Search("dc=org"))
        one.send(Delete("cn=b"))

    events = [event for start, stop in pairwise(edges) for event in connection.receive(stream[start:stop])]

    assert tuple(events) == whole.receive(stream)
    assert [type(event) for event in events] == [Response, Response, Response, Ended]


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_arbitrary_bytes_are_survived(pieces: list[bytes]) -> None:
    connection = confidential()
    connection.send(Search("dc=org"))

    events = [event for piece in pieces for event in connection.receive(piece)]

    assert [event for event in events if isinstance(event, Ended)] == (
        [connection.ended] if connection.ended else []
    )


def test_a_watch_tells_before_its_end() -> None:
    connection = confidential()
    number = connection.send(Search("dc=org"), [controls.notify()])

    assert answer(connection, number, Intermediate("1.2")) == (Response(number, Intermediate("1.2")),)
    assert answer(connection, number, Reference(("ldap://dc1",))) != ()
    assert connection.open_requests == {number}


def test_an_abandoned_request_is_heard_of_no_more() -> None:
    """Its answer may be on the way when we lose interest."""
    connection = confidential()
    number = connection.send(Search("dc=org"))
    connection.take_output()

    assert connection.abandon(number)

    assert [asked for _, asked, _ in wire.all_asked(connection.take_output())] == [Abandon(number)]
    assert answer(connection, number, Entry("cn=a", {})) == ()
    assert answer(connection, number) == ()
    assert not connection.abandon(number)
    assert connection.take_output() == b""


def test_signing_in_cannot_be_abandoned() -> None:
    """RFC 4511 section 4.11; afterwards nobody would know who we are."""
    connection = confidential()
    number = connection.send(SIGN_IN)

    with pytest.raises(Refused):
        connection.abandon(number)


@pytest.mark.parametrize("alone", [SIGN_IN, SaslBind("EXTERNAL")])
def test_signing_in_stands_alone(alone: Request) -> None:
    connection = confidential()
    open_ = connection.send(Search("dc=org"))
    with pytest.raises(Refused, match="has to wait until nothing else is open"):
        connection.send(alone)
    answer(connection, open_)
    number = connection.send(alone)
    with pytest.raises(Refused, match="nothing can be asked before"):
        connection.send(Search("dc=org"))
    answer(connection, number, Result(14, credentials=b"challenge"))

    assert connection.send(alone) > number


@pytest.mark.parametrize("secret", [SIGN_IN, SaslBind("PLAIN", b"\0hub1\0sesame"), SaslBind("login")])
def test_a_password_never_leaves_in_the_clear(secret: Request) -> None:
    connection = clear()

    with pytest.raises(Refused, match="others could read it"):
        connection.send(secret)

    assert connection.take_output() == b""


@pytest.mark.parametrize("harmless", [SimpleBind(), SaslBind("GSSAPI", b"token"), SaslBind("EXTERNAL")])
def test_what_tells_no_password_may_go_in_the_clear(harmless: Request) -> None:
    assert clear().send(harmless) == 1


def test_behind_tls_a_password_may_go() -> None:
    connection = clear()
    assert answer(connection, connection.send(TLS)) == (Response(1, DONE),)
    with pytest.raises(Refused):
        connection.send(SIGN_IN)

    assert connection.secured() == ()

    assert connection.is_confidential
    assert answer(connection, connection.send(SIGN_IN)) == (Response(2, DONE),)


def test_a_server_without_tls_leaves_the_connection_as_it_was() -> None:
    connection = clear()
    answer(connection, connection.send(TLS), Result(2, diagnostic="unsupported"))

    assert not connection.is_confidential
    assert connection.send(Search("dc=org")) == 2


def test_tls_inside_tls_is_not_asked_for() -> None:
    with pytest.raises(Refused, match="encrypted already"):
        confidential().send(TLS)


def test_nothing_said_in_the_clear_counts_behind_tls() -> None:
    """Somebody in between adds an answer to the last clear one; it would be believed as the server's own."""
    connection = clear()
    connection.send(TLS)

    assert connection.receive(say(1, DONE) + say(2, DONE)) == (Ended(INJECTED),)


def test_nothing_arrives_between_the_agreement_and_tls() -> None:
    connection = clear()
    answer(connection, connection.send(TLS))

    assert connection.receive(b"\x30") == (Ended(INJECTED),)


def test_half_a_message_does_not_pass_into_the_secured_part() -> None:
    """With a SASL layer there is no agreement that could be followed by too much."""
    connection = clear()
    answer(connection, connection.send(SaslBind("GSSAPI", b"token")))
    connection.receive(b"\x30\x0c\x02")

    assert connection.secured() == (Ended(INJECTED),)
    assert not connection.is_confidential


def test_a_notice_of_disconnection_ends_it_with_the_servers_reason() -> None:
    connection = confidential()
    connection.send(Search("dc=org"))
    notice = Result(52, diagnostic="shutting down", number=NOTICE_OF_DISCONNECTION)

    (event,) = connection.receive(say(0, notice) + say(1, DONE))

    assert isinstance(event, Ended)
    assert event.notice == notice
    assert event.why == (
        "ended the connection: 52 (the server is shutting down or a part of it is away): shutting down"
    )
    assert connection.open_requests == frozenset()
    assert connection.receive(say(1, DONE)) == ()
    assert connection.hung_up() == ()


def test_other_notices_are_passed_over() -> None:
    """RFC 4511 section 4.4."""
    connection = confidential()

    assert connection.receive(say(0, Result(0, number="1.2.3")) + say(0, Entry("cn=a", {}))) == ()
    assert connection.ended is None


def test_an_entry_answers_a_search_alone() -> None:
    connection = confidential()

    (event,) = answer(connection, connection.send(Delete("cn=a")), Entry("cn=a", {}))

    assert event == Ended("sent what only a search finds to a request that was none")


def test_a_message_above_the_limit_ends_it() -> None:
    connection = Connection(confidential=True, limits=Limits(message_bytes=100))
    connection.send(Search("dc=org"))

    (event,) = connection.receive(ber.sequence(b"x" * 101)[:10])

    assert event == Ended("sent no LDAP: a message of 101 bytes, above the limit of 100")


@pytest.mark.parametrize(
    ("rest", "why"),
    [(b"", "closed the connection"), (b"\x30", "closed the connection in the middle of a message")],
)
def test_a_server_that_hangs_up_leaves_no_answer(rest: bytes, why: str) -> None:
    connection = confidential()
    connection.send(Delete("cn=a"))
    connection.receive(rest)

    assert connection.hung_up() == (Ended(why),)
    with pytest.raises(DirectoryUnavailable, match=f"has ended: the server {why}"):
        connection.send(Search("dc=org"))


def test_goodbye_is_the_last_that_we_say() -> None:
    connection = confidential()
    number = connection.send(Search("dc=org"))
    connection.take_output()

    connection.unbind()
    connection.unbind()

    assert [asked for _, asked, _ in wire.all_asked(connection.take_output())] == [Unbind()]
    assert answer(connection, number) == ()
    with pytest.raises(DirectoryUnavailable):
        connection.send(Search("dc=org"))


def test_no_goodbye_is_said_where_tls_should_speak() -> None:
    connection = clear()
    answer(connection, connection.send(TLS))
    connection.take_output()

    connection.unbind()

    assert connection.take_output() == b""
