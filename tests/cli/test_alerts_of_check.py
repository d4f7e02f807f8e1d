"""From what is wrong to the alert: what `check` really writes, under the rules that are shipped."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.cli.desk import HUB1, Desk
from tests.monitoring.rules import firing, of_text
from tests.programs import needs

pytestmark = needs("promtool")


def raised(desk: Desk, folder: Path, minutes: int = 12) -> set[tuple[str, str]]:
    """The alerts that fire, each with its event, where what is seen now stays so for *minutes*."""
    text = desk.type("check", "--format", "prometheus").out
    samples = [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
    return {
        (one["alertname"], one["event"])
        for one in firing(folder, of_text(samples, minutes + 1), minutes)
        if one.get("server", HUB1) == HUB1
    }


def test_on_a_healthy_server_nothing_fires(desk: Desk, tmp_path: Path) -> None:
    desk.enabled()

    assert raised(desk, tmp_path) == set()


def test_a_certificate_that_was_never_enabled_is_one_alert(desk: Desk, tmp_path: Path) -> None:
    """One cause, one alert: not another for each of its consequences."""
    desk.made()

    assert raised(desk, tmp_path) == {("MailtrustNotPublished", "12012")}


def test_what_is_acknowledged_fires_no_more(desk: Desk, tmp_path: Path) -> None:
    desk.made()
    desk.type("check")
    desk.must("check", "--ack", "12012", "--until", "2h", "--reason", "it is being rebuilt")

    assert raised(desk, tmp_path) == set()


def test_a_home_that_went_dark_is_not_a_recovery(desk: Desk, tmp_path: Path) -> None:
    desk.made()
    desk.type("check")
    desk.damage("dc2")

    assert raised(desk, tmp_path) == {
        ("MailtrustNotPublished", "12012"),
        ("MailtrustCannotJudge", "12103"),
        ("MailtrustReplicaUnreadable", "12103"),
    }


def test_a_listener_that_is_closed_and_a_replica_that_is_down(desk: Desk, tmp_path: Path) -> None:
    desk.enabled()
    file = desk.folder / "mailtrust.toml"
    file.write_text(file.read_text().replace("listeners = []", 'listeners = ["127.0.0.1:1"]'))
    desk.damage("dc3")

    assert raised(desk, tmp_path) == {
        ("MailtrustServerUnreachable", "12116"), ("MailtrustReplicaUnreadable", "12103"),
    }  # fmt: skip
