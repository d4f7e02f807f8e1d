"""Whether a server would take our mail, by its answers to MAIL and RCPT; none is handed over."""

from __future__ import annotations

import pytest

from mailtrust.smtp.client import ClientSession, Heard, Ready, Stopped
from mailtrust.smtp.rehearsal import Rehearsal, Taken, TurnedAway, Undecided
from mailtrust.smtp.reply import Reply

LOCAL, ELSEWHERE = "postmaster", "postmaster@hub1.example.test"
COMMANDS = [b"MAIL FROM:<>", b"RCPT TO:<postmaster>", b"RCPT TO:<postmaster@hub1.example.test>", b"RSET"]
OK = "250 2.1.0 go on"
STRANGER = "454 4.7.1 1036 nobody publishes the key of certificate 0123456789ab"
NOT_RELAYED = "550 5.7.1 mail for hub1.example.test is neither kept here nor passed on"


def a_reply(text: str) -> Reply:
    return Reply(int(text[:3]), (text[4:],))


def rehearsed(*answers: str) -> tuple[Rehearsal, list[bytes]]:
    """After those answers, and that to RSET."""
    rehearsal, said = Rehearsal((LOCAL, ELSEWHERE)), list[bytes]()
    for text in (*answers, "250 2.0.0 forgotten"):
        said += rehearsal.take_output().splitlines()
        rehearsal.answered(a_reply(text))
    assert rehearsal.finished
    return rehearsal, said


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ((OK, OK, OK), Taken),
        ((OK, OK, NOT_RELAYED), Taken),
        ((STRANGER,), TurnedAway),
        (("550 5.7.1 go away",), TurnedAway),
        ((OK, "454 4.7.1 <postmaster>: Relay access denied", STRANGER), TurnedAway),
        ((OK, OK, STRANGER), TurnedAway),
        ((OK, "450 4.3.2 <x>: Client host rejected: Try again later", OK), TurnedAway),
        ((OK, OK, "450 4.1.2 <x>: Recipient address rejected: Domain not found"), Taken),
        ((OK, NOT_RELAYED, NOT_RELAYED), Undecided),
        (("452 4.3.1 the message could not be stored; try again later",), Undecided),
        ((OK, "452 4.3.1 no room", "452 4.3.1 no room"), Undecided),
    ],
)
def test_what_it_answers_is_a_yes_a_no_or_neither(answers: tuple[str, ...], kind: type) -> None:
    """A permanent no to an address is about the address; one that is full is not about us."""
    assert isinstance(rehearsed(*answers)[0].answer, kind)


def test_every_session_is_taken_back_and_none_comes_to_data() -> None:
    assert rehearsed(OK, OK, OK)[1] == COMMANDS
    assert rehearsed(STRANGER)[1] == [COMMANDS[0], COMMANDS[-1]]


def test_one_command_is_said_at_a_time() -> None:
    """So that each answer is known by its place, and a no to the first spares the others."""
    rehearsal = Rehearsal((LOCAL, ELSEWHERE))

    assert rehearsal.take_output() == COMMANDS[0] + b"\r\n"
    assert rehearsal.take_output() == b""
    assert not rehearsal.finished


def test_an_address_that_no_command_can_carry_is_not_asked_for() -> None:
    rehearsal = Rehearsal(("a@b.test>\r\nDATA",))
    rehearsal.answered(a_reply(OK))

    assert b"DATA" not in rehearsal.take_output()


def test_a_session_that_breaks_has_decided_nothing_unless_it_had_said_no() -> None:
    broken, refused = Rehearsal((LOCAL,)), Rehearsal((LOCAL,))
    broken.answered(a_reply(OK))
    broken.abandon("the server closed the connection")
    refused.answered(a_reply(STRANGER))
    refused.abandon("the server closed the connection")

    assert broken.answer == Undecided("the server closed the connection")
    assert isinstance(refused.answer, TurnedAway)


def a_ready_session() -> ClientSession:
    session = ClientSession("hub1.example.test", tls=False)
    session.receive(b"220 hello\r\n250-hello\r\n250 PIPELINING\r\n")
    assert isinstance(session.next_event(), Ready)
    session.take_output()
    return session


def test_a_session_can_go_on_after_a_rehearsal() -> None:
    session = a_ready_session()
    session.rehearse((LOCAL,))
    session.receive(b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n250 2.0.0 ok\r\n")
    heard = session.next_event()
    assert isinstance(heard, Heard)
    assert isinstance(heard.answer, Taken)

    session.quit()

    assert session.take_output().endswith(b"RSET\r\nQUIT\r\n")


def test_a_server_that_ends_the_session_has_not_decided() -> None:
    session = a_ready_session()
    session.rehearse((LOCAL,))
    session.receive(b"421 4.3.2 this server is stopping; try again later\r\n")
    heard = session.next_event()

    assert isinstance(heard, Heard)
    assert isinstance(heard.answer, Undecided)
    assert isinstance(session.next_event(), Stopped)
