"""The shipped alert rules, tried with Prometheus' own tool: each fires, stays silent, and leads somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import mailtrust.core.checks as checks
from mailtrust.cli.program import WORDS, program
from mailtrust.core.events import catalog
from mailtrust.core.metrics import table
from mailtrust.core.metrics.samples import RAISED
from mailtrust.core.metrics.table import METRICS
from mailtrust.core.model.event import Severity
from mailtrust.texts import LANGUAGES
from tests.monitoring.rules import ALERTS, Alert, Series, alerts, complaints, expected, groups
from tests.programs import needs

HUB = 'server="hub1.example.test"'
OWN = {"server": "hub1.example.test"}
ON_A_FINDING = re.compile(r'mailtrust_finding\{event="(\d+)"(?:,severity="(\w+)")?\} != 0')
BY_NAME = {one.name: one for one in alerts()}
WEEK, HOUR = 7 * 86400, 3600


def finding(event: object, severity: str = "error") -> str:
    return f'mailtrust_finding{{{HUB},event="{event}",severity="{severity}",place="dc1",cause="late"}}'


def moment(name: str, more: str = "") -> str:
    return f"{name}{{{HUB}{more}}}"


def waiting(reason: str) -> str:
    return f'mailtrust_queue_messages{{{HUB},reason="{reason}"}}'


def raised(event: int) -> str:
    return f'mailtrust_raised_total{{{HUB},event="{event}"}}'


@dataclass(frozen=True)
class Case:
    """Series with which an alert fires after *minute* minutes, and some with which it does not."""

    fires: Series
    silent: tuple[Series, ...]
    minute: int = 40
    labels: Mapping[str, str] = field(default_factory=lambda: dict(OWN))
    """Those that it takes from its series."""


AGREES, TAKEN, MOST = (
    moment("mailtrust_agreement_installed_published_home"),
    moment("mailtrust_snapshot_taken_timestamp_seconds"),
    moment("mailtrust_snapshot_max_age_seconds"),
)
CURRENT = moment("mailtrust_certificate_not_after_timestamp_seconds", ',slot="current"')
PREVIOUS = moment("mailtrust_certificate_not_after_timestamp_seconds", ',slot="previous"')
SLOT = {**OWN, "slot": "current"}

CASES: Mapping[str, Case] = {
    "MailtrustCertificateExpired": Case(
        {CURRENT: "1800x60"}, ({CURRENT: "7200x60"}, {CURRENT: "NaNx60"}, {PREVIOUS: "1800x60"}), labels=SLOT
    ),
    "MailtrustCertificateEndsInAWeek": Case(
        {CURRENT: f"{WEEK}x60"},
        ({CURRENT: f"{2 * WEEK}x60"}, {CURRENT: "NaNx60"}, {CURRENT: "1800x60"}),
        labels=SLOT,
    ),
    "MailtrustCannotJudge": Case(
        {AGREES: "-1x60", MOST: "1800x60"},
        # 0 is another alert's; and a server seen from outside may be down.
        ({AGREES: "1x60", MOST: "1800x60"}, {AGREES: "0x60", MOST: "1800x60"}, {AGREES: "-1x60"}),
    ),
    "MailtrustSnapshotStale": Case(
        {TAKEN: "0x60", MOST: "1800x60"},
        ({TAKEN: "0+60x60", MOST: "1800x60"}, {TAKEN: "NaNx60", MOST: "1800x60"}),
    ),
    "MailtrustSnapshotNotSaved": Case(
        {raised(12155): "0x20 1x40"}, ({raised(12155): "3x60"}, {raised(12155): "NaNx60"})
    ),
    "MailtrustKeysKept": Case(
        {moment("mailtrust_snapshot_kept_keys"): "2x60"},
        (
            {moment("mailtrust_snapshot_kept_keys"): "0x60"},
            {moment("mailtrust_snapshot_kept_keys"): "NaNx60"},
        ),
    ),
    "MailtrustPeersRefuseUs": Case(
        {waiting("they-refuse"): "3x60"}, ({waiting("they-refuse"): "0x60"}, {waiting("other"): "3x60"})
    ),
    "MailtrustWeRefusePeers": Case(
        {waiting("we-refuse"): "1x60"}, ({waiting("we-refuse"): "NaNx60"}, {waiting("local"): "9x60"})
    ),
    "MailtrustOldViewHoldsMail": Case(
        {waiting("their-view-is-old"): "1x60"}, ({waiting("untried"): "3x60"},)
    ),
    "MailtrustNoTLSHoldsMail": Case({waiting("no-tls"): "1x60"}, ({waiting("no-route"): "3x60"},)),
    "MailtrustNobodyTakesMail": Case({waiting("nobody"): "1x60"}, ({waiting("nobody"): "1x20 0x40"},)),
    "MailtrustStrangersCall": Case(
        {raised(1036): "0x30 1x30"}, ({raised(1036): "7x60"}, {raised(2018): "0x30 1x30"})
    ),
    "MailtrustStrangersAnswer": Case({raised(2018): "0x30 1x30"}, ({raised(2018): "7x60"},)),
    "MailtrustWithdrawnKeyShown": Case(
        {f'mailtrust_handshakes_total{{{HUB},way="from",verdict="withdrawn-key"}}': "0x30 2x30"},
        (
            {f'mailtrust_handshakes_total{{{HUB},way="from",verdict="withdrawn-key"}}': "2x60"},
            {f'mailtrust_handshakes_total{{{HUB},way="from",verdict="published"}}': "0x30 2x30"},
        ),
        labels={**OWN, "way": "from"},
    ),
    "MailtrustLookOld": Case(
        {moment("mailtrust_last_look_timestamp_seconds"): "0x60"},
        ({moment("mailtrust_last_look_timestamp_seconds"): "0+60x60"},),
    ),
    "MailtrustLookFails": Case(
        {'mailtrust_last_look_succeeded{instance="mon1"}': "0x60"},
        ({'mailtrust_last_look_succeeded{instance="mon1"}': "1x60"},),
        labels={"instance": "mon1"},
    ),
    "MailtrustAbsent": Case({}, ({'mailtrust_build_info{version="1"}': "1x60"},), labels={}),
    "MailtrustAgentPartStops": Case({raised(12160): "0+1x60"}, ({raised(12160): "1x60"},)),
    "MailtrustAgentCannotAct": Case({raised(12161): "0+1x60"}, ({raised(12161): "1x60"},)),
    "MailtrustConfigurationRefused": Case({raised(12163): "0x30 1x30"}, ({raised(12163): "1x60"},)),
}


def on_a_finding(alert: Alert) -> tuple[str, str]:
    """The event and the severity of an alert that is about one finding; empty for another."""
    found = ON_A_FINDING.fullmatch(alert.expr)
    return (found[1], found[2] or "error") if found else ("", "")


FINDINGS = [name for name, alert in BY_NAME.items() if on_a_finding(alert) != ("", "")]


@needs("promtool")
def test_prometheus_takes_the_rules() -> None:
    ran = subprocess.run(["promtool", "check", "rules", ALERTS], capture_output=True, text=True, check=False)

    assert (ran.returncode, "SUCCESS" in ran.stdout) == (0, True), ran.stdout + ran.stderr


def test_every_alert_is_tried() -> None:
    assert set(CASES) | set(FINDINGS) == set(BY_NAME)


@needs("promtool")
def test_each_fires_and_says_what_it_is_about(tmp_path: Path) -> None:
    tests = [expected(BY_NAME[name], case.fires, case.minute, case.labels) for name, case in CASES.items()]

    assert complaints(tmp_path, tests) == ""


@needs("promtool")
def test_each_stays_silent(tmp_path: Path) -> None:
    silent = [
        expected(BY_NAME[name], series, case.minute) for name, case in CASES.items() for series in case.silent
    ]

    assert complaints(tmp_path, silent) == ""


@needs("promtool")
def test_each_fires_on_its_finding_also_when_it_cannot_be_seen_any_more(tmp_path: Path) -> None:
    told = {"server": "hub1.example.test", "place": "dc1", "cause": "late"}
    tests = []
    for name in FINDINGS:
        alert, (event, severity) = BY_NAME[name], on_a_finding(BY_NAME[name])
        wait = alert.wait_minutes
        # Half-way the place cannot be looked at any more.
        series = {finding(event, severity): f"1x{wait // 2 + 1} -1x{wait + 3}"}
        tests.append(expected(alert, series, wait + 2, told))

    assert complaints(tmp_path, tests) == ""


@needs("promtool")
def test_each_stays_silent_for_other_findings_and_when_its_own_ends(tmp_path: Path) -> None:
    tests = []
    for name in FINDINGS:
        alert, (event, severity) = BY_NAME[name], on_a_finding(BY_NAME[name])
        wait = alert.wait_minutes
        others = {finding(one.code): f"1x{wait + 9}" for one in catalog.CATALOG if str(one.code) != event}
        gone = {finding(event, severity): f"1x{max(wait - 1, 1)} stale _x{wait + 9}"}
        tests.append(expected(alert, {**others, **gone}, wait + 5))

    assert complaints(tmp_path, tests) == ""


def test_what_was_seen_for_a_moment_pages_nobody() -> None:
    assert [name for name in FINDINGS if BY_NAME[name].wait_minutes < 1] == []


@needs("promtool")
def test_what_is_milder_here_pages_nobody(tmp_path: Path) -> None:
    """A branch that cannot be reached from here is read by its own servers."""
    alert = BY_NAME["MailtrustReplicaUnreadable"]

    assert complaints(tmp_path, [expected(alert, {finding(12103, "information"): "1x60"}, 40)]) == ""


@pytest.mark.parametrize("name", BY_NAME)
def test_it_names_its_event_and_its_first_command(name: str) -> None:
    alert = BY_NAME[name]
    event = alert.labels["event"]

    assert int(event) in catalog.BY_CODE
    assert alert.labels["severity"] in ("critical", "warning", "info")
    assert alert.annotations["explain"] == f"mailtrust explain {event}"
    assert alert.annotations["runbook_url"] == f"http://127.0.0.1:12012/events/{event}"
    assert {"summary", "summary_zh"} == {one for one in alert.annotations if one.startswith("summary")}
    assert len(LANGUAGES) == 2
    assert on_a_finding(alert)[0] in ("", event)


@pytest.mark.parametrize("name", BY_NAME)
def test_its_first_command_can_be_typed(name: str) -> None:
    words = shlex.split(
        BY_NAME[name].annotations["command"].replace("{{ $labels.server }}", "hub1.example.test")
    )
    if words[0] == "systemctl":
        return

    command = program().get_command(None, words[1])  # type: ignore[arg-type]
    assert words[0] == "mailtrust"
    assert words[1] in WORDS
    assert command is not None
    if len(words) > 2 and words[2] in getattr(command, "commands", ()):
        command, words = command.commands[words[2]], words[1:]
    known = {one for parameter in command.params for one in parameter.opts}
    assert {one for one in words if one.startswith("--")} <= known


@pytest.mark.parametrize("name", BY_NAME)
def test_it_asks_for_metrics_and_values_that_exist(name: str) -> None:
    known = {metric.name: metric for metric in METRICS}
    expr = BY_NAME[name].expr
    asked = re.findall(r"(mailtrust_\w+)(?:\{([^}]*)\})?", expr)

    assert asked
    for metric, selectors in asked:
        assert metric in known
        for label, _, value in re.findall(r'(\w+)(=~|=)"([^"]*)"', selectors):
            assert label in known[metric].labels
            assert set(value.split("|")) <= VALUES.get(label, {value}), (label, value)


def _values() -> Mapping[str, set[str]]:
    from mailtrust.core.model.sighting import Slot
    from mailtrust.core.sessions import Reason
    from mailtrust.core.why.stuck import Complaint

    return {
        "event": {str(event.code) for event in catalog.CATALOG},
        "severity": {one.value for one in Severity},
        "reason": {one.value for one in Complaint},
        "verdict": {one.value for one in Reason},
        "slot": {one.value for one in Slot},
    }


VALUES = _values()


def test_whatever_check_may_find_wrong_has_an_alert() -> None:
    """12015 and 12111 have one by their moments, which goes on when nobody looks."""
    told = {int(one.labels["event"]) for one in alerts()}
    source = "".join(file.read_text("utf-8") for file in Path(str(checks.__file__)).parent.glob("*.py"))
    named = {
        getattr(catalog, name)
        for name in re.findall(r"catalog\.([A-Z_]{4,})", source)
        if hasattr(catalog, name)
    }
    events = {
        one.code for one in named if getattr(one, "severity", None) in (Severity.ERROR, Severity.WARNING)
    }

    assert events
    assert events - told == set()


def test_what_a_rule_says_was_met_is_counted() -> None:
    counted = {str(event.code) for event in RAISED}
    asked = {found for one in alerts() for found in re.findall(r'raised_total\{event="(\d+)"', one.expr)}

    assert asked <= counted
    assert table.RAISED.name == "mailtrust_raised_total"


def test_ages_are_recorded_under_names_of_their_own() -> None:
    recorded = {
        rule["record"]: rule["expr"] for group in groups() for rule in group["rules"] if "record" in rule
    }

    assert recorded == {
        "mailtrust:snapshot_age:seconds": "time() - mailtrust_snapshot_taken_timestamp_seconds",
        "mailtrust:last_look_age:seconds": "time() - mailtrust_last_look_timestamp_seconds",
    }
