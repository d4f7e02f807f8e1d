"""What a time series database is told of the copies: whether they agree, how late they are, when they end."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mailtrust.core.metrics import table
from mailtrust.core.metrics.samples import samples
from mailtrust.core.metrics.table import AGREES, DIFFERS, METRICS, UNSEEN
from mailtrust.core.model.sighting import Sighting, Slot, SnapshotSighting
from tests.core.metrics.seen import FAILING, NEW, OLD, WELL, known, series, shown
from tests.make import (
    DC1,
    DC2,
    DC3,
    ENDPOINT,
    HUB1,
    HUB2,
    NOON,
    a_certificate,
    a_dead_wire,
    a_replica,
    a_store,
    a_wire,
    an_unread_replica,
    days,
    installed,
)

AGREEMENTS = tuple(metric for metric in METRICS if metric.unit is table.Unit.AGREEMENT)


def agreements(*looks: Sighting) -> dict[str, set[float]]:
    """The values of each agreement that has a series."""
    found = samples([known(*looks)], "1.0")
    return {metric.name: {value for _, value in found[metric]} for metric in AGREEMENTS if found[metric]}


def test_every_copy_of_a_healthy_server_agrees() -> None:
    found = agreements(*WELL)

    assert set(found) == {metric.name for metric in AGREEMENTS}
    assert all(values == {AGREES} for values in found.values())


@pytest.mark.parametrize("case", FAILING)
def test_no_series_goes_missing_when_it_fails(case: str) -> None:
    assert series([known(*FAILING[case])]) == series([known(*WELL)])


def test_what_could_not_be_looked_at_never_looks_as_if_it_agreed() -> None:
    nothing_seen = agreements(*FAILING["nothing can be seen"])
    store_unread = agreements(*FAILING["the store cannot be read"])

    assert all(values == {UNSEEN} for values in nothing_seen.values())
    for metric in (
        table.INSTALLED_PUBLISHED,
        table.PRESENTED_CURRENT,
        table.PUBLISHED_INSTALLED,
        table.NEXT_REPLICA,
    ):
        assert store_unread[metric.name] == {UNSEEN}


def test_a_server_without_a_certificate_agrees_nowhere() -> None:
    found = agreements(*FAILING["it has no certificate"])

    assert found.pop(table.REPLICA_HOME.name) == {AGREES}
    assert all(values == {DIFFERS} for values in found.values())


def test_a_replica_that_is_down_is_told_apart_from_one_that_lacks_it() -> None:
    looked = known(WELL[0], WELL[1], WELL[2], an_unread_replica(DC2), a_replica(DC3))

    assert shown(table.PUBLISHED_REPLICA, looked) == {
        (HUB1, DC1): AGREES, (HUB1, DC2): UNSEEN, (HUB1, DC3): DIFFERS,
    }  # fmt: skip
    assert shown(table.REPLICA_HOME, looked) == {(HUB1, DC2): UNSEEN, (HUB1, DC3): DIFFERS}
    assert shown(table.REPLICA_READABLE, looked) == {
        (DC1, "yes"): 1, (DC2, "no"): 0, (DC3, "no"): 1,
    }  # fmt: skip
    lags = shown(table.REPLICA_LAG, looked)
    assert (lags[HUB1, DC1], lags[HUB1, DC3]) == (0, days(1).total_seconds())
    assert math.isnan(lags[HUB1, DC2])


def test_the_longest_lag_of_a_replica_counts() -> None:
    older = a_replica(DC1, OLD, published_at=NOON - days(3))
    newer = a_replica(DC2, NEW, published_at=NOON - days(1))
    ahead = a_replica(DC1, OLD, published_at=NOON + days(1))

    lags = shown(table.REPLICA_LAG, known(older, newer, a_replica(DC3)))
    assert lags[HUB1, DC3] == days(3).total_seconds()
    # A clock that runs ahead gives no lag below nothing.
    assert shown(table.REPLICA_LAG, known(ahead, a_replica(DC2)))[HUB1, DC2] == 0


def test_a_certificate_that_was_made_and_not_enabled_is_not_published() -> None:
    made = a_store(installed(OLD, Slot.CURRENT), installed(NEW, arrived_at=NOON))
    looked = known(made, a_wire(NEW), a_replica(DC1, OLD))

    assert shown(table.INSTALLED_PUBLISHED, looked) == {(HUB1,): DIFFERS}
    assert shown(table.PRESENTED_PUBLISHED, looked) == {(HUB1, str(ENDPOINT)): DIFFERS}
    assert shown(table.PRESENTED_CURRENT, looked) == {(HUB1, str(ENDPOINT)): DIFFERS}
    assert shown(table.PUBLISHED_INSTALLED, looked) == {(HUB1,): AGREES}


def test_what_a_server_elsewhere_presents_stands_in_for_what_it_has() -> None:
    leaf = a_certificate(HUB2, key="elsewhere")
    there = (a_wire(leaf, server=HUB2), a_replica(DC1, leaf, server=HUB2))
    looked = known(*WELL, *there)

    assert shown(table.INSTALLED_PUBLISHED, looked)[HUB2,] == AGREES
    assert (HUB2, str(ENDPOINT)) not in shown(table.PRESENTED_CURRENT, looked)


def test_a_server_elsewhere_that_is_down_is_judged_by_what_it_published() -> None:
    leaf = a_certificate(HUB2, key="elsewhere")
    down = a_dead_wire(server=HUB2)
    looked = known(down, a_replica(DC1, leaf, server=HUB2), a_replica(DC2, server=HUB2))

    assert shown(table.INSTALLED_PUBLISHED, looked) == {(HUB2,): UNSEEN}
    assert shown(table.PUBLISHED_REPLICA, looked) == {(HUB2, DC1): AGREES, (HUB2, DC2): DIFFERS}


def test_without_a_home_nobody_knows_what_it_publishes() -> None:
    looked = known(WELL[0], WELL[1], WELL[3])

    assert shown(table.INSTALLED_PUBLISHED, looked) == {(HUB1,): UNSEEN}
    assert shown(table.REPLICA_HOME, looked) == {(HUB1, DC2): UNSEEN}
    assert shown(table.PUBLISHED_INSTALLED, looked) == {(HUB1,): UNSEEN}


def test_the_ends_are_told_by_slot_and_of_several_the_first() -> None:
    sooner = a_certificate(key="sooner", life=days(90))
    looked = known(a_store(installed(OLD, Slot.CURRENT), installed(NEW), installed(sooner)), a_wire(sooner))

    ends = shown(table.NOT_AFTER, looked)
    assert ends[HUB1, "current"] == OLD.not_after.timestamp()
    assert ends[HUB1, "none"] == sooner.not_after.timestamp()
    assert math.isnan(ends[HUB1, "next"])
    assert shown(table.CERTIFICATES, looked)[HUB1, "none"] == 2
    assert shown(table.PRESENTED_NOT_AFTER, looked) == {(HUB1, str(ENDPOINT)): sooner.not_after.timestamp()}


@pytest.mark.parametrize(("taken_at", "told"), [(NOON, NOON.timestamp()), (None, 0.0)])
def test_a_snapshot_that_was_never_taken_is_as_old_as_can_be(taken_at: Any, told: float) -> None:
    looked = known(*WELL, SnapshotSighting(HUB1, "/srv/snapshot", NOON, taken_at, kept=(HUB2,)))

    assert shown(table.SNAPSHOT_TAKEN, looked) == {(HUB1,): told}
    assert shown(table.SNAPSHOT_KEPT, looked) == {(HUB1,): 1}
    assert shown(table.SNAPSHOT_MAX_AGE, looked) == {(HUB1,): 1800}
