"""Writes docs/metrics.md from the one table of metrics, core.metrics.table; --check only compares."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from mailtrust.core.metrics.samples import RAISED, UNKNOWN_PHASE
from mailtrust.core.metrics.table import METRICS, Kind, Metric
from mailtrust.core.model.plan import Gate, Phase
from mailtrust.core.model.sighting import Slot
from mailtrust.core.sessions import Reason
from mailtrust.core.why.stuck import Complaint
from tools.generated import DOCS, head, table, write_or_compare

LABELS: Mapping[str, str] = {
    "server": "The server that it is about, as the directory spells it.",
    "viewpoint": "The server from which it was looked.",
    "replica": "A directory server, by its URL in the configuration.",
    "home": "`yes` for the replica that the viewpoint reads, else `no`.",
    "endpoint": "A listener, as HOST:PORT.",
    "slot": "What a certificate of the store is for: {slots}.",
    "phase": "A line of the rotation's checklist: {phases}.",
    "gate": "Who or what ends a wait: {gates}.",
    "reason": "What stands in a message's way: {complaints}.",
    "way": "`from`: a peer called us; `to`: we called it.",
    "verdict": "Of `mailtrust_verdict`: `ok`, `warning`, `unknown`, `error`. Of handshakes: {reasons}.",
    "event": "The number of [an event](events/index.md); `mailtrust_raised_total` has {raised}.",
    "severity": "`error`, `warning` or `information`.",
    "place": "The replica, listener or file that a finding is about; empty where it is about the server.",
    "cause": "The code of its cause; empty where it has none.",
    "how": "`acknowledged` by an operator, or `explained` by another finding.",
    "version": "A release.",
}


def pages() -> Mapping[Path, str]:
    """The page, by its path."""
    words = {
        "slots": _codes(Slot), "phases": _codes((*Phase, UNKNOWN_PHASE)), "gates": _codes(Gate),
        "complaints": _codes(Complaint), "reasons": _codes(Reason),
        "raised": _codes(str(event.code) for event in RAISED),
    }  # fmt: skip
    used = [name for metric in METRICS for name in metric.labels]
    labels = [(f"`{name}`", LABELS[name].format(**words)) for name in dict.fromkeys(used)]
    parts = (
        head("metrics"),
        table(("metric", "labels", "says", "value"), map(_row, METRICS)),
        "\n## Labels\n",
        table(("label", "means"), labels),
        "",
    )
    return {DOCS / "metrics.md": "\n".join(parts)}


def _row(metric: Metric) -> tuple[str, ...]:
    value = metric.unit.value + (", counted since midnight" if metric.kind is Kind.COUNTER else "")
    unknown = f"; `NaN`: {metric.when_unknown}" if metric.when_unknown else ""
    return f"`{metric.name}`", " ".join(f"`{one}`" for one in metric.labels), metric.about, value + unknown


def _codes(words: Iterable[str]) -> str:
    return ", ".join(f"`{one}`" for one in words)


if __name__ == "__main__":
    sys.exit(write_or_compare(pages(), sys.argv[1:]))
