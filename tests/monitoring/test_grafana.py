"""The dashboard for Grafana: it is one, and asks for what exists."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from mailtrust.core.metrics.table import METRICS, Unit
from tests.programs import needs

DASHBOARD = json.loads((files("mailtrust") / "monitoring" / "grafana.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
KNOWN = {metric.name: metric for metric in METRICS}


def queries() -> Iterator[tuple[str, str]]:
    """Each panel's title with each of its queries, and those of the variables."""
    for panel in PANELS:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"])
            assert found is not None
            yield variable["name"], f"count by ({found[2]}) ({found[1]})"


def test_it_asks_for_metrics_and_labels_that_exist() -> None:
    for title, expr in queries():
        asked = re.findall(r"(mailtrust_\w+)(?:\{([^}]*)\})?", expr)
        assert asked, title
        labels = {label for metric, _ in asked for label in KNOWN[metric].labels}
        for metric, selectors in asked:
            assert set(re.findall(r"(\w+)=", selectors)) <= set(KNOWN[metric].labels), title
        for grouped in re.findall(r"by \(([^)]*)\)", expr):
            assert set(grouped.split(", ")) <= labels, title


def test_a_legend_names_labels_that_are_left() -> None:
    for panel in PANELS:
        for target in panel.get("targets", ()):
            named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            grouped = re.search(r"by \(([^)]*)\)", target["expr"])
            held = grouped[1].split(", ") if grouped else re.findall(r"(\w+)=~?\"", target["expr"])
            assert named <= set(held), panel["title"]


@needs("promtool")
def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expr.replace("$server", ".*").replace("$__rate_interval", "5m")}
        for number, (_, expr) in enumerate(queries())
    ]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))

    ran = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_whatever_shows_an_agreement_shows_that_nobody_could_look() -> None:
    shown = [
        panel
        for panel in PANELS
        if panel["type"] == "state-timeline"
        for target in panel["targets"]
        if any(KNOWN[name].unit is Unit.AGREEMENT for name in re.findall(r"mailtrust_\w+", target["expr"]))
    ]

    assert len(shown) == 4
    for panel in shown:
        [mapping] = panel["fieldConfig"]["defaults"]["mappings"]
        assert mapping["options"]["-1"]["text"] == "could not look"
        assert mapping["options"]["-1"]["color"] != mapping["options"]["1"]["color"]


def test_its_panels_lie_side_by_side_and_not_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_it_can_be_imported_anywhere() -> None:
    """No data source of somebody's own is named."""
    assert DASHBOARD["uid"] == "mailtrust"
    assert {one["datasource"]["uid"] for panel in PANELS if "datasource" in panel for one in (panel,)} == {
        "${datasource}"
    }
