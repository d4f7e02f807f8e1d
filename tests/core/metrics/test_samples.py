"""What a time series database is told of rotations, queues, findings and sessions."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

from mailtrust.core.events import catalog
from mailtrust.core.metrics import table
from mailtrust.core.metrics.facts import Known, Local
from mailtrust.core.metrics.samples import samples
from mailtrust.core.metrics.table import METRICS, UNSEEN
from mailtrust.core.model.event import Diagnosis, Finding, Said
from mailtrust.core.model.plan import Gate, Obstacle, Phase, Plan, Rotation
from mailtrust.core.model.sighting import History, Intent, Slot
from mailtrust.core.sessions import Reason, Way
from mailtrust.core.why.stuck import Waiting
from tests.core.metrics.seen import FAILING, NEXT, WELL, known, series, shown
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
    installed,
    minutes,
)


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
