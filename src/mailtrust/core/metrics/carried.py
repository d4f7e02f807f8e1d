"""
Servers of which nothing is known this time, because no replica at all could be read.

Who there is stands in the directory.  While nobody can read it the others are not gone, only unseen: their
series go on, as what could not be looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailtrust.core.metrics import table
from mailtrust.core.metrics.table import UNKNOWN, UNSEEN, Metric, Unit

Samples = Mapping[Metric, list[tuple[tuple[str, ...], float]]]
Before = Mapping[str, Sequence[tuple[Mapping[str, str], float]]]
"""What was given last, by the name of the metric: labels, and value."""

_NUMBERS = (table.REPLICA_LAG, table.PRESENTED_NOT_AFTER)


def is_blind(found: Samples) -> bool:
    """True where replicas were asked and none answered."""
    answers = found[table.REPLICA_READABLE]
    return bool(answers) and not any(value for _, value in answers)


def carried(found: Samples, before: Before) -> Samples:
    """*found*, and of every server that it lacks what was given *before*, as unseen."""
    there = {labels[0] for labels, _ in found[table.LAST_LOOK]}
    return {
        metric: [*held, *_unseen(metric, before.get(metric.name, ()), there)]
        for metric, held in found.items()
    }


def _unseen(
    metric: Metric, before: Sequence[tuple[Mapping[str, str], float]], there: set[str]
) -> list[tuple[tuple[str, ...], float]]:
    if metric is table.LAST_LOOK:
        value = None
    elif metric.unit is Unit.AGREEMENT or metric is table.FINDING:
        value = UNSEEN
    elif metric in _NUMBERS:
        value = UNKNOWN
    else:
        return []
    return [
        (tuple(labels.get(name, "") for name in metric.labels), was if value is None else value)
        for labels, was in before
        if labels.get("server") not in there
    ]
