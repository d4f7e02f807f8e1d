"""How long it takes to arrive: measured from look to look, where the one before did not find it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from mailtrust.agent.journal import Journal
from mailtrust.agent.replication import Arrivals
from tests.make import DC1, DC2, DC3, HUB1, NOON, a_certificate, a_replica, a_view, an_unread_replica, minutes

LEAF = a_certificate()


def test_an_arrival_is_measured_once_from_when_it_was_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    arrivals = Arrivals(HUB1, LEAF, journal)
    there = a_replica(DC2, LEAF, published_at=NOON)

    arrivals.see(a_view(a_replica(DC1), a_replica(DC2), an_unread_replica(DC3)), NOON)
    for at in (3, 7):
        late = a_replica(DC3, LEAF, published_at=NOON)
        arrivals.see(a_view(a_replica(DC1, LEAF), there, late), NOON + timedelta(seconds=at))

    # Of dc1 it was written to; of dc3 nobody knows when it came.
    assert journal.latencies() == {DC2: (timedelta(seconds=3),)}


def test_a_clock_that_runs_ahead_measures_nothing_less_than_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    arrivals = Arrivals(HUB1, LEAF, journal)
    arrivals.see(a_view(a_replica(DC2)), NOON)

    arrivals.see(a_view(a_replica(DC2, LEAF, published_at=NOON + minutes(1))), NOON)

    assert journal.latencies() == {DC2: (timedelta(0),)}
