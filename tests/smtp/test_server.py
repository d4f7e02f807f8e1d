"""The server half of SMTP, fed by hand."""

from __future__ import annotations

import pytest

from mailtrust.smtp.answer import Answer
from mailtrust.smtp.server import (
    Ended,
    MailRequested,
    MessageReceived,
    MessageRefused,
    ServerEvent,
    ServerLimits,
    ServerSession,
    TlsRequested,
)

VERBS = ("STARTTLS", "X-ANONYMOUSTLS")
STORED = Answer(250, "2.0.0", "stored")
ENVELOPE = b"MAIL FROM:<a@a.test>\r\nRCPT TO:<b@b.test>\r\nDATA\r\n"


def a_session(limits: ServerLimits | None = None, offers: tuple[str, ...] = VERBS) -> ServerSession:
    session = ServerSession("hub1.example.test", limits or ServerLimits(), offers)
    session.take_output()
    return session


def a_greeted(limits: ServerLimits | None = None) -> ServerSession:
    session = a_session(limits)
    tell(session, b"EHLO hub2.example.test\r\n")
    session.take_output()
    return session


def tell(session: ServerSession, data: bytes) -> list[ServerEvent]:
    """Every event of *data*; every sender is admitted, every message stored."""
    session.receive(data)
    events = []
    while (event := session.next_event()) is not None:
        events.append(event)
        match event:
            case MailRequested():
                session.admit(lambda _: None)
            case MessageReceived():
                session.answer(STORED)
            case Ended():
                break
    return events


def codes(session: ServerSession) -> list[str]:
    return [line[:3] for line in session.take_output().decode().splitlines() if line[3] == " "]


def said(session: ServerSession, data: bytes) -> str:
    tell(session, data)
    return session.take_output().decode()


def test_a_message_arrives_whole_and_without_its_stuffing() -> None:
    """The dot that protects a line is not part of it (RFC 5321 section 4.5.2)."""
    session = a_greeted()

    *_, message = tell(session, ENVELOPE + b"..dot\r\n...\r\ntext\r\n.\r\n")

    assert message == MessageReceived("a@a.test", ("b@b.test",), b".dot\r\n..\r\ntext\r\n", False)
    assert codes(session) == ["250", "250", "354", "250"]


def test_bytes_one_by_one_make_the_same_session() -> None:
    """TCP keeps no boundaries."""
    session = a_greeted()

    events = [event for byte in ENVELOPE + b"x\r\n.\r\n" for event in tell(session, bytes([byte]))]

    assert events[-1] == MessageReceived("a@a.test", ("b@b.test",), b"x\r\n", False)


def test_an_empty_message_is_one() -> None:
    """CRLF.CRLF may take its first CRLF from the DATA command."""
    *_, message = tell(a_greeted(), ENVELOPE + b".\r\n")

    assert isinstance(message, MessageReceived)
    assert message.content == b""


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\n\n.\r\n"])
def test_only_crlf_dot_crlf_ends_a_message(end: bytes) -> None:
    """Anything looser lets a second message be smuggled in (CVE-2023-51764)."""
    session = a_greeted()

    events = tell(session, ENVELOPE + b"one" + end + b"MAIL FROM:<evil@a.test>\r\n.\r\n")

    assert isinstance(events[-1], MessageRefused)
    assert events[-1].answer.code == 554
    assert len(events) == 2


def test_nul_bytes_are_refused_in_commands_and_content() -> None:
    """Programs behind us end their strings there."""
    session = a_greeted()

    assert said(session, b"NO\0OP\r\n").startswith("500")
    assert isinstance(tell(session, ENVELOPE + b"a\0b\r\n.\r\n")[-1], MessageRefused)


def test_the_size_is_refused_when_declared_and_when_sent() -> None:
    """SIZE is a promise; we count."""
    session = a_greeted(ServerLimits(message_size_bytes=1000))

    declared = said(session, b"MAIL FROM:<a@a.test> SIZE=1001\r\n")
    events = tell(session, ENVELOPE) + [event for _ in range(5) for event in tell(session, b"x" * 100_000)]

    assert declared.startswith("552 5.3.4")
    assert isinstance(events[-1], Ended)
    assert session.held_bytes == 0


def test_a_message_a_little_too_big_costs_only_itself() -> None:
    """The session goes on."""
    session = a_greeted(ServerLimits(message_size_bytes=1000))

    events = tell(session, ENVELOPE + b"x" * 1500 + b"\r\n.\r\nNOOP\r\n")

    assert isinstance(events[-1], MessageRefused)
    assert codes(session)[-2:] == ["552", "250"]


def test_nothing_that_came_along_with_starttls_is_obeyed() -> None:
    """CVE-2011-0411: an attacker in the middle may have put it there."""
    session = a_greeted()

    events = tell(session, b"STARTTLS\r\nMAIL FROM:<evil@a.test>\r\nRCPT TO:<b@b.test>\r\n")

    assert events == [Ended()]
    assert session.take_output().startswith(b"503 5.5.1")


@pytest.mark.parametrize("verb", VERBS)
def test_tls_forgets_what_was_said_in_the_clear(verb: str) -> None:
    """RFC 3207 section 4.2."""
    session = a_greeted()

    events = tell(session, verb.encode() + b"\r\n")
    session.secured()

    assert events == [TlsRequested(verb)]
    session.take_output()
    assert said(session, b"MAIL FROM:<a@a.test>\r\n").startswith("503")
    assert not any(offer in said(session, b"EHLO x\r\n") for offer in VERBS)


def test_without_a_certificate_no_tls_is_offered() -> None:
    """And none is given when asked for all the same."""
    session = a_session(offers=())

    assert "TLS" not in said(session, b"EHLO x\r\n")
    assert said(session, b"STARTTLS\r\n").startswith("454 4.7.0")


def test_every_extension_is_named() -> None:
    """The peer may use what EHLO names, and nothing else."""
    lines = said(a_session(), b"EHLO x\r\n").splitlines()

    assert [line[4:] for line in lines[1:]] == [
        "PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES", *VERBS,
    ]  # fmt: skip
    assert [line[3] for line in lines] == ["-"] * 6 + [" "]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (b"NOOP anything", "250"), (b"RSET", "250"), (b"VRFY b", "252"), (b"HELP", "214"), (b"QUIT", "221"),
        (b"HELO x", "250"), (b"EHLO", "501"), (b"EHLO a b", "501"), (b"EXPN list", "500"), (b"", "500"),
        (b"RCPT TO:<b@b.test>", "503"), (b"DATA", "503"), (b"MAIL FROM:<a@a.test> X=1", "555"),
        (b"MAIL FROM:<a@a.test> SIZE=x", "501"), (b"MAIL FROM:<a@a.test> BODY=9BIT", "501"),
        (b"MAIL FROM:<a@a.test> BODY=8BITMIME SIZE=5", "250"), (b"MAIL FROM:<>", "250"),
        (b"mail from: <a@a.test>", "250"), (b"MAIL FROM:a@a.test", "501"), (b"MAIL TO:<a@a.test>", "501"),
        (b"MAIL FROM:<@x,@y:a@a.test>", "250"), (b'MAIL FROM:<"a b>"@a.test>', "250"),
        (b"MAIL FROM:<a@b@c d>", "501"), (b"MAIL FROM:<a@-a>", "501"),
        (b"MAIL FROM:<\xc3\xa9@a.test>", "501"),
        (b"MAIL FROM:<a@[127.0.0.1]>", "250"), (b"MAIL FROM:<" + b"a" * 65 + b"@a.test>", "501"),
    ],
)  # fmt: skip
def test_commands_are_taken_as_written_and_no_other_way(command: bytes, code: str) -> None:
    """A mistake is answered; the session goes on."""
    assert said(a_greeted(), command + b"\r\n")[:3] == code


def test_the_null_path_is_no_recipient_and_rcpt_takes_no_parameters() -> None:
    """`postmaster` alone is one (RFC 5321 section 4.5.1)."""
    session = a_greeted()

    tell(
        session, b"MAIL FROM:<>\r\nRCPT TO:<>\r\nRCPT TO:<b@b.test> NOTIFY=NEVER\r\nRCPT TO:<Postmaster>\r\n"
    )

    assert codes(session) == ["250", "501", "555", "250"]


def test_a_sender_that_is_turned_away_may_not_go_on() -> None:
    """What was pipelined behind it is answered, and nothing is taken."""
    session = a_greeted()
    session.receive(ENVELOPE)

    asked = session.next_event()
    session.answer(Answer(454, "4.7.1", "1036 unknown key"))

    assert asked == MailRequested("a@a.test")
    assert session.next_event() is None
    assert codes(session) == ["454", "503", "503"]


def test_recipients_are_judged_one_by_one_and_counted() -> None:
    """The rest of a long list comes with another message (RFC 5321 section 4.5.3.1.10)."""
    session = a_greeted(ServerLimits(recipients=2))
    session.receive(b"MAIL FROM:<a@a.test>\r\n")
    session.next_event()
    session.admit(lambda to: Answer(550, "5.7.1", "no relay") if to.endswith("@far.test") else None)

    tell(
        session,
        b"".join(b"RCPT TO:<%s>\r\n" % to for to in (b"a@b.test", b"b@far.test", b"c@b.test", b"d@b.test")),
    )

    assert codes(session) == ["250", "250", "550", "250", "452"]


def test_a_long_list_with_wrong_addresses_in_it_reaches_the_others() -> None:
    """A list of a thousand is one mail, and eleven addresses that moved must not keep it from the rest."""
    session = a_greeted(ServerLimits(recipients=1000))
    session.receive(b"MAIL FROM:<a@a.test>\r\n")
    session.next_event()
    session.admit(lambda to: Answer(550, "5.7.1", "no relay") if to.endswith("@far.test") else None)

    wrong = b"".join(b"RCPT TO:<a%d@far.test>\r\n" % number for number in range(300))
    right = b"".join(b"RCPT TO:<a%d@b.test>\r\n" % number for number in range(1050))
    events = tell(session, wrong + right + b"DATA\r\nHello.\r\n.\r\n")

    assert [len(event.recipients) for event in events if isinstance(event, MessageReceived)] == [1000]


def test_an_endless_list_ends_the_session() -> None:
    session = a_greeted(ServerLimits(recipients=2, chatter=20))

    assert tell(session, b"MAIL FROM:<a@a.test>\r\n" + b"RCPT TO:<b@b.test>\r\n" * 30)[-1] == Ended()


def test_what_arrives_while_we_wait_is_kept() -> None:
    """Pipelining must not overtake the disk."""
    session = a_greeted()
    tell(session, ENVELOPE)
    session.receive(b"x\r\n.\r\nNOOP\r\n")

    stored = session.next_event()

    assert isinstance(stored, MessageReceived)
    assert session.waiting
    assert session.next_event() is None
    session.take_output()
    session.answer(STORED)
    assert session.next_event() is None
    assert codes(session) == ["250", "250"]


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"x" * 3000, "500"), (b"NOOP\n", "500"), (b"NOOP\rNOOP\r\n", "500"), (b"WHAT\r\n" * 20, "421"),
     (b"NOOP\r\n" * 300, "421")],
)  # fmt: skip
def test_a_peer_that_talks_nonsense_is_shown_the_door(data: bytes, code: str) -> None:
    """Endless lines, bare LF, endless errors, endless chatter: each ends the session, and soon."""
    session = a_greeted()

    assert tell(session, data)[-1] == Ended()
    assert codes(session)[-1] == code


def test_content_may_be_refused_from_outside_at_its_end() -> None:
    """When memory is short the message goes, the session stays."""
    session = a_greeted()
    tell(session, ENVELOPE + b"beginning")

    session.refuse_content(Answer(452, "4.3.1", "no room"))

    assert session.in_content
    assert isinstance(tell(session, b"end\r\n.\r\n")[-1], MessageRefused)
    assert codes(session)[-1] == "452"
