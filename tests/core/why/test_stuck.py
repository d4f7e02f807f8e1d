"""What a queue's last word says, and what waits together."""

from __future__ import annotations

import pytest

from mailtrust.core.why import Complaint, complaint, stuck
from tests.core.why.both_sides import HOP, REFUSED, waits
from tests.make import NOON, minutes

HUB_2018 = "2018 nobody publishes the key of certificate 3f9a2c71e5b0 that 192.0.2.2:25 presented"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (REFUSED, Complaint.THEY_REFUSE),
        ("454 4.7.1 12012 nobody publishes it", Complaint.THEY_REFUSE),
        ("454 4.7.1 <b@hub2.example.test>: Relay access denied", Complaint.THEY_REFUSE),
        ("450 4.3.2 <hub1[192.0.2.1]>: Client certificate rejected: Try again later", Complaint.THEY_REFUSE),
        ("450 4.7.1 <hub1[192.0.2.1]>: Client host rejected: Try again later", Complaint.THEY_REFUSE),
        ("454 4.7.5 Certificate validation failure", Complaint.THEY_REFUSE),
        ("454 4.7.1 12111 this server's view of the directory is too old", Complaint.THEIR_VIEW_IS_OLD),
        ("451 4.3.0 <b@hub2.example.test>: Temporary lookup failure", Complaint.THEIR_TABLES),
        ("451 4.3.5 Server configuration error", Complaint.THEIR_TABLES),
        ("454 4.7.0 TLS not available due to local problem", Complaint.THEIR_TLS),
        ("451 4.3.5 <hub1>: Client host rejected: Server configuration error", Complaint.THEIR_TABLES),
        ("451 4.7.1 your certificate is not published", Complaint.THEY_REFUSE),
        ("450 4.7.1 <hub1>: Client host rejected: cannot find your hostname", Complaint.OTHER),
        ("450 4.2.0 <hub1>: Client host rejected: Greylisted, try again later", Complaint.OTHER),
        ("452 4.2.2 the mailbox is full", Complaint.OTHER),
        ("450 4.1.1 see you at 1036 Main Street", Complaint.OTHER),
    ],
)  # fmt: skip
def test_an_answer_of_the_next_hop(answer: str, expected: Complaint) -> None:
    assert complaint(HOP, answer, "") is expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (HUB_2018, Complaint.WE_REFUSE),
        ("2018 192.0.2.2:25 presented no certificate", Complaint.WE_REFUSE),
        ("2018 TLS is required: the answer to EHLO does not offer STARTTLS", Complaint.NO_TLS),
        ("12111 our view of the directory is too old to trust anybody", Complaint.OUR_VIEW_IS_OLD),
        ("cannot connect to 192.0.2.2:25: Connection refused", Complaint.NOBODY),
        ("the TLS handshake took too long", Complaint.NOBODY),
        ("no route leads there; it is tried again when the hub starts with one", Complaint.NO_ROUTE),
        ("Server certificate not verified", Complaint.WE_REFUSE),
        ("client TLS configuration problem", Complaint.WE_REFUSE),
        ("TLS is required, but was not offered by host hub2[192.0.2.2]", Complaint.NO_TLS),
        ("TLS is required, but our TLS engine is unavailable", Complaint.OUR_TLS),
        ("connect to hub2[192.0.2.2]:25: Connection refused", Complaint.NOBODY),
        ("connect to hub2[192.0.2.2]:25: Connection timed out", Complaint.NOBODY),
        ("lost connection with hub2[192.0.2.2] while receiving the greeting", Complaint.NOBODY),
        ("Cannot start TLS: handshake failure", Complaint.NOBODY),
        ("Host or domain name not found. Name service error for name=hub2 type=AAAA", Complaint.NOBODY),
        ("Temporary lookup failure", Complaint.OUR_TABLES),
        ("TLS policy lookup error for hub2/25: Temporary lookup failure", Complaint.OUR_TABLES),
        ("mail transport unavailable", Complaint.OUR_TRANSPORT),
        ("delivery temporarily suspended: unknown mail transport error", Complaint.OUR_TRANSPORT),
        ("unable to look up host hub2.example.test: Temporary failure in name resolution", Complaint.NOBODY),
        ("the disk of the moon is full", Complaint.OTHER),
        ("", Complaint.UNTRIED),
    ],
)  # fmt: skip
def test_words_of_our_own_transport(words: str, expected: Complaint) -> None:
    assert complaint(HOP, "", words) is expected


def test_an_answer_that_says_yes_stands_in_nobodys_way() -> None:
    """It is kept where it lacked something: an EHLO without STARTTLS."""
    words = "2018 TLS is required: the answer to EHLO does not offer STARTTLS"

    assert waits("250 hub2.example.test 8BITMIME", words).said == words
    assert complaint(HOP, "250 hub2.example.test 8BITMIME", words) is Complaint.NO_TLS


def test_a_mailbox_is_no_peer() -> None:
    assert complaint("local", "", "cannot connect to the mailbox") is Complaint.LOCAL


def test_what_waits_for_most_comes_first() -> None:
    found = stuck([
        waits(REFUSED, since=NOON), waits(REFUSED, hop="192.0.2.3:25", since=NOON - minutes(5)),
        waits(REFUSED, hop="192.0.2.4:25", since=NOON - minutes(9)),
    ])  # fmt: skip

    assert [one.hop for one in found] == ["192.0.2.4:25", "192.0.2.3:25", HOP]


def test_the_oldest_that_was_tried_speaks_for_all() -> None:
    [one] = stuck([
        waits(since=NOON - minutes(9)), waits(REFUSED, since=NOON - minutes(3), next_try=NOON),
        waits(words="cannot connect", since=NOON),
    ])  # fmt: skip

    assert (one.complaint, one.spokesman.said) == (Complaint.THEY_REFUSE, REFUSED)
    assert (one.since, one.next_try) == (NOON - minutes(9), NOON)
    assert one.count == 1, "the three are one message"
    assert one.domains == ("hub2.example.test",)


def test_nothing_is_known_of_what_was_never_tried() -> None:
    [one] = stuck([waits(ends_at=None)])

    assert (one.complaint, one.named, one.met_nobody) == (Complaint.UNTRIED, "", False)
    assert (one.bounces_at, one.next_try) == (None, None)


def test_a_last_word_may_name_a_certificate_or_that_there_was_none() -> None:
    assert stuck([waits(words=HUB_2018)])[0].named == "3f9a2c71e5b0"
    assert stuck([waits("454 4.7.1 1036 no certificate was presented; mail is …")])[0].met_nobody
    assert stuck([waits("454 4.7.1 1036 TLS is required, with a certificate that …")])[0].met_nobody


@pytest.mark.parametrize(
    ("words", "waited", "expected"), [("", 0.5, True), ("", 1, False), ("busy", 0.5, False)]
)
def test_what_was_accepted_a_moment_ago_is_on_its_way(words: str, waited: float, *, expected: bool) -> None:
    [held] = stuck([waits(words=words, since=NOON - minutes(waited))])

    assert held.is_on_its_way(NOON) is expected
