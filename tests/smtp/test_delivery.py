"""Handing over mail: each recipient has an outcome, and a message ends only where it ends."""

from __future__ import annotations

import pytest

from mailtrust.smtp.client import ClientEvent, ClientSession, MailSent, Phase, Ready, Stop, Stopped
from mailtrust.smtp.delivery import Deferred, Delivered, Mail, Rejected

NAME = "hub1.example.test"
MAIL = Mail("a@example.test", ("b@example.test", "c@example.test"), b"Subject: x\r\n\r\nhello\r\n")


def hear(session: ClientSession, *lines: bytes) -> list[ClientEvent]:
    """Everything that follows from these lines."""
    events: list[ClientEvent] = []
    for line in lines:
        session.receive(line)
        while (event := session.next_event()) is not None:
            events.append(event)
    return events


def ready(offers: bytes = b"250 hub2\r\n") -> ClientSession:
    """A session behind TLS, waiting for mail."""
    session = ClientSession(NAME)
    hear(session, b"220 hub2\r\n", b"250-x\r\n250 STARTTLS\r\n", b"220 go\r\n")
    session.secured()
    assert isinstance(hear(session, offers)[-1], Ready)
    session.take_output()
    return session


def test_a_mail_goes_command_by_command_where_pipelining_is_not_offered() -> None:
    session = ready()
    session.send(MAIL)
    said = [session.take_output()]
    for line in (b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
        assert hear(session, line) == []
        said.append(session.take_output())

    assert said == [
        b"MAIL FROM:<a@example.test>\r\n",
        b"RCPT TO:<b@example.test>\r\n",
        b"RCPT TO:<c@example.test>\r\n",
        b"DATA\r\n",
        b"Subject: x\r\n\r\nhello\r\n.\r\n",
    ]
    (sent,) = hear(session, b"250 queued\r\n")
    assert isinstance(sent, MailSent)
    assert [(who, type(what)) for who, what in sent.outcomes] == [
        ("b@example.test", Delivered),
        ("c@example.test", Delivered),
    ]


def test_what_is_offered_is_used() -> None:
    """One round trip for the envelope, the size beforehand, and eight-bit text declared."""
    session = ready(b"250-x\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 8BITMIME\r\n")
    session.send(Mail("", ("b@example.test",), "é".encode()))

    assert session.take_output() == (
        b"MAIL FROM:<> SIZE=4 BODY=8BITMIME\r\nRCPT TO:<b@example.test>\r\nDATA\r\n"
    )


def outcomes(session: ClientSession, *lines: bytes, mail: Mail = MAIL) -> list[tuple[type, str]]:
    session.send(mail)
    events = hear(session, *lines) or hear(session, b"")
    sent = next(event for event in events if isinstance(event, MailSent))
    return [(type(what), getattr(what, "why", "")) for _, what in sent.outcomes]


def test_each_recipient_has_its_own_outcome() -> None:
    found = outcomes(
        ready(), b"250 ok\r\n", b"550 5.1.1 who\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 ok\r\n"
    )

    assert found == [(Rejected, "RCPT was answered 550 5.1.1 who"), (Delivered, "")]


def test_a_deferred_sender_defers_everybody_also_when_pipelined() -> None:
    """The 503 that follow are consequences; the first refusal is the reason."""
    session = ready(b"250-x\r\n250 PIPELINING\r\n")
    no = b"503 5.5.1 need MAIL\r\n"

    found = outcomes(session, b"454 4.7.1 event 1036\r\n", no, no, no, b"250 reset\r\n")

    assert found == [(Deferred, "MAIL was answered 454 4.7.1 event 1036")] * 2
    assert session.phase is Phase.READY


def test_a_server_that_takes_data_for_nobody_gets_an_empty_message() -> None:
    """RFC 2920 section 3.1: otherwise the message would go to it without a recipient, or hang."""
    session = ready(b"250-x\r\n250 PIPELINING\r\n")
    session.send(MAIL)
    session.take_output()
    hear(session, b"250 ok\r\n550 no\r\n550 no\r\n354 go\r\n")

    assert session.take_output() == b".\r\n"
    (sent,) = hear(session, b"250 queued\r\n")
    assert isinstance(sent, MailSent)
    assert {type(what) for _, what in sent.outcomes} == {Rejected}


def test_too_many_recipients_are_tried_again() -> None:
    """RFC 5321 section 4.5.3.1.10: 552 to RCPT means 452."""
    found = outcomes(ready(), b"250 ok\r\n", b"250 ok\r\n", b"552 too many\r\n", b"354 go\r\n", b"250 ok\r\n")

    assert found == [(Delivered, ""), (Deferred, "RCPT was answered 552 too many")]


def test_a_refused_data_leaves_the_session_clean() -> None:
    session = ready()

    found = outcomes(
        session, b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"451 disk full\r\n", b"250 ok\r\n"
    )

    assert found == [(Deferred, "DATA was answered 451 disk full")] * 2
    assert session.take_output().endswith(b"RSET\r\n")


def test_a_message_that_is_too_large_is_not_even_offered() -> None:
    session = ready(b"250-x\r\n250 SIZE 10\r\n")

    assert outcomes(session) == [(Rejected, "the message has 21 bytes, the server takes 10")] * 2
    assert session.take_output() == b""


@pytest.mark.parametrize("address", ["a@b>\r\nRCPT TO:<c@d.example", "a b@c.example", "é@example.test", ""])
def test_an_address_cannot_carry_a_second_command(address: str) -> None:
    """It comes from a header or a queue file, and anybody may have written it."""
    session = ready()

    found = outcomes(session, mail=Mail("a@example.test", (address,), b"x"))

    assert found == [(Rejected, f"{address!r} is no address that SMTP can carry")]
    assert session.take_output() == b""


def test_a_sender_that_is_no_address_rejects_the_mail() -> None:
    found = outcomes(ready(), mail=Mail("a\r\n@example.test", ("b@example.test",), b"x"))

    assert found == [(Rejected, "'a\\r\\n@example.test' is no sender that SMTP can carry")]


def test_a_server_that_dies_in_the_middle_defers_and_keeps_what_is_known() -> None:
    session = ready()
    session.send(MAIL)
    hear(session, b"250 ok\r\n", b"550 no\r\n")
    session.hung_up()

    why = "the server closed the connection without an answer to the mail"
    sent, end = hear(session, b"")
    assert isinstance(sent, MailSent)
    assert sent.outcomes[1] == ("c@example.test", Deferred(why))
    assert isinstance(sent.outcomes[0][1], Rejected)
    assert end == Stopped(Stop.CLOSED, Phase.MAIL, why)


def test_a_421_ends_the_session_and_nothing_more_is_said() -> None:
    session = ready()
    session.send(MAIL)
    session.take_output()
    sent, end = hear(session, b"421 4.3.2 shutting down\r\n")

    assert isinstance(sent, MailSent)
    assert {type(what) for _, what in sent.outcomes} == {Deferred}
    assert isinstance(end, Stopped)
    assert end.why == "the server ended the session: 421 4.3.2 shutting down"
    assert session.take_output() == b""


# Content


def content_sent(content: bytes) -> bytes:
    session = ready(b"250-x\r\n250 PIPELINING\r\n")
    session.send(Mail("a@example.test", ("b@example.test",), content))
    session.take_output()
    hear(session, b"250 ok\r\n250 ok\r\n354 go\r\n")
    return session.take_output()


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        (b".\r\nx\r\n", b"..\r\nx\r\n.\r\n"),
        (b"a\r\n.b\r\n..c", b"a\r\n..b\r\n...c\r\n.\r\n"),
        (b"a\n.\nb\rc", b"a\r\n..\r\nb\r\nc\r\n.\r\n"),
        (b"", b".\r\n"),
        (b"no end", b"no end\r\n.\r\n"),
    ],
)
def test_a_line_that_is_a_dot_does_not_end_the_message(content: bytes, sent: bytes) -> None:
    """RFC 5321 section 4.5.2; and a bare LF in front of the dot must not be a way around it."""
    assert content_sent(content) == sent
