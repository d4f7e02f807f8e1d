"""`analyze`: what is advised, what is typed, what is written, and how it ends."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.cli.desk import HUB1, Desk, Ran
from tests.cli.test_audit import UNIX_ONLY, WITHOUT_UNIX
from tests.collected import a_certificate, a_file, written
from tests.make import an_x509, days, der

PARTS = {
    "rule", "number", "title", "area", "severity", "profiles", "server", "place", "key", "event", "cause",
    "message", "why", "evidence", "fix", "type", "steps", "until", "link",
}  # fmt: skip


def rules(ran: Ran, part: str = "advice") -> list[str]:
    return [one["rule"] for one in ran.json[part]]


def late(desk: Desk) -> None:
    """Warned two days before the end: A101."""
    desk.configure(policy='expires_soon = "2d"')


def test_a_sound_server_is_told_nothing_and_ends_well(desk: Desk) -> None:
    desk.enabled()

    ran = desk.must("analyze")

    assert ran.out.splitlines()[0] == "OK - 1 server, profile default: error 0, warning 0, info 0"
    assert "Nothing to advise." in ran.out


def test_the_strict_are_told_what_is_a_matter_of_taste(desk: Desk) -> None:
    desk.enabled()

    ran = desk.must("analyze", "--profile", "strict", "--json")

    assert rules(ran) == ["A105", "12108"]
    assert ran.json["verdict"] == "ok"


def test_advice_has_its_reason_its_lines_and_its_page(desk: Desk) -> None:
    late(desk)
    desk.enabled()

    ran = desk.type("analyze")

    assert ran.code == 1
    assert f"W A101  {HUB1}  The warning before the end comes late" in ran.out
    assert 'expires_soon = "90d"' in ran.out.replace("            ", "")
    assert "docs/advice.md#a101" in ran.out


def test_its_json_has_the_shape_that_was_promised(desk: Desk) -> None:
    late(desk)
    desk.enabled()

    report = desk.type("analyze", "--json").json

    assert report["schema"] == "mailtrust.analyze/1"
    assert report["servers"] == [HUB1]
    assert "A101" in report["rules"]
    [one] = report["advice"]
    assert one.keys() == PARTS
    assert (one["rule"], one["number"], one["severity"], one["link"]) == (
        "A101", 101, "warning", "docs/advice.md#a101",
    )  # fmt: skip
    assert one["type"] == [{"where": "configuration", "lines": ["[policy]", 'expires_soon = "90d"']}]


def test_what_check_finds_is_told_with_its_command(desk: Desk) -> None:
    made = desk.made()

    [one] = desk.type("analyze", "--json").json["advice"]

    assert (one["rule"], one["event"], one["cause"]) == ("12012", 12012, "not-enabled")
    assert one["type"][0]["lines"] == [f"mailtrust enable {made[:12]}"]


def test_a_look_leaves_no_trace_in_the_journal(desk: Desk) -> None:
    desk.made()
    before = desk.must("events").out

    desk.type("analyze")

    assert desk.must("events").out == before


def test_what_could_not_be_looked_at_is_not_well(desk: Desk) -> None:
    desk.enabled()
    desk.damage("dc2")

    ran = desk.type("analyze", "--json")

    assert ran.code in (1, 3)
    assert ran.json["verdict"] != "ok"
    assert any("dc2.db" in one["what"] for one in ran.json["not_looked_at"])


def test_a_home_that_is_gone_is_unknown_where_nothing_else_is_found(desk: Desk) -> None:
    desk.enabled()
    desk.damage("dc2")

    ran = desk.type("analyze", "--profile", "performance")

    assert ran.code == 3
    assert "not everything could" in ran.out


def test_only_one_rule_is_asked(desk: Desk) -> None:
    late(desk)
    desk.made()

    assert rules(desk.type("analyze", "--only", "a101", "--json")) == ["A101"]
    assert rules(desk.type("analyze", "--only", "12012", "--json")) == ["12012"]
    ran = desk.type("analyze", "--only", "A999")
    assert (ran.code, "there is no rule and no event 'A999'" in ran.err) == (1, True)


def test_rules_are_listed_and_explained_without_looking(desk: Desk) -> None:
    (desk.folder / "mailtrust.toml").unlink()

    listed = desk.must("analyze", "--list").out
    assert re.search(
        r"^W  A101  The warning before the end comes late  \(default, strict\)$", listed, re.MULTILINE
    )
    assert re.search(r"^E 12012  ", listed, re.MULTILINE)
    assert "A102" not in desk.must("analyze", "--list", "--profile", "default").out
    assert "Report mode is there" in desk.must("analyze", "--list", "--only", "A104").out
    assert desk.must("explain", "a104").out == desk.must("analyze", "--list", "--only", "A104").out
    assert desk.must("explain", "A104", "--json").json["rules"][0]["rule"] == "A104"
    [one] = desk.must("analyze", "--list", "--only", "12012", "--json").json["rules"]
    assert (one["name"], one["link"]) == (
        "InternalTransportCertificateMissingInAD", "docs/events/12012.md",
    )  # fmt: skip


def test_acknowledged_advice_does_not_count_and_is_on_record(desk: Desk) -> None:
    late(desk)
    desk.enabled()

    said = desk.must("analyze", "--ack", "A101", "--server", HUB1, "--until", "2h", "--reason", "we know").out
    assert said.startswith(f"A101 of {HUB1} is acknowledged until ")
    ran = desk.must("analyze", "--json")
    assert (rules(ran), rules(ran, "acknowledged"), ran.json["verdict"]) == ([], ["A101"], "ok")
    assert ran.json["acknowledged"][0]["reason"] == "we know"
    assert f"A101 {HUB1}: until " in desk.must("analyze").out
    [entry] = desk.must("events", "--event", "12170", "--json").json
    assert (entry["kind"], entry["name"], entry["server"]) == ("acknowledged", "AdviceAcknowledged", HUB1)
    assert f"A101 of {HUB1}: we know" in desk.must("events").out


def test_an_acknowledgement_ends_by_itself(desk: Desk) -> None:
    late(desk)
    desk.enabled()
    desk.must("analyze", "--ack", "A101", "--until", "1s", "--reason", "for a moment")

    while rules(ran := desk.type("analyze", "--json"), "acknowledged"):
        assert ran.code == 0

    assert (ran.code, rules(ran)) == (1, ["A101"])


def test_an_acknowledged_event_is_known_to_check_too(desk: Desk) -> None:
    desk.made()
    acknowledged = desk.must(
        "analyze", "--ack", "12012", "--until", "2h", "--reason", "rebuilt", "--json"
    ).json

    assert (acknowledged["rule"], acknowledged["servers"]) == ("12012", [])
    assert rules(desk.must("analyze", "--json"), "acknowledged") == ["12012"]
    assert desk.must("check", "--json").json["acknowledged"][0]["event"] == 12012


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("--ack", "A101"), "an acknowledgement needs an end and a reason"),
        (("--ack", "A999", "--until", "2h", "--reason", "r"), "there is no rule and no event 'A999'"),
        (("--ack", "A101", "--until", "2020-01-01", "--reason", "r"), "is not ahead of us"),
        (("--until", "2h"), "belong to --ack"),
        (("--controller", "ldaps://dc1.corp.example"), "are about an Exchange organization"),
        (("--server", "a.example.test", "--server", "b.example.test"), "more than one --server"),
        (("--server", "nobody.example.test"), "no replica that could be read has an entry"),
        (("--against", "nowhere.json"), "there is no file nowhere.json"),
        (("--which", "*.example.test"), "is not a name that is looked for"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_said(desk: Desk, typed: tuple[str, ...], said: str) -> None:
    ran = desk.type("analyze", *typed)

    assert (ran.code, said in ran.err) == (1, True), ran.said


def test_the_next_report_says_what_has_changed(desk: Desk) -> None:
    late(desk)
    desk.enabled()
    assert desk.type("analyze", "--json").json["changes"] is None
    desk.configure()

    changes = desk.must("analyze", "--json").json["changes"]

    assert [one["rule"] for one in changes["gone"]] == ["A101"]
    assert (changes["new"], changes["still_there"], changes["not_judged_now"]) == ([], [], [])


def test_a_report_can_be_held_against_any_other(desk: Desk) -> None:
    desk.enabled()
    monday = desk.folder / "monday.json"
    monday.write_text(desk.must("analyze", "--json").out, "utf-8")
    late(desk)

    ran = desk.type("analyze", "--against", monday)

    assert "Since the report of " in ran.out
    assert f"new: A101 {HUB1}: " in " ".join(ran.out.split())
    monday.write_text("{}", "utf-8")
    assert "is no report of `analyze`" in desk.type("analyze", "--against", monday).err


def test_a_report_over_thousands_of_servers_can_be_compared_with(desk: Desk) -> None:
    """Of any other file so much would be refused unread."""
    desk.enabled()
    monday = desk.folder / "monday.json"
    monday.write_text(desk.must("analyze", "--json").out + " " * (17 << 20), "utf-8")

    assert "Since the report of " in desk.must("analyze", "--against", monday).out


def test_what_could_not_be_judged_again_is_not_gone(desk: Desk) -> None:
    desk.made()
    desk.type("analyze")
    desk.damage("dc2")

    changes = desk.type("analyze", "--json").json["changes"]

    assert changes["gone"] == []
    assert [one["rule"] for one in changes["not_judged_now"]] == ["12012"]


def test_a_damaged_last_report_costs_the_comparison_alone(desk: Desk) -> None:
    desk.enabled()
    desk.must("analyze")
    (desk.folder / "store" / "analysis.json").write_text("no report", "utf-8")

    ran = desk.must("analyze")

    assert "this report takes its place" in ran.err
    assert json.loads((desk.folder / "store" / "analysis.json").read_text("utf-8"))["schema"]


class Page(HTMLParser):
    """What a browser would load, run, or say to a screen reader."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_for_a_browser_loads_nothing_and_leads_to_each_piece(desk: Desk) -> None:
    late(desk)
    desk.made()
    file = desk.folder / "advice.html"

    desk.type("analyze", "--profile", "strict", "--html", file)

    text = file.read_text("utf-8")
    tags = Page(text).tags
    assert not [one for one, _ in tags if one in ("script", "link", "img", "iframe", "object", "form")]
    assert [held for _, held in tags if "src" in held or (held.get("href") or "#")[0] != "#"] == []
    assert "default-src 'none'" in text
    ids = {held["id"] for _, held in tags if "id" in held}
    assert {(held["href"] or "")[1:] for tag, held in tags if tag == "a"} == ids
    assert dict(tags)["html"]["lang"] == "en"
    assert "A101" in text
    assert "12012" in text


def test_a_page_that_cannot_be_written_is_said_and_the_report_stands(desk: Desk) -> None:
    desk.enabled()

    ran = desk.type("analyze", "--html", desk.folder / "nowhere" / "advice.html")

    assert ran.code == 1
    assert "cannot be written" in ran.err
    assert "Nothing to advise." in ran.out


def test_it_speaks_chinese_on_the_screen_and_in_the_page(desk: Desk) -> None:
    late(desk)
    desk.enabled()
    file = desk.folder / "advice.html"

    ran = desk.type("analyze", "--lang", "zh", "--html", file)

    assert "到期前的警告来得太晚" in ran.out
    assert 'lang="zh-Hans"' in file.read_text("utf-8")


def test_what_was_read_anywhere_does_not_become_markup(desk: Desk) -> None:
    hostile = a_certificate(der(an_x509("<script>alert(1)</script>", kind="rsa2048", names=())), hasKey=False)
    path, page = desk.folder / "mbx1.json", desk.folder / "advice.html"
    path.write_bytes(written(a_file(certificates=[hostile])))

    desk.type("analyze", "--from", path, "--html", page)

    assert "A604" in page.read_text("utf-8")
    assert "<script" not in page.read_text("utf-8")


def exchange_file(desk: Desk, **parts: Any) -> Path:
    path = desk.folder / "mbx1.json"
    path.write_bytes(written(a_file(**parts)))
    return path


def test_a_collected_file_is_advised_without_any_configuration(desk: Desk) -> None:
    (desk.folder / "mailtrust.toml").unlink()
    ended = der(an_x509("mail.corp.example", kind="rsa2048", issuer="Public CA", life=days(40)))
    file = exchange_file(desk, certificates=[a_certificate(), a_certificate(ended, hasKey=False)])

    ran = desk.type("analyze", "--from", file, "--json")

    assert ran.code == 1
    assert ran.json["profile"] == "exchange"
    assert {"12012", "A604", "A601"} <= set(rules(ran))
    assert "Auth certificate" in " ".join(one["what"] for one in ran.json["not_looked_at"])


def test_an_organization_is_advised_from_windows_too(desk: Desk) -> None:
    """There is neither a journal nor a way to look at servers of our own."""
    typed = ("analyze", "--from", exchange_file(desk), "--html", "a.html", "--which", "mbx1.corp.example")
    script = WITHOUT_UNIX.replace("{names!r}", repr(UNIX_ONLY))
    for words, code in ((typed[:-2], 1), (typed, 0)):
        ran = subprocess.run(
            [sys.executable, "-c", script, *map(str, words)],
            cwd=desk.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (ran.returncode, ran.stderr) == (code, "")
    assert (desk.folder / "a.html").stat().st_size > 1000


def test_a_server_that_is_not_there_is_said(desk: Desk) -> None:
    ran = desk.type("analyze", "--from", exchange_file(desk), "--server", "MBX7")

    assert (ran.code, "no Exchange server is called 'MBX7'" in ran.err) == (1, True)


def test_which_certificate_is_said_step_by_step(desk: Desk) -> None:
    file = exchange_file(desk)

    ran = desk.must("analyze", "--from", file, "--which", "mbx1.corp.example")

    assert "mbx1.corp.example: internal transport certificate (X-ANONYMOUSTLS)" in ran.out
    assert "1. nothing is published for MBX1: it offers no X-ANONYMOUSTLS" in ran.out
    assert "uses: none [12012 InternalTransportCertificateMissingInAD]" in ran.out
    assert "MBX1\\Default Frontend MBX1 - STARTTLS, inbound" in ran.out
    found = desk.must("analyze", "--from", file, "--which", "mbx1.corp.example", "--json").json
    assert found["schema"] == "mailtrust.which/1"
    assert [one["for"] for one in found["choices"]] == ["internal", "inbound", "outbound", "name"]


def test_a_store_that_nobody_saw_is_not_guessed_at(desk: Desk) -> None:
    file = exchange_file(desk, certificates=None)

    ran = desk.type("analyze", "--from", file, "--which", "mbx1.corp.example")

    assert ran.code == 3
    assert "uses: not known" in ran.out


def test_which_one_our_own_server_uses_is_said_too(desk: Desk) -> None:
    made = desk.enabled()

    ran = desk.must("analyze", "--which", HUB1)

    assert f"{made[:12]} is current: it is what {HUB1} presents" in ran.out
