"""What a peer's answer to a rehearsal means for the rotation."""

from __future__ import annotations

import pytest

from mailtrust.core.model.rehearsal import Rehearsed, Verdict, summed
from tests.make import ENDPOINT, HUB1, HUB2, NOON, a_certificate

LEAF = a_certificate()


def answered(verdict: Verdict) -> Rehearsed:
    return Rehearsed(HUB2, ENDPOINT, LEAF.fingerprint, verdict, NOON, "454 4.7.1")


@pytest.mark.parametrize(
    ("verdict", "accepted"),
    [(Verdict.ACCEPTED, True), (Verdict.DEFERRED, False), (Verdict.REFUSED, False), (Verdict.UNKNOWN, None)],
)
def test_a_peer_that_says_no_holds_the_switch_back_and_one_that_cannot_be_asked_does_not(
    verdict: Verdict, accepted: bool | None
) -> None:
    sighting = answered(verdict).sighting_of(HUB1)

    assert (sighting.server, sighting.place) == (HUB1, f"{HUB2} {ENDPOINT}")
    assert (sighting.accepted, sighting.why) == (accepted, "454 4.7.1")


def test_the_worst_answer_stands_for_all_and_nobody_to_ask_is_no_yes() -> None:
    assert summed(tuple(map(answered, (Verdict.ACCEPTED, Verdict.DEFERRED)))) is Verdict.DEFERRED
    assert summed((answered(Verdict.ACCEPTED),)) is Verdict.ACCEPTED
    assert summed(()) is Verdict.UNKNOWN
