"""What the dashboard notices between two looks."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from mailtrust.agent.look import Assessment
from mailtrust.agent.site import Site
from mailtrust.core.checks import Verdict
from mailtrust.core.model.event import Diagnosis
from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.core.policy import Policy
from mailtrust.web.watch import Watch
from tests.make import DC1, DC2, HUB1, NOON, a_certificate, a_replica, a_view, an_unread_replica, minutes

LEAF = a_certificate()
WRITTEN = NOON - minutes(3)
BEFORE = (a_replica(DC1, LEAF, published_at=WRITTEN), a_replica(DC2))
AFTER = (a_replica(DC1, LEAF, published_at=WRITTEN), a_replica(DC2, LEAF, published_at=WRITTEN))


def seen(*looks: ReplicaSighting) -> Assessment:
    return Assessment(NOON, HUB1, (HUB1,), a_view(*looks), {}, Diagnosis(), Verdict.OK, Policy())


def a_watch() -> Watch:
    # It asks nothing of the site but for its mail.
    return Watch(cast("Site", None))


def test_what_the_look_before_did_not_find_has_arrived() -> None:
    watch = a_watch()
    watch.arrivals(seen(*BEFORE))
    [arrival] = watch.arrivals(seen(*AFTER))

    assert (arrival.place, arrival.fingerprint, arrival.took) == (DC2, LEAF.fingerprint, minutes(3))
    assert watch.arrivals(seen(*AFTER)) == (arrival,)


def test_of_the_first_look_nobody_knows_since_when_it_is_true() -> None:
    assert a_watch().arrivals(seen(*AFTER)) == ()


def test_a_replica_that_comes_back_with_what_it_had_got_nothing_new() -> None:
    watch = a_watch()
    watch.arrivals(seen(*AFTER))
    watch.arrivals(seen(AFTER[0], an_unread_replica(DC2)))

    assert watch.arrivals(seen(*AFTER)) == ()


def test_a_clock_that_runs_ahead_makes_no_time_negative() -> None:
    watch = a_watch()
    watch.arrivals(seen(*BEFORE))
    ahead = a_replica(DC2, LEAF, published_at=NOON + minutes(9))
    [arrival] = watch.arrivals(replace(seen(AFTER[0], ahead)))

    assert arrival.took == minutes(0)
