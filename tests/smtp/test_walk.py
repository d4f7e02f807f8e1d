"""A session step by step: one command at a time, and never a message that nobody asked for."""

from __future__ import annotations

import pytest

from mailtrust.smtp.walk import Answered, Step, Walk

EHLO = "250-mx.example.test\r\n250-X-ANONYMOUSTLS\r\n250 starttls"
INSIDE = "250-mx.example.test\r\n250 SIZE 1000"


def walked(walk: Walk, *replies: str) -> list[Answered]:
    """The answers to these replies, and TLS in between."""
    found: list[Answered] = []
    for reply in replies:
        walk.receive(reply.encode() + b"\r\n")
        answer = walk.next_answer()
        assert answer is not None
        found.append(answer)
        if walk.ready_for_tls:
            walk.secured()
    return found


def a_walk(content: bytes | None = None) -> Walk:
    return Walk("hub1.example.test", sender="", recipient="postmaster@hub2.example.test", content=content)


def test_a_whole_session_moves_no_mail() -> None:
    walk = a_walk()
    commands = []
    answers = []
    for reply in ("220 hi", EHLO, "220 go", INSIDE, "250 ok", "250 ok", "250 ok", "221 bye"):
        answers += walked(walk, reply)
        commands.append(walk.take_output())

    assert [one.step for one in answers] == [
        Step.BANNER, Step.EHLO, Step.STARTTLS, Step.EHLO_AGAIN, Step.MAIL, Step.RCPT, Step.RSET, Step.QUIT,
    ]  # fmt: skip
    assert all(one.passed for one in answers)
    assert commands[2:] == [
        b"EHLO hub1.example.test\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<postmaster@hub2.example.test>\r\n",
        b"RSET\r\n", b"QUIT\r\n", b"",
    ]  # fmt: skip
    assert (walk.verb, walk.offered, walk.offered_inside) == (
        "X-ANONYMOUSTLS", ("X-ANONYMOUSTLS", "STARTTLS"), ("SIZE",),
    )  # fmt: skip
    assert walk.step is None


def test_a_message_goes_only_where_there_is_one_and_its_dots_are_stuffed() -> None:
    walk = a_walk(b".one\r\n.two\r\n")
    answers = walked(walk, "220 hi", EHLO, "220 go", INSIDE, "250 ok", "250 ok")
    data = walk.take_output()
    answers += walked(walk, "354 go")
    content = walk.take_output()
    answers += walked(walk, "250 2.0.0 queued as 7", "221 bye")

    assert data == b"DATA\r\n"
    assert content == b"..one\r\n..two\r\n.\r\n"
    assert [one.step for one in answers[-3:]] == [Step.DATA, Step.CONTENT, Step.QUIT]


@pytest.mark.parametrize("ehlo", ["250-mx\r\n250 SIZE", "250 mx", "502 what"])
def test_without_a_verb_it_leaves_and_never_goes_on_in_the_clear(ehlo: str) -> None:
    walk = a_walk()
    answers = walked(walk, "220 hi", ehlo)

    assert (answers[-1].passed, walk.verb, walk.step) == (True, "", None)
    assert walk.take_output() == b"QUIT\r\n"


@pytest.mark.parametrize(
    ("replies", "step", "farewell"),
    [
        (("554 no",), Step.BANNER, b"QUIT\r\n"),
        (("220 hi", "421 4.3.2 stopping"), Step.EHLO, b""),
        (("220 hi", EHLO, "454 TLS not available"), Step.STARTTLS, b"QUIT\r\n"),
        (("220 hi", EHLO, "220 go", "550 no"), Step.EHLO_AGAIN, b"QUIT\r\n"),
        (("220 hi", EHLO, "220 go", INSIDE, "454 4.7.1 1036 no"), Step.MAIL, b"QUIT\r\n"),
        (("220 hi", EHLO, "220 go", INSIDE, "250 ok", "550 5.1.1 nobody"), Step.RCPT, b"QUIT\r\n"),
    ],
)
def test_a_no_ends_it_with_a_good_bye(replies: tuple[str, ...], step: Step, farewell: bytes) -> None:
    walk = a_walk(b"a message\r\n")
    answers = walked(walk, *replies)

    assert (answers[-1].step, answers[-1].passed, walk.step) == (step, False, None)
    assert walk.take_output() == farewell
    assert walk.next_answer() is None


def test_another_recipient_is_asked_for_once_where_the_first_is_refused_for_good() -> None:
    walk = Walk("hub1.example.test", sender="", recipient="a@b.test", otherwise="postmaster")
    answers = walked(walk, "220 hi", EHLO, "220 go", INSIDE, "250 ok", "550 no such domain")
    asked = walk.take_output()
    answers += walked(walk, "550 nor that")

    assert asked == b"RCPT TO:<postmaster>\r\n"
    assert [one.passed for one in answers[-2:]] == [True, False]


@pytest.mark.parametrize("no", ["450 4.7.1 rejected", "554 5.7.1 Relay access denied"])
def test_a_no_that_may_be_about_us_is_one_whoever_is_asked_for(no: str) -> None:
    walk = Walk("hub1.example.test", sender="", recipient="a@b.test", otherwise="postmaster")
    walked(walk, "220 hi", EHLO, "220 go", INSIDE, "250 ok", no)

    assert walk.take_output() == b"QUIT\r\n"


def test_what_is_no_smtp_is_told_and_ends_it() -> None:
    walk = a_walk()
    walk.receive(b"SSH-2.0-OpenSSH\r\n")
    answer = walk.next_answer()

    assert answer is not None
    assert (answer.reply, answer.passed) == (None, False)
    assert "SSH-2.0" in answer.why
    assert walk.take_output() == b""


def test_what_was_said_in_the_clear_behind_the_go_ahead_is_forgotten() -> None:
    """RFC 3207 section 4.2."""
    walk = a_walk()
    walked(walk, "220 hi", EHLO)
    walk.receive(b"220 go\r\n250-evil\r\n250 SIZE\r\n")
    assert walk.next_answer() is not None

    walk.secured()

    assert walk.next_answer() is None


def test_leaving_says_good_bye_and_waits_for_nothing() -> None:
    walk = a_walk()
    walked(walk, "220 hi", EHLO, "220 go")
    walk.leave()

    assert (walk.take_output(), walk.step, walk.next_answer()) == (b"QUIT\r\n", None, None)


def test_nothing_comes_of_half_an_answer() -> None:
    walk = a_walk()
    walk.receive(b"220 h")

    assert walk.next_answer() is None
