"""The client half: what it says to whom, and that no server can confuse it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrust.smtp.answer import Answer
from mailtrust.smtp.client import (
    STARTTLS,
    X_ANONYMOUSTLS,
    ClientEvent,
    ClientSession,
    MailSent,
    Phase,
    Ready,
    Stop,
    Stopped,
    TlsReady,
)
from mailtrust.smtp.delivery import Delivered, Mail, Offers, Rejected
from mailtrust.smtp.server import (
    Ended,
    MailRequested,
    MessageReceived,
    ServerLimits,
    ServerSession,
    TlsRequested,
)

NAME = "hub1.example.test"
BOTH = b"250-hub2\r\n250-STARTTLS\r\n250 X-ANONYMOUSTLS\r\n"
MAIL = Mail("a@example.test", ("b@example.test", "c@example.test"), b"Subject: x\r\n\r\nhello\r\n")


def hear(session: ClientSession, *lines: bytes) -> list[ClientEvent]:
    """Everything that follows from these lines."""
    events: list[ClientEvent] = []
    for line in lines:
        session.receive(line)
        while (event := session.next_event()) is not None:
            events.append(event)
    return events


def stopped(session: ClientSession, *lines: bytes) -> Stopped:
    last = hear(session, *lines)[-1]
    assert isinstance(last, Stopped)
    return last


def ready(offers: bytes = b"250 hub2\r\n") -> ClientSession:
    """A session behind TLS, waiting for mail."""
    session = ClientSession(NAME)
    hear(session, b"220 hub2\r\n", BOTH, b"220 go\r\n")
    session.secured()
    assert isinstance(hear(session, offers)[-1], Ready)
    session.take_output()
    return session


# Before TLS


def test_the_probe_is_led_to_tls_by_three_replies() -> None:
    session = ClientSession(NAME)

    assert hear(session, b"220 hub2 ESMTP\r\n") == []
    assert session.take_output() == b"EHLO hub1.example.test\r\n"
    assert hear(session, BOTH) == []
    assert session.take_output() == b"X-ANONYMOUSTLS\r\n"
    assert hear(session, b"220 go ahead\r\n") == [TlsReady(X_ANONYMOUSTLS)]


@pytest.mark.parametrize(
    ("verb", "offered", "said"),
    [
        (None, b"250-x\r\n250 STARTTLS\r\n", STARTTLS),
        (None, b"250-x\r\n250-starttls\r\n250 x-anonymoustls\r\n", X_ANONYMOUSTLS),
        (STARTTLS, BOTH, STARTTLS),
        (X_ANONYMOUSTLS, BOTH, X_ANONYMOUSTLS),
    ],
)
def test_the_internal_certificate_is_asked_for_where_the_verb_is_offered(
    verb: str | None, offered: bytes, said: str
) -> None:
    """Behind X-ANONYMOUSTLS stands the certificate that this is all about; the caller may still choose."""
    session = ClientSession(NAME, verb=verb)
    hear(session, b"220 x\r\n")
    session.take_output()
    hear(session, offered)

    assert session.take_output().decode().strip() == said


@pytest.mark.parametrize(
    ("lines", "stop", "phase", "why"),
    [
        ([b"554 go away\r\n"], Stop.REFUSED, Phase.BANNER, "the banner was 554 go away"),
        ([b"421 busy\r\n"], Stop.REFUSED, Phase.BANNER, "the banner was 421 busy"),
        (
            [b"HTTP/1.1 400 Bad\r\n"],
            Stop.NO_SMTP,
            Phase.BANNER,
            "instead of the banner the server sent a line that is no SMTP reply: 'HTTP/1.1 400 Bad'",
        ),
        ([b"220 x\r\n", b"502 what\r\n"], Stop.NO_TLS, Phase.EHLO, "EHLO was answered 502 what"),
        ([b"220 x\r\n", b"421 busy\r\n"], Stop.REFUSED, Phase.EHLO, "EHLO was answered 421 busy"),
        (
            [b"220 x\r\n", b"250-x\r\n250 PIPELINING\r\n"],
            Stop.NO_TLS,
            Phase.EHLO,
            "the answer to EHLO does not offer X-ANONYMOUSTLS or STARTTLS",
        ),
        (
            [b"220 x\r\n", BOTH, b"454 4.7.0 no\r\n"],
            Stop.NO_TLS,
            Phase.STARTTLS,
            "X-ANONYMOUSTLS was answered 454 4.7.0 no",
        ),
    ],
)
def test_a_session_that_ends_says_where_and_why(
    lines: list[bytes], stop: Stop, phase: Phase, why: str
) -> None:
    """An administrator reads this at three in the morning."""
    found = stopped(ClientSession(NAME), *lines)

    assert (found.stop, found.phase, found.why) == (stop, phase, why)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "the server closed the connection without a banner"),
        ([b"220 x\r\n"], "the server closed the connection without an answer to EHLO"),
        ([b"220 x\r\n", BOTH], "the server closed the connection without an answer to X-ANONYMOUSTLS"),
    ],
)
def test_a_server_that_hangs_up_is_told_from_one_that_refuses(lines: list[bytes], why: str) -> None:
    session = ClientSession(NAME)
    hear(session, *lines)
    session.hung_up()

    assert stopped(session, b"") == Stopped(Stop.CLOSED, session_phase(lines), why)


def session_phase(lines: list[bytes]) -> Phase:
    return (Phase.BANNER, Phase.EHLO, Phase.STARTTLS)[len(lines)]


def test_a_last_word_is_heard_before_the_hanging_up() -> None:
    """`554 no` and a closed connection arrive together; the refusal is the better answer."""
    session = ClientSession(NAME)
    session.receive(b"554 not you\r\n")
    session.hung_up()

    assert stopped(session, b"").why == "the banner was 554 not you"


def test_nothing_said_in_the_clear_is_heard_behind_tls() -> None:
    """RFC 3207 section 4.2: an attacker may have put answers behind the 220, and lies into the first EHLO."""
    session = ClientSession(NAME)
    hear(session, b"220 x\r\n", b"250-x\r\n250-PIPELINING\r\n250 STARTTLS\r\n")
    hear(session, b"220 go\r\n250-x\r\n250 AUTH LOGIN\r\n250")
    session.receive(b"250 injected\r\n")
    session.secured()

    assert session.next_event() is None
    assert session.offers == Offers()
    assert hear(session, b"250-hub2\r\n250 SIZE 5\r\n") == [Ready(Offers({"SIZE": "5"}))]


def test_without_tls_the_session_is_ready_after_ehlo() -> None:
    session = ClientSession(NAME, tls=False)

    assert hear(session, b"220 x\r\n", BOTH) == [Ready(Offers({"STARTTLS": "", "X-ANONYMOUSTLS": ""}))]


def test_old_smtp_without_ehlo_is_no_way_to_send() -> None:
    assert stopped(ClientSession(NAME, tls=False), b"220 x\r\n", b"500 what\r\n").stop is Stop.REFUSED


def test_an_answer_that_nobody_asked_for_ends_the_session() -> None:
    """Otherwise it would be taken for the answer to the next command."""
    assert stopped(ready(), b"250 surprise\r\n").why == "the server said unasked 250 surprise"


def test_goodbye_ends_by_an_answer_or_by_hanging_up() -> None:
    answered, silent = ready(), ready()
    answered.quit()
    silent.quit()
    silent.hung_up()

    assert answered.take_output() == b"QUIT\r\n"
    assert stopped(answered, b"221 bye\r\n").stop is Stop.QUIT
    assert stopped(silent, b"").stop is Stop.QUIT


# Against the server half, and against anything at all


def converse(mails: list[Mail], width: int) -> tuple[list[MailSent], list[bytes]]:
    """Both halves, joined by a wire that carries *width* bytes at a time."""
    server = ServerSession("hub2.example.test", ServerLimits(), ("STARTTLS",))
    client = ClientSession(NAME)
    sent: list[MailSent] = []
    received: list[bytes] = []
    queue = list(mails)
    ended = False
    while not ended:
        for at in range(0, len(said := server.take_output()), width):
            for event in hear(client, said[at : at + width]):
                match event:
                    case TlsReady():
                        client.secured()
                    case Ready() | MailSent():
                        sent += [event] if isinstance(event, MailSent) else []
                        client.send(queue.pop(0)) if queue else client.quit()
                    case Stopped():
                        ended = True
        for at in range(0, len(said := client.take_output()), width):
            server.receive(said[at : at + width])
            while (asked := server.next_event()) is not None:
                match asked:
                    case TlsRequested():
                        server.secured()
                    case MailRequested():
                        server.admit(lambda who: Answer(550, "5.1.1", "no") if "nobody" in who else None)
                    case MessageReceived():
                        received.append(asked.content)
                        server.answer(Answer(250, "2.0.0", "queued"))
                    case Ended():
                        pass
    return sent, received


@given(st.lists(st.binary(max_size=80), max_size=3), st.integers(1, 50))
def test_a_message_arrives_as_it_was_sent(contents: list[bytes], width: int) -> None:
    """Through our own server half, whatever the content and wherever the wire cuts it."""
    contents = [content.replace(b"\0", b"") for content in contents]
    mails = [Mail("a@x.example", ("b@x.example", "nobody@x.example"), content) for content in contents]

    sent, received = converse(mails, width)

    assert [[type(what) for _, what in one.outcomes] for one in sent] == [[Delivered, Rejected]] * len(mails)
    lines = [b"".join(line + b"\r\n" for line in content.splitlines()) for content in contents]
    assert received == lines


_SAID = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [b"220 x\r\n", BOTH, b"250 ok\r\n", b"354 go\r\n", b"421 no\r\n", b"550 no\r\n", b"250-"]
    ),
)


@given(st.lists(_SAID, max_size=30), st.booleans())
def test_whatever_a_server_says_the_session_ends_and_no_recipient_is_forgotten(
    said: list[bytes], tls: bool
) -> None:
    """Any bytes, split anywhere: no crash, no hang, one outcome per recipient of each mail handed over."""
    session = ClientSession(NAME, tls=tls)
    handed_over = answered = 0
    end: Stopped | None = None
    for piece in [*said, None]:
        if piece is None:
            session.hung_up()
        else:
            session.receive(piece)
        while (event := session.next_event()) is not None:
            assert end is None
            match event:
                case TlsReady():
                    session.secured()
                case Ready():
                    session.send(MAIL)
                    handed_over += 1
                case MailSent():
                    assert [who for who, _ in event.outcomes] == list(MAIL.recipients)
                    answered += 1
                    if session.phase is Phase.READY:
                        session.quit()
                case Stopped():
                    end = event
        session.take_output()

    assert end is not None
    assert handed_over == answered
