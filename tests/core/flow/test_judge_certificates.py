"""From a trace to a hop: which certificate is not believed, and what proves it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mailtrust.core.flow import Passage, Picture, Stage, State, Stop, Trace, Verdict
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.sighting import History, WireFailure
from mailtrust.core.model.trust import Anonymous, Stranger, Trusted
from tests.core.flow.traces import QUICK, a_trace, facts_of, failed, judged, phrases, said_at, warned
from tests.core.why import both_sides
from tests.core.why.both_sides import OLD, OURS, THEIRS, THERE, at, our_store, our_wire, their_wire
from tests.make import DC1, HUB1, HUB2, NOON, a_certificate, a_replica, an_unread_replica, installed

STRANGER = "454 4.7.1 1036 nobody publishes the key"


def stopped_at_theirs(leaf: Certificate | None = THEIRS, **more: Any) -> Trace:
    """We left behind the handshake."""
    trace = a_trace(until=Stage.HANDSHAKE, leaf=leaf, asked=True, **more)
    return replace(trace, passages={**trace.passages, Stage.HANDSHAKE: Passage(QUICK, "TLSv1.3")})


def test_a_key_that_is_published_nowhere_stops_it_at_their_certificate() -> None:
    odd = a_certificate(HUB2, key="odd")
    hop = judged(stopped_at_theirs(odd), facts_of(their_wire(odd)), Picture(Stranger(odd)))

    assert failed(hop) == (Stage.THEIR_CERTIFICATE, 12104)
    assert hop.line(Stage.OUR_CERTIFICATE).state is State.NOT_REACHED
    assert hop.line(Stage.THEIR_CERTIFICATE).said[0].phrase == "flow.theirs-nobody"


def test_a_published_certificate_at_the_same_place_is_proof_of_two_hosts() -> None:
    """Behind one address a balancer has two, and one of them was forgotten at the last change."""
    stray = a_certificate(HUB2, key="stray")
    seen = History(
        first_seen={(HUB2, str(THERE), THEIRS.fingerprint): NOON, (HUB2, DC1, THEIRS.fingerprint): NOON}
    )
    facts = both_sides.facts_of(both_sides.view_of(their_wire(stray), history=seen))

    hop = judged(stopped_at_theirs(stray), facts, Picture(Stranger(stray)))

    assert failed(hop) == (Stage.THEIR_CERTIFICATE, 12104)
    assert "flow.presented-there" in phrases(hop)


def test_what_cannot_be_read_and_what_was_not_presented_are_not_believed() -> None:
    unreadable = judged(
        stopped_at_theirs(None, unreadable="ab" * 32), facts_of(well=False), Picture(Anonymous())
    )
    nothing = judged(stopped_at_theirs(None), facts_of(well=False), Picture(Anonymous()))

    assert failed(unreadable) == (Stage.THEIR_CERTIFICATE, 2018)
    assert unreadable.line(Stage.THEIR_CERTIFICATE).said == ()
    assert failed(nothing) == (Stage.THEIR_CERTIFICATE, 2018)


def test_a_next_hop_that_is_believed_only_as_somebody_else_is_not_believed() -> None:
    """As in Postfix's tables, which say who is where."""
    hop = judged(stopped_at_theirs(), picture=Picture(Trusted(HUB2), frozenset({HUB1})))

    assert failed(hop) == (Stage.THEIR_CERTIFICATE, 2018)
    assert judged(a_trace(), picture=Picture(Trusted(HUB2), frozenset({HUB2}))).trouble is None


def test_without_a_picture_of_the_directory_nobody_is_judged() -> None:
    looks = [an_unread_replica(DC1, server=one, home=True) for one in (HUB1, HUB2)]
    blind = judged(stopped_at_theirs(), facts_of(*looks), Picture(None))
    dark = judged(stopped_at_theirs(), facts_of(), Picture(None))

    assert failed(blind) == (Stage.THEIR_CERTIFICATE, 12103)
    assert blind.line(Stage.THEIR_CERTIFICATE).said[0].phrase == "flow.theirs-unjudged"
    assert failed(dark) == (Stage.THEIR_CERTIFICATE, 12103)


def test_mail_goes_on_by_an_old_picture_with_a_warning_and_not_where_it_is_too_old() -> None:
    looks = [an_unread_replica(DC1, server=one, home=True) for one in (HUB1, HUB2)]
    goes = judged(a_trace(), facts_of(*looks))
    stays = judged(stopped_at_theirs(), facts_of(*looks), Picture(Trusted(HUB2), too_old=True))

    assert (goes.verdict, warned(goes)) == (Verdict.FLOWS, [(Stage.THEIR_CERTIFICATE, 12103)])
    assert failed(stays) == (Stage.THEIR_CERTIFICATE, 12103)


def test_another_server_that_answers_is_a_warning() -> None:
    hop = judged(a_trace(), picture=Picture(Trusted(HUB1)))
    nameless = judged(a_trace(leaf=None, unreadable="ab" * 32), picture=Picture(Trusted(HUB1)))

    assert warned(hop) == [(Stage.THEIR_CERTIFICATE, 12104)]
    assert warned(nameless) == [(Stage.THEIR_CERTIFICATE, 12104)]


def refused(said: str = STRANGER, stage: Stage = Stage.MAIL, **more: Any) -> Trace:
    return a_trace(until=stage, stop=Stop.REFUSED, said=said, **more)


def test_our_certificate_that_is_not_published_is_the_reason_once_they_say_no() -> None:
    looks = [a_replica(look.place, OLD, server=HUB1, home=look.home) for look in at(OURS, server=HUB1)]
    no, yes = judged(refused(), facts_of(*looks)), judged(a_trace(), facts_of(*looks))

    assert failed(no) == (Stage.OUR_CERTIFICATE, 12012)
    assert (no.line(Stage.MAIL).state, no.line(Stage.RCPT).state) == (State.FOLLOWS, State.NOT_REACHED)
    assert "flow.answered" in phrases(no)
    assert (yes.verdict, yes.line(Stage.OUR_CERTIFICATE).state) == (Verdict.FLOWS, State.WARNING)
    assert warned(yes) == [(Stage.OUR_CERTIFICATE, 12012)]


def test_nothing_to_show_is_the_reason_once_they_say_no() -> None:
    empty = facts_of(our_store_of_nobody(), replace_our_wire())
    process = facts_of()

    assert failed(judged(refused(shown=None), empty)) == (Stage.OUR_CERTIFICATE, 12012)
    # The store calls none current, and a process of ours goes on with what it had.
    hop = judged(refused(shown=None), process)
    assert failed(hop) == (Stage.OUR_CERTIFICATE, 12012)
    assert hop.trouble is not None
    assert hop.trouble.command == "mailtrust new"
    assert hop.line(Stage.OUR_CERTIFICATE).said[-1].phrase == "flow.nothing-to-show"


def our_store_of_nobody() -> Any:
    return replace(our_store(), found=())  # type: ignore[type-var]


def replace_our_wire() -> Any:
    return replace(our_wire(), found=None, failure=WireFailure.NOT_OFFERED, why="no TLS")  # type: ignore[type-var]


def test_our_process_that_presents_something_else_is_the_reason_though_they_take_the_current_one() -> None:
    store = our_store(installed(OLD))
    hop = judged(a_trace(), facts_of(store, our_wire(OLD)))

    assert hop.trouble is not None
    assert hop.trouble.stage is Stage.OUR_CERTIFICATE


def test_a_receiver_that_never_asks_proves_nothing_or_says_no_for_it() -> None:
    facts = facts_of(their_wire(asks=False))
    goes, stays = judged(a_trace(asked=False), facts), judged(refused(asked=False), facts)

    assert (goes.verdict, warned(goes)) == (Verdict.UNPROVEN, [(Stage.OUR_CERTIFICATE, 12118)])
    assert [one.phrase for one in goes.line(Stage.OUR_CERTIFICATE).said][:2] == [
        "flow.not-asked",
        "flow.not-shown",
    ]
    assert failed(stays) == (Stage.OUR_CERTIFICATE, 12118)
    for_good = refused("554 5.7.1 <x>: Relay access denied", Stage.RCPT, asked=False)
    assert failed(judged(for_good, facts)) == (Stage.OUR_CERTIFICATE, 12118)
    in_words = refused("530 5.7.0 Must issue a client certificate", asked=False)
    assert failed(judged(in_words, facts)) == (Stage.OUR_CERTIFICATE, 12118)


@pytest.mark.parametrize("said", [STRANGER, "450 4.7.1 <x>: Client host rejected: try again later"])
def test_a_no_to_a_certificate_that_stands_everywhere_is_about_their_picture(said: str) -> None:
    hop = judged(refused(said))

    assert failed(hop)[0] is Stage.MAIL
    assert hop.trouble is not None
    assert "flow.answered" in phrases(hop)


def test_a_view_of_theirs_that_is_too_old_has_its_number() -> None:
    assert failed(judged(refused("454 4.7.1 12111 this server's view is too old"))) == (Stage.MAIL, 12111)


@pytest.mark.parametrize(
    ("said", "phrase"), [("550 5.1.1 no such user", "flow.refused"), ("452 4.3.1 no room", "flow.deferred")]
)
def test_a_no_about_something_else_is_12182(said: str, phrase: str) -> None:
    hop = judged(refused(said, Stage.RCPT))

    assert failed(hop) == (Stage.RCPT, 12182)
    assert hop.trouble is not None
    assert hop.trouble.why.phrase == phrase


def test_a_no_of_postfix_that_nothing_here_explains_is_12182() -> None:
    said = "454 4.7.1 <x>: try again later"

    assert failed(judged(refused(said), facts_of(well=True))) == (Stage.MAIL, 12182)


@pytest.mark.parametrize(
    "said",
    [
        "the server ended TLS: tlsv1 alert unknown ca",
        "421 4.7.1 mx2.example.org Error: Client certificate not trusted",
    ],
)
def test_tls_that_ends_over_our_certificate_is_12131_at_ours(said: str) -> None:
    hop = judged(a_trace(until=Stage.EHLO_AGAIN, stop=Stop.CLOSED, said=said))

    assert failed(hop) == (Stage.OUR_CERTIFICATE, 12131)
    assert hop.line(Stage.EHLO_AGAIN).state is State.FOLLOWS


def test_a_term_that_ended_is_said_and_stops_nothing() -> None:
    hop = judged(a_trace(), replace(facts_of(), now=THEIRS.not_after))

    assert said_at(hop, Stage.THEIR_CERTIFICATE)[-1] == "flow.theirs-ended"
    assert hop.verdict is Verdict.FLOWS
