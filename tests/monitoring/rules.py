"""The alert rules that are shipped, and Prometheus' own tool to try them with."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

ALERTS = Path(str(files("mailtrust") / "monitoring" / "alerts.yml"))
Series = Mapping[str, str]
"""By series its values, minute by minute: ``0+60x10`` is 0, 60, …, and ``1x10`` ten times 1."""


@dataclass(frozen=True)
class Alert:
    """One rule."""

    name: str
    expr: str
    wait_minutes: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


def alerts() -> tuple[Alert, ...]:
    """All of them."""
    rules = [rule for group in groups() for rule in group["rules"] if "alert" in rule]
    return tuple(
        Alert(one["alert"], one["expr"], _minutes(one.get("for", "0m")), one["labels"], one["annotations"])
        for one in rules
    )


def groups() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    return found


def expected(
    alert: Alert, series: Series, minute: int, labels: Mapping[str, str] | None = None
) -> Mapping[str, Any]:
    """
    A test of promtool's: at that minute the alert fires once, with its own labels, these, and its annotations
    filled in by them; without *labels* it does not fire.
    """
    alerts_then = []
    if labels is not None:
        filled = {key: _filled(text, labels) for key, text in alert.annotations.items()}
        alerts_then = [{"exp_labels": {**labels, **alert.labels}, "exp_annotations": filled}]
    asked = {"eval_time": f"{minute}m", "alertname": alert.name, "exp_alerts": alerts_then}
    return {"interval": "1m", "input_series": _inputs(series), "alert_rule_test": [asked]}


def firing(folder: Path, series: Series, minute: int) -> list[dict[str, str]]:
    """The labels of every alert that fires at that minute; asked of promtool by expecting none."""
    asked = {
        "interval": "1m",
        "input_series": _inputs(series),
        "promql_expr_test": [
            {"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{minute}m", "exp_samples": []}
        ],
    }
    said = complaints(folder, [asked])
    got = re.search(r"got:\s*(.*)$", said, re.DOTALL)
    assert got is not None or said == "", said
    return [
        dict(re.findall(r'(\w+)="([^"]*)"', one)) for one in re.findall(r"\{([^}]*)\}", got[1] if got else "")
    ]


def complaints(folder: Path, tests: Sequence[Mapping[str, Any]]) -> str:
    """What promtool says against them, in one run; empty where all of them hold."""
    # JSON is YAML, too.
    file = folder / "tests.yml"
    file.write_text(json.dumps({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": tests}))
    ran = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr


def _inputs(series: Series) -> list[Mapping[str, str]]:
    return [{"series": name, "values": " ".join(_values(text))} for name, text in series.items()]


def _values(text: str) -> Iterator[str]:
    """Every value by itself: older promtools know fewer abbreviations."""
    for word in text.split():
        found = re.fullmatch(r"(_|NaN|-?[\d.e+]+?)(?:\+(\d+))?x(\d+)", word)
        if found is None:
            yield word
            continue
        first, step, times = found[1], int(found[2] or 0), int(found[3])
        yield from (str(float(first) + step * number) if step else first for number in range(times))


def _filled(text: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels.get(found[1], ""), text)


def _minutes(length: str) -> int:
    return int(length[:-1]) * {"m": 1, "h": 60, "d": 1440}[length[-1]]


def of_text(exposition: Iterable[tuple[str, Mapping[str, str], float]], minutes: int) -> Series:
    """Samples as they were scraped, unchanged for so long."""
    return {
        f"{name}{{{','.join(f'{key}={json.dumps(value)}' for key, value in labels.items())}}}": (
            f"{'NaN' if value != value else repr(value)}x{minutes}"
        )
        for name, labels, value in exposition
    }
