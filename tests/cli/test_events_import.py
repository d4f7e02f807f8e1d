"""`events import`: the event logs of Exchange servers, explained on one page and as JSON."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.desk import Desk, Ran
from tests.event_logs import (
    FRONT_END,
    MBX1,
    MBX2,
    NOW,
    THUMBPRINT,
    Written,
    document,
    element,
    evtx,
    minutes,
)

REFUSED = ("LogonDenied", "Intra-Organization SMTP Send Connector", "ExchangeAuth", f"SMTPSVC/{MBX1}")
STORY = (
    Written(12012, record=1),
    Written(12014, ("mail.corp.example", "Default Frontend MBX1"), FRONT_END, record=2, at=NOW + minutes(1)),
    Written(12017, (THUMBPRINT, "640"), computer=MBX2, level=3, record=3, at=NOW + minutes(2)),
    Written(2017, REFUSED, computer=MBX2, record=4, at=NOW + minutes(3)),
    Written(2017, REFUSED, computer=MBX2, record=5, at=NOW + minutes(18)),
    Written(7005, record=6, at=NOW + minutes(19)),
    Written(1000, source="Application Error", record=7, at=NOW + minutes(20)),
)


def xml(desk: Desk, *events: Written, name: str = "log.xml") -> Path:
    path = desk.folder / name
    path.write_text(document(*events), "utf-8")
    return path


def binary(desk: Desk, *events: Written, name: str = "log.evtx") -> Path:
    path = desk.folder / name
    path.write_bytes(evtx(events))
    return path


def imported(desk: Desk, *arguments: object) -> Ran:
    return desk.must("events", "import", *arguments)


@pytest.mark.parametrize("write", [xml, binary])
def test_a_log_becomes_a_time_line_for_each_server(desk: Desk, write: object) -> None:
    report = imported(desk, write(desk, *STORY), "--json").reads("events-import")  # type: ignore[operator]

    assert report["schema"] == "mailtrust.events-import/1"
    lines = {one["server"]: one["timeline"] for one in report["servers"]}
    assert [one["event"] for one in lines[MBX1]] == [12012, 12014]
    assert [one["event"] for one in lines[MBX2]] == [12017, 2017]
    assert lines[MBX2][1]["count"] == 2
    assert (lines[MBX2][1]["first"], lines[MBX2][1]["last"]) == (
        "2026-11-01T09:03:00Z",
        "2026-11-01T09:18:00Z",
    )
    assert lines[MBX1][0]["identifier"] == 0xC0042EEC


def test_what_nobody_knows_is_counted_by_source_and_number(desk: Desk) -> None:
    report = imported(desk, binary(desk, *STORY), "--json").json

    counted = [(one["source"], one["number"], one["count"], one["of_exchange"]) for one in report["unknown"]]
    assert counted == [("MSExchangeTransport", 7005, 1, True), ("Application Error", 1000, 1, False)]
    assert report["events"]["read"] == sum(
        (report["events"]["about_certificates"], report["events"]["unknown"], report["events"]["left_out"])
    )


def test_each_event_comes_with_its_explanation(desk: Desk) -> None:
    report = imported(desk, xml(desk, *STORY), "--json").json

    explained = {one["event"]: one for one in report["explained"]}
    assert explained.keys() == {12012, 12014, 12017, 2017}
    assert "recognize each other" in explained[12012]["explanation"]
    assert "Kerberos" in explained[2017]["explanation"]
    assert all(one["user_action"] for one in explained.values())


def test_the_page_says_what_to_check_next_with_the_names_of_the_log(desk: Desk) -> None:
    said = imported(desk, xml(desk, *STORY)).out

    assert "mailtrust audit exchange --server mbx1" in said
    assert f"Get-ExchangeCertificate -Server mbx1 -DomainName {MBX1} |" in said
    assert f"Get-ExchangeCertificate -Server MBX2 -Thumbprint '{THUMBPRINT}' |" in said
    assert f"setspn -Q SMTPSVC/{MBX1}" in said
    assert "mailtrust explain 12012" in said
    assert "2 times, last 2026-11-01 09:18:00Z" in " ".join(said.split())
    assert "MSExchangeTransport 7005: 1" in said
    assert "ends about 2026-11-28 01:02:00Z" in " ".join(said.split())


def test_it_speaks_chinese(desk: Desk) -> None:
    said = imported(desk, xml(desk, *STORY), "--lang", "zh").out

    assert "目录中没有内部传输证书" in said
    assert "我们未能向下一跃点验证身份" in said
    assert "2 次，最后一次" in said


def test_a_server_is_asked_for_by_either_name(desk: Desk) -> None:
    log = xml(desk, *STORY)

    for name in ("mbx2", "MBX2.corp.example"):
        report = imported(desk, log, "--server", name, "--json").json
        assert [one["server"] for one in report["servers"]] == [MBX2]
        assert report["events"]["left_out"] == 4


def test_what_was_before_is_left_out_and_counted(desk: Desk) -> None:
    report = imported(desk, xml(desk, *STORY), "--since", "2026-11-01T09:03Z", "--json").json

    assert [one["server"] for one in report["servers"]] == [MBX2]
    assert report["events"]["left_out"] == 3


def test_a_truncated_log_gives_what_it_holds_and_says_where_it_broke(desk: Desk) -> None:
    whole = binary(desk, *STORY)
    cut = desk.folder / "cut.evtx"
    cut.write_bytes(whole.read_bytes()[:7900])

    ran = desk.type("events", "import", cut)

    assert ran.code == 1
    assert "12012" in ran.out
    assert "cut off, at byte 7,900, record" in ran.out


def test_a_truncated_export_gives_what_it_holds_and_says_where_it_broke(desk: Desk) -> None:
    cut = desk.folder / "cut.xml"
    cut.write_text(document(*STORY)[:2000])

    ran = desk.type("events", "import", cut, "--json")

    assert ran.code == 1
    [file] = ran.json["files"]
    [fault] = file["faults"]
    assert file["events"] == 3
    assert (fault["damage"], fault["line"], fault["record"]) == ("cut-off", 2, 4)
    assert ran.json["complete"] is False


def test_one_file_that_cannot_be_used_costs_no_other(desk: Desk) -> None:
    (desk.folder / "list.csv").write_text("Level,Date and Time,Source,Event ID\n")

    ran = desk.type("events", "import", "list.csv", xml(desk, *STORY), "missing.evtx")

    assert ran.code == 1
    assert "list.csv cannot be used: it is a text without events" in " ".join(ran.out.split())
    assert "there is no file missing.evtx" in ran.out
    assert "12012" in ran.out


def test_two_exports_of_one_log_count_an_event_once(desk: Desk) -> None:
    report = imported(desk, xml(desk, *STORY), binary(desk, *STORY[:4]), "--json").json

    assert report["events"]["twice"] == 4
    assert {one["event"]: one["count"] for log in report["servers"] for one in log["timeline"]}[2017] == 2


def test_a_log_without_anything_of_ours_is_no_failure(desk: Desk) -> None:
    said = imported(desk, xml(desk, STORY[-1])).out

    assert "0 of them about transport certificates" in said
    assert "Application Error 1000: 1" in said


def test_a_log_cannot_write_on_the_screen_or_into_a_command(desk: Desk) -> None:
    evil = Written(12014, ("a'; calc; '\u202e", "x\u2028y"), computer="mbx1\u2019; calc #", record=1)

    said = imported(desk, xml(desk, evil)).out

    assert "\u202e" not in said
    assert "-Server 'mbx1\u2019\u2019; calc #'" in said
    assert "'a''; calc; '''" in said


def test_a_document_type_is_refused(desk: Desk) -> None:
    laughs = '<?xml version="1.0"?><!DOCTYPE Events [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><Events>'
    (desk.folder / "evil.xml").write_text(f"{laughs}{element(STORY[0])}&b;</Events>")

    ran = desk.type("events", "import", "evil.xml")

    assert ran.code == 1
    assert "refused, at line 1" in ran.out
    assert "0 events" in ran.out


def test_without_the_library_a_binary_log_is_answered_with_what_to_do(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "evtx", None)

    ran = desk.type("events", "import", binary(desk, *STORY))

    assert ran.code == 1
    assert "pip install evtx; or save the log as XML" in ran.out


def test_it_needs_no_configuration_and_changes_nothing(desk: Desk) -> None:
    (desk.folder / "mailtrust.toml").write_text("nonsense")
    log = xml(desk, *STORY)
    before = sorted(desk.folder.rglob("*"))

    imported(desk, log)

    assert sorted(desk.folder.rglob("*")) == before


def test_without_import_the_journal_is_shown_as_before(desk: Desk) -> None:
    assert "nothing is on record" in desk.must("events").out
    assert desk.must("events", "--event", "12012", "--json").json == []
