"""
What is known, as Prometheus reads it; nothing is looked at here.

It needs nothing that the dashboard is made with: `mailtrust check --format prometheus` writes the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

import mailtrust
from mailtrust.core.metrics.carried import Before, Samples, carried, is_blind
from mailtrust.core.metrics.facts import Known
from mailtrust.core.metrics.samples import samples
from mailtrust.core.metrics.table import Kind, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of Prometheus' text format, which everything that scrapes understands."""


def exposition(known: Sequence[Known], *, succeeded: bool = True, before: bytes = b"") -> bytes:
    """
    Every metric of the table with its samples; also where nobody has looked yet.

    *succeeded* is False where a later look came to nothing, so that what is known is of an earlier one.
    *before* is what was given last: servers that stand in it are not forgotten while no replica can be read.
    """
    found = samples(known, mailtrust.__version__, succeeded=succeeded)
    if before and is_blind(found):
        found = carried(found, _read(before))
    registry = CollectorRegistry()
    registry.register(_Families(found))
    return generate_latest(registry)


class _Families:
    """As the registry collects them."""

    def __init__(self, found: Samples) -> None:
        self._found = found

    def collect(self) -> Iterable[Family]:
        """One for each metric."""
        for metric, held in self._found.items():
            family = _family(metric)
            for labels, value in held:
                family.add_metric(labels, value)
            yield family


def _read(before: bytes) -> Before:
    held: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    # Somebody else may have written the file; then there is nothing to remember.
    with suppress(ValueError):
        for family in text_string_to_metric_families(before.decode()):
            for one in family.samples:
                held.setdefault(one.name, []).append((one.labels, one.value))
    return held


def _family(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
    about = metric.about.replace("`", "")
    if metric.kind is Kind.COUNTER:
        return CounterMetricFamily(metric.name.removesuffix("_total"), about, labels=metric.labels)
    return GaugeMetricFamily(metric.name, about, labels=metric.labels)
