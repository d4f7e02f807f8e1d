"""What a time series database is told of what was seen, and of what could not be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mailtrust.core.checks import diagnose, verdict
from mailtrust.core.events import catalog
from mailtrust.core.metrics import table
from mailtrust.core.metrics.carried import carried, is_blind
from mailtrust.core.metrics.facts import Known, Local
from mailtrust.core.metrics.samples import samples
from mailtrust.core.metrics.table import AGREES, DIFFERS, METRICS, UNSEEN, Metric
from mailtrust.core.model.event import Diagnosis, Finding, Said
from mailtrust.core.model.plan import Gate, Obstacle, Phase, Plan, Rotation
from mailtrust.core.model.sighting import History, Intent, Sighting, Slot, SnapshotSighting, View
from mailtrust.core.policy import Policy
from mailtrust.core.sessions import Reason, Way
from mailtrust.core.why.stuck import Waiting
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
    a_view,
    a_wire,
    an_unread_replica,
    an_unread_store,
    days,
    installed,
    minutes,
)

OLD, NEW, NEXT = (a_certificate(key=key) for key in ("old", "new", "next"))
WELL = (
    a_store(installed(OLD, Slot.CURRENT), installed(NEXT, Slot.NEXT)),
    a_wire(OLD),
    a_replica(DC1, OLD, NEXT),
    a_replica(DC2, OLD, NEXT),
)
AGREEMENTS = tuple(metric for metric in METRICS if metric.unit is table.Unit.AGREEMENT)

Shown = Mapping[tuple[str, ...], float]


def known(*looks: Sighting, view: View | None = None, **more: Any) -> Known:
    """What check would make of these looks, seen from HUB1."""
    seen = view or a_view(*looks)
    scope = more.pop("scope", seen.servers())
    plans = more.pop("plans", {})
    policy = more.pop("policy", Policy())
    found = more.pop("diagnosis", None) or diagnose(seen, plans, policy, NOON, scope, HUB1)
    judged = verdict(found, seen, scope)
    return Known(NOON, more.pop("viewpoint", HUB1), scope, seen, plans, found, judged, policy, **more)


def shown(metric: Metric, *looked: Known) -> Shown:
    return dict(samples(looked, "1.0")[metric])


def agreements(*looks: Sighting) -> dict[str, set[float]]:
    """The values of each agreement that has a series."""
    found = samples([known(*looks)], "1.0")
    return {metric.name: {value for _, value in found[metric]} for metric in AGREEMENTS if found[metric]}


def series(looked: Iterable[Known]) -> set[tuple[str, tuple[str, ...]]]:
    """Every series, those of single findings aside: these come and go."""
    found = samples(tuple(looked), "1.0")
    return {
        (metric.name, labels)
        for metric in METRICS
        if metric is not table.FINDING
        for labels, _ in found[metric]
    }


def test_every_copy_of_a_healthy_server_agrees() -> None:
    found = agreements(*WELL)

    assert set(found) == {metric.name for metric in AGREEMENTS}
    assert all(values == {AGREES} for values in found.values())


FAILING: Mapping[str, tuple[Sighting, ...]] = {
    "a replica is down": (*WELL[:3], an_unread_replica(DC2)),
    "home is down": (WELL[0], WELL[1], an_unread_replica(DC1), WELL[3]),
    "the listener is down": (WELL[0], a_dead_wire(), *WELL[2:]),
    "the store cannot be read": (an_unread_store(), *WELL[1:]),
    "it has no certificate": (a_store(), a_wire(), a_replica(DC1), a_replica(DC2)),
    "nothing can be seen": (
        an_unread_store(), a_dead_wire(), an_unread_replica(DC1), an_unread_replica(DC2),
    ),
}  # fmt: skip


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


def phases(looked: Known) -> list[str]:
    return [phase for (_, phase), value in shown(table.ROTATION_PHASE, looked).items() if value == 1]


def test_a_rotation_is_in_exactly_one_phase() -> None:
    rotation = Rotation(HUB1, NEXT.fingerprint)
    waits = Obstacle(Said("obstacle.too-recent"), DC2, Gate.TIME)
    intent = Intent(rotation, "start", NOON - minutes(5))
    view = a_view(*WELL, history=History(intent=intent))
    looked = known(view=view, plans={HUB1: Plan(rotation, Phase.SPREAD, obstacles=(waits,))})

    assert phases(looked) == ["spread"]
    assert shown(table.ROTATION_OBSTACLES, looked) == {
        (HUB1, "policy"): 0, (HUB1, "invariant"): 0, (HUB1, "evidence"): 0, (HUB1, "time"): 1,
    }  # fmt: skip
    assert shown(table.ROTATION_ASKED, looked) == {(HUB1,): (NOON - minutes(5)).timestamp()}


def test_a_rotation_that_cannot_be_seen_is_not_done() -> None:
    unread = known(*FAILING["the store cannot be read"])

    assert phases(known(*WELL)) == ["done"]
    assert phases(unread) == ["unknown"]
    assert all(math.isnan(value) for value in shown(table.ROTATION_OBSTACLES, unread).values())


def test_somebody_elses_rotation_is_not_ours() -> None:
    intent = Intent(Rotation(HUB2, NEXT.fingerprint), "start", NOON)
    looked = known(view=a_view(*WELL, history=History(intent=intent)))

    assert math.isnan(shown(table.ROTATION_ASKED, looked)[HUB1,])


def test_what_waits_is_counted_once_for_each_reason() -> None:
    refused = "454 4.7.1 1036 not trusted"
    queue = (
        Waiting("A", "hub2:25", ("b.test",), NOON - minutes(9), answer=refused),
        Waiting("A", "hub2:25", ("c.test",), NOON - minutes(9), answer=refused),
        Waiting("A", "hub3:25", ("d.test",), NOON - minutes(3), words="connection refused"),
        Waiting("B", "hub2:25", ("b.test",), NOON - minutes(1)),
    )
    looked = known(*WELL, local=Local(has_queue=True, queue=queue))

    told = shown(table.QUEUE, looked)
    assert {reason: count for (_, reason), count in told.items() if count} == {
        "they-refuse": 1, "nobody": 1, "untried": 1,
    }  # fmt: skip
    assert shown(table.QUEUE_OLDEST, looked) == {(HUB1,): (NOON - minutes(9)).timestamp()}
    assert shown(table.QUEUE_READABLE, looked) == {(HUB1,): 1}


def test_a_queue_that_cannot_be_read_is_not_empty() -> None:
    unread = known(*WELL, local=Local(has_queue=True, queue=None))
    empty = known(*WELL, local=Local(has_queue=True))

    assert series([unread]) == series([empty])
    assert shown(table.QUEUE_READABLE, unread) == {(HUB1,): 0}
    assert all(math.isnan(value) for value in shown(table.QUEUE, unread).values())
    assert set(shown(table.QUEUE, empty).values()) == {0}
    assert math.isnan(shown(table.QUEUE_OLDEST, empty)[HUB1,])
    assert shown(table.QUEUE, known(*WELL)) == {}


def test_handshakes_and_what_was_met_have_a_series_before_they_happen() -> None:
    local = Local(handshakes={(Way.FROM, Reason.PUBLISHED): 7}, raised={1036: 2})
    looked, blind = known(*WELL, local=local), known(*WELL, local=Local(handshakes=None, raised=None))

    met = shown(table.HANDSHAKES, looked)
    assert (met[HUB1, "from", "published"], met[HUB1, "to", "unknown-key"]) == (7, 0)
    raised = shown(table.RAISED, looked)
    assert (raised[HUB1, "1036"], raised[HUB1, "2018"]) == (2, 0)
    assert all(math.isnan(value) for value in shown(table.HANDSHAKES, blind).values())
    assert all(math.isnan(value) for value in shown(table.RAISED, blind).values())


def test_every_event_is_counted_also_where_it_does_not_hold() -> None:
    looked = known(a_store(), a_replica(DC1))

    counts = shown(table.FINDINGS, looked)
    assert {code for code, _ in counts} == {str(event.code) for event in catalog.CATALOG}
    assert counts["12012", "error"] == 1
    assert counts["12102", "warning"] == 0
    assert shown(table.FINDING, looked) == {(HUB1, "12012", "error", DC1, "no-certificate"): 1}


def test_a_finding_that_nobody_could_close_is_not_gone() -> None:
    """Home went down, and with it what was wrong there: silence is not health."""
    opened = Finding(catalog.CERTIFICATE_MISSING, HUB1, DC1, "overdue")
    milder = Finding(catalog.KEY_SHARED, HUB2)
    looked = known(*FAILING["home is down"], local=Local(still_open=(opened, milder)))

    told = shown(table.FINDING, looked)
    assert told[HUB1, "12012", "error", DC1, "overdue"] == UNSEEN
    assert told[HUB1, "12103", "warning", DC1, ""] == 1
    # HUB2 was not looked at: nothing is said of it.
    assert not any(server == HUB2 for server, *_ in told)


def test_what_is_set_aside_is_counted_apart() -> None:
    finding = Finding(catalog.NO_SUCCESSOR, HUB1)
    looked = known(*WELL, acknowledged=(finding,))

    assert shown(table.SET_ASIDE, looked) == {("acknowledged",): 1, ("explained",): 0}


def test_a_milder_finding_is_counted_by_its_own_severity() -> None:
    far = Finding(catalog.REPLICA_UNREADABLE, HUB1, DC3, severity_here=catalog.NO_SUCCESSOR.severity)
    looked = known(*WELL, diagnosis=Diagnosis((far,)))

    counts = shown(table.FINDINGS, looked)
    assert (counts["12103", "information"], counts["12103", "warning"]) == (1, 0)


def test_a_server_that_is_seen_twice_counts_as_it_sees_itself() -> None:
    """Else one series would be there twice, and Prometheus refuses all of them."""
    leaf = a_certificate(HUB2, key="elsewhere")
    outside = (a_wire(leaf, server=HUB2), a_replica(DC1, leaf, server=HUB2))
    inside = (a_store(installed(leaf, Slot.CURRENT), server=HUB2), *outside)
    fleet, own = known(*WELL, *outside), known(*inside, viewpoint=HUB2)

    for both in ((fleet, own), (own, fleet)):
        found = samples(both, "1.0")
        for metric in METRICS:
            labels = [one for one, _ in found[metric]]
            assert len(labels) == len(set(labels)), metric.name
        assert (HUB2, str(ENDPOINT)) in dict(found[table.PRESENTED_CURRENT])


def test_before_anybody_looked_there_is_the_release_and_nothing_wrong_is_said() -> None:
    found = samples((), "1.0", succeeded=False)

    assert found[table.BUILD] == [(("1.0",), 1.0)]
    assert found[table.LOOKED] == [((), 0.0)]
    assert found[table.LAST_LOOK] == []


def carry(looked: Known, *before: tuple[Metric, dict[str, str], float]) -> dict[Metric, Shown]:
    given: dict[str, list[tuple[dict[str, str], float]]] = {}
    for metric, labels, value in before:
        given.setdefault(metric.name, []).append((labels, value))
    found = carried(samples([looked], "1.0"), given)
    return {metric: dict(held) for metric, held in found.items()}


def test_servers_are_not_forgotten_while_no_replica_can_be_read() -> None:
    """Who there is stands in the directory: the others are not gone, only unseen."""
    blind = known(*FAILING["nothing can be seen"])
    there, at = {"server": HUB2}, {"server": HUB2, "replica": DC1}
    about = {**there, "event": "12012", "severity": "error", "place": DC1, "cause": ""}

    found = carry(
        blind,
        (table.LAST_LOOK, there, 7.0), (table.LAST_LOOK, {"server": HUB1}, 7.0),
        (table.INSTALLED_PUBLISHED, there, 1.0), (table.PUBLISHED_REPLICA, at, 0.0),
        (table.REPLICA_LAG, at, 5.0),
        (table.FINDING, about, 1.0), (table.QUEUE_READABLE, there, 1.0),
    )  # fmt: skip

    assert found[table.LAST_LOOK] == {(HUB1,): NOON.timestamp(), (HUB2,): 7.0}
    assert found[table.INSTALLED_PUBLISHED] == {(HUB1,): UNSEEN, (HUB2,): UNSEEN}
    assert found[table.PUBLISHED_REPLICA][HUB2, DC1] == UNSEEN
    assert math.isnan(found[table.REPLICA_LAG][HUB2, DC1])
    assert found[table.FINDING][HUB2, "12012", "error", DC1, ""] == UNSEEN
    assert found[table.QUEUE_READABLE] == {}


def test_a_server_is_gone_when_a_replica_that_can_be_read_does_not_know_it() -> None:
    assert not is_blind(samples([known(*FAILING["home is down"])], "1.0"))
    assert is_blind(samples([known(*FAILING["nothing can be seen"])], "1.0"))
    assert not is_blind(samples((), "1.0"))


def test_measured_arrivals_are_told_by_replica() -> None:
    looked = known(*WELL, local=Local(arrivals={DC2: timedelta(seconds=42)}))

    took = shown(table.REPLICA_MEASURED, looked)
    assert took[DC2,] == 42
    assert math.isnan(took[DC1,])


def test_the_verdict_is_one_state_of_all() -> None:
    looked = known(*FAILING["home is down"])

    assert [state for (_, state), value in shown(table.VERDICT, looked).items() if value] == ["unknown"]
    assert shown(table.SERVERS, looked) == {(HUB1,): 1}
    assert shown(table.LAST_LOOK, replace(looked, checked_at=NOON + minutes(1))) == {
        (HUB1,): (NOON + minutes(1)).timestamp()
    }
    assert shown(table.LATENCY_LIMIT, looked) == {(HUB1,): 900}


def test_every_metric_of_the_table_is_named_by_the_rules_of_prometheus() -> None:
    names = [metric.name for metric in METRICS]

    assert len(names) == len(set(names))
    for metric in METRICS:
        assert metric.name.startswith("mailtrust_")
        assert metric.name.endswith("_total") == (metric.kind is table.Kind.COUNTER)
        assert metric.name.endswith("_timestamp_seconds") == (metric.unit is table.Unit.MOMENT)
        assert metric.about.endswith(".")
