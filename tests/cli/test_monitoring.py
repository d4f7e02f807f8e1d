"""`mailtrust monitoring`: what comes with the package for Prometheus and Grafana."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cli.desk import Desk
from tests.programs import needs


def test_it_says_where_the_files_are(desk: Desk) -> None:
    ran = desk.must("monitoring")
    found = desk.must("monitoring", "--json").json["files"]

    assert all(file in ran.out and Path(file).is_file() for file in found.values())
    assert set(found) == {"rules", "dashboard"}


def test_it_says_so_in_chinese(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")

    assert "告警规则" in desk.must("monitoring").out


def test_it_needs_no_configuration(desk: Desk) -> None:
    """It is typed on the monitoring host, where there is none."""
    (desk.folder / "mailtrust.toml").unlink()

    assert desk.must("monitoring", "rules").out.startswith("# Alert rules")
    assert json.loads(desk.must("monitoring", "dashboard").out)["uid"] == "mailtrust"


@needs("promtool")
def test_rules_lead_to_the_dashboard_that_is_named(desk: Desk) -> None:
    file = desk.folder / "mailtrust.rules.yml"

    ran = desk.must("monitoring", "rules", "--link", "https://mon1.example.test/mailtrust/", "--output", file)

    assert ran.out == ""
    subprocess.run(["promtool", "check", "rules", file], check=True, capture_output=True)
    rules = [rule for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]
    links = {rule["annotations"]["runbook_url"] for rule in rules if "alert" in rule}
    assert "https://mon1.example.test/mailtrust/events/12012" in links
    assert all(one.startswith("https://mon1.example.test/mailtrust/events/") for one in links)


def test_json_has_the_text(desk: Desk) -> None:
    ran = desk.must("monitoring", "rules", "--json")

    assert ran.json["schema"] == "mailtrust.monitoring/1"
    assert ran.json["text"] == desk.must("monitoring", "rules").out


@pytest.mark.parametrize("link", ["mon1", "ftp://mon1", 'https://mon1/"', "https://mon1/ # x", "https://"])
def test_a_link_that_leads_nowhere_is_refused(desk: Desk, link: str) -> None:
    ran = desk.type("monitoring", "rules", "--link", link)

    assert (ran.code, ran.out) == (1, "")
    assert "is no address of a dashboard" in ran.err


def test_what_to_write_has_to_be_said(desk: Desk) -> None:
    ran = desk.type("monitoring", "--output", desk.folder / "file")

    assert ran.code == 2
    assert "rules or dashboard" in ran.err
