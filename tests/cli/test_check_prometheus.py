"""`check --format prometheus`: what node_exporter picks up, as Prometheus' own tool reads it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from prometheus_client.parser import text_string_to_metric_families

from mailtrust.core.metrics.table import METRICS
from tests.cli.desk import HUB1, Desk
from tests.make import an_x509
from tests.programs import needs

EVERY = ("check", "--format", "prometheus")


def value(text: str, name: str, **labels: str) -> list[float]:
    """The samples of that name that have these labels."""
    return [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


def names(text: str) -> set[str]:
    return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))


def judged_by_prometheus(text: str) -> str:
    ran = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    return ran.stdout + ran.stderr


@needs("promtool")
def test_prometheus_has_nothing_to_say_against_it(desk: Desk) -> None:
    desk.enabled()

    ran = desk.type(*EVERY)

    assert judged_by_prometheus(ran.out) == ""
    assert names(ran.out) == {metric.name for metric in METRICS}


def test_the_exit_code_is_still_the_verdict(desk: Desk) -> None:
    desk.made()
    bad = desk.type(*EVERY)
    desk.must("fix", "--yes")
    desk.must("directory", "replicate", "--once")
    well = desk.type(*EVERY)

    assert (bad.code, well.code) == (2, 0)
    assert value(bad.out, "mailtrust_finding", event="12012") == [1]
    assert value(well.out, "mailtrust_finding", event="12012") == []
    assert value(bad.out, "mailtrust_agreement_installed_published_home", server=HUB1) == [0]
    assert value(well.out, "mailtrust_agreement_installed_published_home", server=HUB1) == [1]


def test_a_damaged_replica_keeps_its_series(desk: Desk) -> None:
    desk.enabled()
    before = desk.type(*EVERY).out
    desk.damage("dc3")

    after = desk.type(*EVERY).out

    name, labels = "mailtrust_agreement_published_replica", {"replica": desk.url("dc3")}
    assert (value(before, name, **labels), value(after, name, **labels)) == ([1], [-1])
    assert value(after, "mailtrust_replica_readable", **labels) == [0]


def test_what_was_wrong_where_nobody_can_look_any_more_is_still_said(desk: Desk) -> None:
    """12012 is open, and then home goes down: its series must not end as if it were mended."""
    desk.made()
    desk.type("check")
    desk.damage("dc2")

    after = desk.type(*EVERY).out

    assert value(after, "mailtrust_finding", event="12012", place=desk.url("dc2")) == [-1]
    assert value(after, "mailtrust_verdict", verdict="unknown") == [1]


def test_an_acknowledged_finding_is_counted_apart(desk: Desk) -> None:
    desk.made()
    desk.type("check")
    desk.must("check", "--ack", "12012", "--until", "2h", "--reason", "it is being rebuilt")

    ran = desk.type(*EVERY)

    assert value(ran.out, "mailtrust_finding", event="12012") == []
    assert value(ran.out, "mailtrust_findings_set_aside", how="acknowledged") == [1]


def test_a_file_is_replaced_at_one_stroke_and_the_line_of_a_plugin_is_said(desk: Desk) -> None:
    desk.enabled()
    file = desk.folder / "collected" / "mailtrust.prom"
    file.parent.mkdir()
    file.write_text("half a file")

    ran = desk.must(*EVERY, "--output", file)

    assert ran.out.startswith("MAILTRUST OK - ")
    assert names(file.read_text()) == {metric.name for metric in METRICS}
    assert (file.stat().st_mode & 0o777, list(file.parent.iterdir())) == (0o644, [file])


def test_a_fleet_is_not_forgotten_while_no_replica_can_be_read(desk: Desk) -> None:
    desk.enabled()
    (desk.folder / "hub2.pem").write_bytes(an_x509("hub2.example.test").public_bytes(Encoding.DER))
    desk.must("directory", "put", "hub2.example.test", desk.folder / "hub2.pem", "--yes")
    desk.must("directory", "replicate", "--once")
    file = desk.folder / "mailtrust.prom"
    desk.type(*EVERY, "--all", "--output", file)
    before = file.read_text()
    for name in ("dc1", "dc2", "dc3"):
        desk.damage(name)

    for _ in range(2):
        desk.type(*EVERY, "--all", "--output", file)

    metric, labels = "mailtrust_agreement_published_replica", {"server": "hub2.example.test"}
    assert value(before, metric, **labels) == [1, 1, 1]
    assert value(file.read_text(), metric, **labels) == [-1, -1, -1]
    assert judged_by_prometheus(file.read_text()) == ""


def test_what_somebody_else_wrote_there_is_replaced(desk: Desk) -> None:
    desk.enabled()
    file = desk.folder / "mailtrust.prom"
    file.write_bytes(b"\xff{{{ no metrics")
    for name in ("dc1", "dc2", "dc3"):
        desk.damage(name)

    ran = desk.type(*EVERY, "--output", file)

    assert ran.code == 3
    assert names(file.read_text()) == {metric.name for metric in METRICS}


def test_a_folder_that_is_not_there_is_unknown(desk: Desk) -> None:
    desk.enabled()

    ran = desk.type(*EVERY, "--output", desk.folder / "nowhere" / "mailtrust.prom")

    assert ran.code == 3
    assert "nowhere/mailtrust.prom cannot be written" in ran.out
    assert "the folder exists" in ran.err


def test_what_cannot_be_looked_at_says_nothing_into_a_pipe(desk: Desk) -> None:
    (desk.folder / "mailtrust.toml").write_text("nonsense = 1\n")

    piped, plugin = desk.type(*EVERY), desk.type(*EVERY, "--output", "mailtrust.prom")

    assert (piped.code, piped.out) == (3, "")
    assert plugin.out.startswith("MAILTRUST UNKNOWN - ")


def test_formats_that_exclude_each_other_are_wrong_syntax(desk: Desk, tmp_path: Path) -> None:
    both, without = desk.type(*EVERY, "--json"), desk.type("check", "--output", tmp_path / "file")

    assert "--json and --format exclude each other" in both.said
    assert "--output belongs to --format prometheus" in without.said
    assert (both.code, without.code) == (3, 3)


def test_json_may_be_asked_for_in_both_ways(desk: Desk) -> None:
    desk.enabled()

    assert desk.type("check", "--format", "json").json["schema"] == "mailtrust.check/1"


def test_the_queue_of_a_hub_is_counted(desk: Desk) -> None:
    desk.configure(more='[transport]\nkind = "hub"\n')
    desk.enabled()

    text = desk.type(*EVERY).out

    assert value(text, "mailtrust_queue_readable", server=HUB1) == [1]
    assert set(value(text, "mailtrust_queue_messages", server=HUB1)) == {0}


def test_a_queue_that_cannot_be_read_is_not_empty(desk: Desk) -> None:
    desk.configure(more='[transport]\nkind = "hub"\n')
    desk.enabled()
    (desk.folder / "store" / "queue").mkdir()
    (desk.folder / "store" / "queue" / "queue.db").write_text("not a database any more" * 99)

    text = desk.type(*EVERY).out

    assert value(text, "mailtrust_queue_readable", server=HUB1) == [0]
    assert 0 not in value(text, "mailtrust_queue_messages", server=HUB1)


def test_sessions_of_today_are_counted_by_verdict(desk: Desk) -> None:
    from mailtrust import clock
    from mailtrust.agent.journal import Journal
    from mailtrust.core.events import catalog
    from mailtrust.core.model.server import ServerName
    from mailtrust.core.sessions import Count, Met, Reason, Way
    from mailtrust.transports.base import Raised

    desk.enabled()
    now = clock.now()
    journal = Journal(desk.folder / "store")
    journal.count_sessions([Count(Met("192.0.2.7", Way.FROM, Reason.UNKNOWN_KEY), 3, now, now)])
    journal.record_raised(Raised(catalog.PEER_NOT_TRUSTED_INBOUND, ServerName(HUB1), "192.0.2.7", {}), now)

    text = desk.type(*EVERY).out

    assert value(text, "mailtrust_handshakes_total", way="from", verdict="unknown-key") == [3]
    assert value(text, "mailtrust_handshakes_total", way="to", verdict="published") == [0]
    assert value(text, "mailtrust_raised_total", event="1036") == [1]


def test_a_journal_that_cannot_be_read_hides_nothing_else(desk: Desk) -> None:
    desk.enabled()
    journal = desk.folder / "store" / "journal.db"
    journal.unlink()
    journal.mkdir()

    text = desk.type(*EVERY).out

    assert 0 not in value(text, "mailtrust_handshakes_total")
    assert value(text, "mailtrust_agreement_installed_published_home") == [1]
