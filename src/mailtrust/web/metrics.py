"""
What is known, as Prometheus reads it; nothing is looked at here.

It needs nothing that the dashboard is made with: `mailtrust check --format prometheus` writes the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family

import mailtrust
from mailtrust.core.metrics.facts import Known
from mailtrust.core.metrics.samples import samples
from mailtrust.core.metrics.table import Kind, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of Prometheus' text format, which everything that scrapes understands."""


def exposition(known: Sequence[Known], *, succeeded: bool = True) -> bytes:
    """
    Every metric of the table with its samples; also where nobody has looked yet.

    *succeeded* is False where a later look came to nothing, so that what is known is of an earlier one.
    """
    registry = CollectorRegistry()
    registry.register(_Known(known, succeeded=succeeded))
    return generate_latest(registry)


class _Known:
    """As the registry collects from it."""

    def __init__(self, known: Sequence[Known], *, succeeded: bool) -> None:
        self._samples = samples(known, mailtrust.__version__, succeeded=succeeded)

    def collect(self) -> Iterable[Family]:
        """A family for each metric."""
        for metric, held in self._samples.items():
            family = _family(metric)
            for labels, value in held:
                family.add_metric(labels, value)
            yield family


def _family(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
    about = metric.about.replace("`", "")
    if metric.kind is Kind.COUNTER:
        return CounterMetricFamily(metric.name.removesuffix("_total"), about, labels=metric.labels)
    return GaugeMetricFamily(metric.name, about, labels=metric.labels)
