"""Servers as they were seen, well and failing, and the series that are made of that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mailtrust.core.checks import diagnose, verdict
from mailtrust.core.metrics import table
from mailtrust.core.metrics.facts import Known
from mailtrust.core.metrics.samples import samples
from mailtrust.core.metrics.table import METRICS, Metric
from mailtrust.core.model.sighting import Sighting, Slot, View
from mailtrust.core.policy import Policy
from tests.make import (
    DC1,
    DC2,
    HUB1,
    NOON,
    a_certificate,
    a_dead_wire,
    a_replica,
    a_store,
    a_view,
    a_wire,
    an_unread_replica,
    an_unread_store,
    installed,
)

OLD, NEW, NEXT = (a_certificate(key=key) for key in ("old", "new", "next"))
WELL = (
    a_store(installed(OLD, Slot.CURRENT), installed(NEXT, Slot.NEXT)),
    a_wire(OLD),
    a_replica(DC1, OLD, NEXT),
    a_replica(DC2, OLD, NEXT),
)
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


def series(looked: Iterable[Known]) -> set[tuple[str, tuple[str, ...]]]:
    """Every series, those of single findings aside: these come and go."""
    found = samples(tuple(looked), "1.0")
    return {
        (metric.name, labels)
        for metric in METRICS
        if metric is not table.FINDING
        for labels, _ in found[metric]
    }
