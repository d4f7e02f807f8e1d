"""How late replicas are, and were."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from mailtrust.core.checks.case import Case
from mailtrust.core.model.sighting import Act, History, ReplicaSighting, SeenAt
from mailtrust.core.policy import Policy
from mailtrust.core.punctuality import Punctuality, Spell, Trouble, merged, punctuality
from tests.make import (
    DC1,
    DC2,
    DC3,
    HUB1,
    HUB2,
    NOON,
    a_certificate,
    a_replica,
    a_view,
    an_unread_replica,
    days,
    enabled,
    minutes,
)

LEAF = a_certificate(key="ours")
LATENCY = minutes(15)


def seen(*places: tuple[str, float]) -> dict[SeenAt, datetime]:
    return {(HUB1, place, LEAF.fingerprint): NOON - minutes(ago) for place, ago in places}


def replicas(
    *looks: ReplicaSighting,
    first_seen: dict[SeenAt, datetime] | None = None,
    acts: tuple[Act, ...] = (),
    spells: tuple[Spell, ...] = (),
) -> dict[str, Punctuality]:
    view = a_view(*looks, history=History(acts, first_seen or {}))
    case = Case(HUB1, view, Policy(latency=LATENCY), NOON)
    return {one.place: one for one in punctuality([case], spells, NOON - days(30))}


def test_what_is_seen_later_elsewhere_took_that_long_at_most() -> None:
    old = NOON - days(400)
    looks = (a_replica(DC1, LEAF, published_at=old), a_replica(DC2, LEAF, published_at=old))
    found = replicas(*looks, first_seen=seen((DC1, 60), (DC2, 48)))

    assert [one.took for one in found[DC2].arrivals] == [minutes(12)]
    assert (found[DC1].arrivals, found[DC1].last_took) == ((), None)


def test_it_took_since_it_was_written_where_that_was_shortly_before() -> None:
    looks = (a_replica(DC1, LEAF), a_replica(DC2, LEAF))
    written = enabled(LEAF, at=NOON - minutes(61))
    found = replicas(*looks, first_seen=seen((DC1, 60), (DC2, 48)), acts=(written,))

    assert found[DC2].longest == minutes(13)


def test_found_everywhere_by_the_first_look_proves_something_only_within_the_latency() -> None:
    """Nobody looked for a year: that is not how long it took."""
    looks = (a_replica(DC1, LEAF), a_replica(DC2, LEAF))
    together = seen((DC1, 60), (DC2, 60))

    at_once = replicas(*looks, first_seen=together, acts=(enabled(LEAF, at=NOON - minutes(61)),))
    long_ago = replicas(*looks, first_seen=together, acts=(enabled(LEAF, at=NOON - days(300)),))

    assert at_once[DC2].last_took == minutes(1)
    assert not at_once[DC1].arrivals
    assert not long_ago[DC2].arrivals


@pytest.mark.parametrize(("ago", "late"), [(5, False), (15, True), (90, True)])
def test_what_is_missing_is_late_after_the_latency(ago: float, *, late: bool) -> None:
    looks = (a_replica(DC1, LEAF, published_at=NOON - minutes(ago)), a_replica(DC2))
    [missing] = replicas(*looks)[DC2].missing

    assert (missing.is_late, missing.due_at) == (late, NOON - minutes(ago) + LATENCY)
    assert (missing.command is not None) is late


def test_a_replica_that_cannot_be_read_is_not_punctual_but_unknown() -> None:
    found = replicas(a_replica(DC1, LEAF), an_unread_replica(DC3))[DC3]

    assert (found.why, found.missing, found.is_late) == ("no answer in 10 s", (), False)


def test_spells_that_overlap_are_one() -> None:
    def late(since: float, until: float | None) -> Spell:
        end = NOON - minutes(until) if until is not None else None
        return Spell(DC2, Trouble.LATE, NOON - minutes(since), end)

    found = merged([late(20, None), late(60, 40), late(50, 30), late(25, 22), late(21, 20)])

    assert [(one.since, one.until) for one in found] == [
        (NOON - minutes(60), NOON - minutes(30)),
        (NOON - minutes(25), NOON - minutes(22)),
        (NOON - minutes(21), None),
    ]


def test_what_was_over_before_is_left_out_and_what_began_before_is_cut() -> None:
    long_ago = Spell(DC1, Trouble.UNREAD, NOON - days(90), NOON - days(80))
    goes_on = Spell(DC1, Trouble.UNREAD, NOON - days(40), None)
    found = replicas(a_replica(DC1, LEAF), spells=(long_ago, goes_on))[DC1]

    assert [(one.since, one.until) for one in found.spells] == [(NOON - days(30), None)]


def test_the_allowance_is_the_directorys_own_where_it_knows() -> None:
    far = a_replica(DC2, LEAF, latencies={"dc1": timedelta(hours=3)})
    found = replicas(a_replica(DC1, LEAF), far)

    assert (found[DC1].allowed, found[DC2].allowed) == (LATENCY, timedelta(hours=3))


def test_what_arrived_before_or_elsewhere_or_of_others_is_left_out() -> None:
    looks = (a_replica(DC1, LEAF), a_replica(DC2, LEAF))
    month = 40 * 24 * 60
    others: dict[SeenAt, datetime] = {(HUB2, place, LEAF.fingerprint): NOON for place in (DC1, DC2)}

    long_ago = replicas(*looks, first_seen=seen((DC1, month), (DC2, month - 12)))
    elsewhere = replicas(*looks, first_seen=seen((DC3, 60)))
    of_others = replicas(*looks, first_seen=others)

    assert [one[DC2].arrivals for one in (long_ago, elsewhere, of_others)] == [()] * 3
