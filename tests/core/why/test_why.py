"""Nobody listens, what is not about trust, and what an answer has besides its cause."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailtrust.core.model.event import Said
from mailtrust.core.model.replication import Stamp
from mailtrust.core.model.server import Endpoint
from mailtrust.core.model.sighting import Act, History, WireFailure
from mailtrust.core.why import Column, Direction, Owner
from tests.core.why.both_sides import (
    HERE,
    HOP,
    OLD,
    OURS,
    REFUSED,
    THEIRS,
    THERE,
    asked,
    at,
    facts_of,
    said,
    their_wire,
    view_of,
    waits,
)
from tests.make import DC1, DC3, HUB1, HUB2, NOON, a_dead_wire, a_replica, a_view, an_unread_replica, minutes

REFUSED_CONNECTION = "cannot connect to 192.0.2.2:25: Connection refused"


def dead(failure: WireFailure = WireFailure.UNREACHABLE, **more: object) -> object:
    return replace(a_dead_wire(failure, server=HUB2), endpoint=THERE, **more)


@pytest.mark.parametrize(
    ("failure", "phase", "code", "owner"),
    [
        (WireFailure.UNREACHABLE, "connect", "peer-down", Owner.PEER),
        (WireFailure.UNREACHABLE, "resolve", "peer-no-name", Owner.NETWORK),
        (WireFailure.HANDSHAKE, "handshake", "peer-handshake", Owner.PEER),
    ],
)
def test_nobody_to_talk_to(failure: WireFailure, phase: str, code: str, owner: Owner) -> None:
    found = asked(view_of(dead(failure, phase=phase)), waits(words=REFUSED_CONNECTION))  # type: ignore[arg-type]

    conclusion = found.conclusion
    assert (conclusion.code, conclusion.owner, conclusion.direction) == (code, owner, Direction.NOBODY)
    assert (conclusion.command, conclusion.there) == (f"mailtrust why {HUB2}", False)
    assert found.unseen == (), "what the answer is about is not said twice"
    assert [one.cause for one in found.ruled_out] == ["they-refuse-us"]
    # A handshake also breaks where their own key and certificate do not fit.
    is_cleared = (
        conclusion.otherwise is not None and said(conclusion.otherwise) == "else.certificates-are-fine"
    )
    assert is_cleared is (failure is WireFailure.UNREACHABLE)


def test_something_on_the_way_removes_starttls() -> None:
    history = History(first_seen={(HUB2, HOP, THEIRS.fingerprint): NOON - minutes(600)})
    found = asked(
        view_of(dead(WireFailure.NOT_OFFERED), history=history),
        waits(words="2018 TLS is required: no"),  # type: ignore[arg-type]
    )

    conclusion = found.conclusion
    assert (conclusion.code, conclusion.owner, conclusion.there) == (
        "no-tls-on-the-way", Owner.NETWORK, True,
    )  # fmt: skip
    assert conclusion.command == "openssl s_client -starttls smtp -connect 192.0.2.2:25"
    assert [said(one) for one in conclusion.evidence] == ["proof.tls-before"]
    assert (found.copies[0].column, found.copies[0].there) == (Column.PRESENTED, False)


def test_a_peer_that_was_seen_with_tls_and_publishes_nothing_now_is_suspected_alike() -> None:
    there = Endpoint("2001:db8::2", 25)
    history = History(first_seen={(HUB2, str(there), THEIRS.fingerprint): NOON - minutes(600)})
    view = a_view(
        replace(a_dead_wire(WireFailure.NOT_OFFERED, server=HUB2), endpoint=there), *at(), history=history
    )
    found = asked(view)

    assert found.conclusion.command == "openssl s_client -starttls smtp -connect [2001:db8::2]:25"
    assert found.copies == (), "nothing is known that could be laid side by side"


def test_a_peer_without_a_certificate_offers_no_tls() -> None:
    found = asked(view_of(dead(WireFailure.NOT_OFFERED), *at()))  # type: ignore[arg-type]

    conclusion = found.conclusion
    assert (conclusion.code, conclusion.owner, conclusion.command, conclusion.there) == (
        "peer-without-tls", Owner.PEER, "mailtrust check", True,
    )  # fmt: skip


def test_a_look_that_we_did_not_take_is_no_reason() -> None:
    found = asked(view_of(dead(WireFailure.NO_ANSWER)))  # type: ignore[arg-type]

    assert found.conclusion.code == "nothing-seen"
    assert [said(one) for one in found.unseen] == ["unlooked.wire"]
    assert found.conclusion.command == f"mailtrust why {HUB2}"


def test_whom_nobody_could_call_is_told() -> None:
    view = a_view(*at(THEIRS), *at(OURS, server=HUB1))
    found = asked(view)

    assert [said(one) for one in found.unseen] == ["unlooked.no-wire"]
    assert [said(one) for one in found.looked] == ["looked.replicas"]


def test_what_the_queue_says_is_asked_first_and_what_is_seen_decides() -> None:
    """They refused us an hour ago; meanwhile nobody listens any more."""
    found = asked(view_of(dead()), waits("454 4.7.1 1036 no certificate was presented"))  # type: ignore[arg-type]

    assert found.conclusion.code == "peer-down"


@pytest.mark.parametrize(
    ("waiting", "code", "owner"),
    [
        (waits(hop="local", words="cannot write to the mailbox"), "local", Owner.HERE),
        (waits(hop="", words="no route leads there"), "no-route", Owner.HERE),
        (waits("452 4.2.2 the mailbox is full"), "not-trust", Owner.PEER),
        (waits(words="deferred transport"), "own-words", Owner.HERE),
    ],
)
def test_what_waits_for_something_else(waiting: object, code: str, owner: Owner) -> None:
    found = asked(view_of(), waiting)  # type: ignore[arg-type]

    assert (found.conclusion.code, found.conclusion.owner) == (code, owner)
    assert (found.conclusion.direction, found.ruled_out) == (Direction.ELSEWHERE, ())


def test_nothing_goes_while_our_own_hub_does_not_run() -> None:
    """Whatever the peer said while it ran: first somebody has to send."""
    down = replace(a_dead_wire(), endpoint=HERE)
    found = asked(view_of(down), waits(REFUSED))

    assert (found.conclusion.code, found.conclusion.owner) == ("ours-down", Owner.HERE)
    assert (found.conclusion.command, found.conclusion.finding is not None) == ("mailtrust hub", True)
    assert asked(view_of(down), waits(REFUSED), restart="").conclusion.command is None


def test_a_listener_that_cannot_be_called_from_here_is_no_proof_that_nothing_runs() -> None:
    silent = replace(a_dead_wire(), endpoint=HERE, phase="banner")
    down = replace(a_dead_wire(), endpoint=HERE)

    assert asked(view_of(silent), waits(REFUSED)).conclusion.code != "ours-down"
    assert asked(view_of(down), waits(REFUSED), one_process=False).conclusion.code != "ours-down"
    assert asked(view_of(down)).conclusion.code != "ours-down", "no mail waits"


def test_what_is_over_goes_with_the_next_try_even_where_nobody_says_when() -> None:
    found = asked(view_of(), waits(words=REFUSED_CONNECTION))

    assert (found.conclusion.code, said(found.conclusion.act)) == ("over", "act.try-now")
    assert found.ruled_out == ()


def test_what_else_could_not_be_looked_at_is_told_too() -> None:
    queue = Said("unlooked.queue", {"why": "permission denied"})
    found = asked(view_of(), unseen=(queue,))

    assert (found.conclusion.code, found.unseen) == ("nothing-seen", (queue,))


def test_their_certificate_is_ruled_out_only_where_it_was_seen_to_stand() -> None:
    late = a_replica(DC1, server=HUB1)

    assert "we-refuse-them" in {one.cause for one in asked(view_of(late), waits(REFUSED)).ruled_out}
    bare = view_of(late, a_replica(DC1, server=HUB2))
    assert "we-refuse-them" not in {one.cause for one in asked(bare, waits(REFUSED)).ruled_out}


def test_what_changed_comes_latest_first() -> None:
    acts = (
        Act("install", HUB1, OURS.fingerprint, NOON - minutes(31)),
        Act("enable", HUB1, OURS.fingerprint, NOON - minutes(30), failed="it did not come to its end"),
        Act("present", HUB1, OURS.fingerprint, NOON - minutes(29)),
        Act("enable", HUB1, OURS.fingerprint, NOON - minutes(29)),
        Act("withdraw", HUB1, OLD.fingerprint, NOON - minutes(20), failed="the disk is full"),
        Act("withdraw", HUB1, THEIRS.fingerprint, NOON - minutes(15)),
        Act("enable", HUB2, THEIRS.fingerprint, NOON - minutes(10)),
        Act("present", HUB1, OURS.fingerprint, NOON + minutes(10)),
    )
    seen = {
        (HUB2, HOP, THEIRS.fingerprint): NOON - minutes(25),
        (HUB2, DC1, THEIRS.fingerprint): NOON - minutes(9),
    }  # fmt: skip
    early = a_replica(DC3, THEIRS, server=HUB2, published_at=NOON - minutes(3000))
    found = asked(view_of(early, history=History(acts, seen)), waits(REFUSED))

    assert [said(one.said) for one in found.changed] == [
        "change.withdrawn", "change.act-failed", "change.presented", "change.act", "change.act",
        "change.arrived", "change.published", "change.published",
    ]  # fmt: skip
    assert found.changed[-1].at == NOON - minutes(3000), "once for all replicas, by the earliest"


def test_who_wrote_is_told_where_the_directory_knows() -> None:
    stamp, author = Stamp("001", 7, NOON - minutes(90)), "cn=hub2,dc=example"
    looks = [a_replica(url, THEIRS, server=HUB2, author=author, written=stamp) for url in (DC1, DC3)]
    both = asked(view_of(*looks)).changed
    alone = asked(view_of(a_replica(DC1, THEIRS, server=HUB2, author=author))).changed

    assert [said(one.said) for one in both if author in str(one.said)] == ["change.published-at-by"]
    assert [said(one.said) for one in alone if author in str(one.said)] == ["change.published-by"]


def test_answers_of_one_cause_are_known_by_their_reason() -> None:
    late = view_of(a_replica(DC1, server=HUB1))

    assert asked(late, waits(REFUSED)).reason == asked(late).reason
    assert asked(late).reason != asked(view_of(), waits(REFUSED)).reason
    assert asked(view_of(), peer=HUB2, known=False).reason.endswith(HUB2)


def test_the_look_that_came_furthest_speaks_for_a_peer_with_several_listeners() -> None:
    view = view_of(replace(a_dead_wire(server=HUB2), endpoint=Endpoint("192.0.2.2", 26)))
    facts = facts_of(view)

    assert facts.wire is not None
    assert facts.wire.place == HOP
    assert facts_of(view, hop=HOP, known=False).look_again == f"mailtrust why {HOP}"


def test_where_both_replicas_of_a_peer_are_unread_ours_are_told_instead() -> None:
    view = a_view(their_wire(), an_unread_replica(DC1, server=HUB1))
    found = asked(view, waits(REFUSED))

    assert "unlooked.replica" in [said(one) for one in found.unseen]


def test_every_owner_has_words_of_its_own() -> None:
    said = {one.said(HUB2).phrase for one in Owner}

    assert len(said) == len(Owner)
