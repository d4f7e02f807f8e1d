"""What became of a server's certificates, and when."""

from __future__ import annotations

from mailtrust.core.model.certificate import Fingerprint
from mailtrust.core.model.sighting import Act, History, Slot
from mailtrust.core.timeline import Life, Moment, Step, time_line
from mailtrust.core.why.value import Column
from tests.make import (
    DC1,
    DC2,
    DC3,
    ENDPOINT,
    HUB1,
    HUB2,
    NOON,
    a_certificate,
    a_replica,
    a_store,
    a_view,
    a_wire,
    an_unread_replica,
    days,
    enabled,
    installed,
    minutes,
)

OURS, NEXT = a_certificate(key="ours"), a_certificate(key="next")
GONE = Fingerprint("9d" * 32)


def steps(life: Life) -> list[tuple[Step, str]]:
    return [(one.step, one.place) for one in life.moments]


def test_a_life_has_its_moments_in_the_order_in_which_they_came() -> None:
    seen = {
        (HUB1, DC1, OURS.fingerprint): NOON - minutes(50),
        (HUB1, DC2, OURS.fingerprint): NOON - minutes(40),
        (HUB1, str(ENDPOINT), OURS.fingerprint): NOON - minutes(30),
    }
    view = a_view(
        a_store(installed(OURS, Slot.CURRENT, arrived_at=NOON - minutes(60))),
        a_wire(OURS),
        a_replica(DC1, OURS, published_at=NOON - minutes(55)),
        a_replica(DC2, OURS, published_at=NOON - minutes(55)),
        history=History(first_seen=seen),
    )

    [life] = time_line(view, HUB1).lives

    assert steps(life) == [
        (Step.MADE, ""),
        (Step.PUBLISHED, ""),
        (Step.SEEN, DC1),
        (Step.SEEN, DC2),
        (Step.PRESENTED, str(ENDPOINT)),
        (Step.EXPIRES, ""),
    ]
    assert life.slot is Slot.CURRENT
    assert life.is_around


def test_what_is_seen_now_and_the_journal_does_not_know_was_seen_now() -> None:
    [life] = time_line(a_view(a_replica(DC2, OURS)), HUB1).lives

    assert Moment(NOON, Step.SEEN, DC2) in life.moments


def test_what_only_the_journal_remembers_is_told_without_its_dates() -> None:
    """It was withdrawn and removed: nobody holds it in his hands any more."""
    acts = (
        Act("publish", HUB1, GONE, NOON - days(9), DC1),
        Act("present", HUB1, GONE, NOON - days(8)),
        Act("withdraw", HUB1, GONE, NOON - days(2), DC1),
    )
    [now, gone] = time_line(a_view(a_replica(DC1, OURS), acts=acts), HUB1).lives

    assert (now.fingerprint, gone.fingerprint) == (OURS.fingerprint, GONE)
    assert steps(gone) == [(Step.PUBLISHED, ""), (Step.PRESENTED, ""), (Step.WITHDRAWN, "")]
    assert (gone.certificate, gone.withdrawn_at, gone.is_around) == (None, NOON - days(2), False)


def test_an_act_that_failed_is_no_moment() -> None:
    failed = enabled(OURS, failed="no answer")
    [life] = time_line(a_view(a_store(installed(OURS)), acts=(failed,)), HUB1).lives

    assert Step.PUBLISHED not in {one.step for one in life.moments}


def test_a_place_that_could_not_be_looked_at_is_neither_there_nor_not_there() -> None:
    view = a_view(a_replica(DC1, OURS), a_replica(DC2), an_unread_replica(DC3))
    line = time_line(view, HUB1)

    [life] = line.lives
    assert {(copy.column, copy.place): copy.there for copy in life.copies} == {
        (Column.PUBLISHED, DC1): True,
        (Column.PUBLISHED, DC2): False,
        (Column.PUBLISHED, DC3): None,
    }
    assert line.unseen == ((DC3, "no answer in 10 s"),)


def test_the_current_one_comes_first_and_other_servers_are_left_out() -> None:
    theirs = {(HUB2, DC1, GONE): NOON}
    view = a_view(
        a_store(installed(NEXT, Slot.NEXT, arrived_at=NOON), installed(OURS, Slot.CURRENT)),
        history=History(first_seen=theirs),
    )

    assert [life.slot for life in time_line(view, HUB1).lives] == [Slot.CURRENT, Slot.NEXT]


def test_a_journal_that_cannot_be_read_is_told() -> None:
    assert not time_line(a_view(a_store(), history=History(readable=False)), HUB1).remembers


def test_since_when_the_store_has_it_is_no_moment_of_its_own() -> None:
    """It is told by when it was made, or arrived."""
    seen = {(HUB1, "/srv/hub1", OURS.fingerprint): NOON}
    [life] = time_line(a_view(a_store(installed(OURS)), history=History(first_seen=seen)), HUB1).lives

    assert {one.step for one in life.moments} == {Step.MADE, Step.EXPIRES}
