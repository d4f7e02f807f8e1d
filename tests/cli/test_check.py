"""`check` from the first certificate to a damaged replica, as an administrator meets it."""

import json
import secrets
from pathlib import Path

import pytest

from tests.cli.desk import HUB1, Desk, Ran


def events(ran: Ran) -> list[tuple[int, str | None]]:
    return [(one["event"], one["cause"]) for one in ran.json["findings"]]


def check(desk: Desk, *arguments: str) -> Ran:
    return desk.type("check", *arguments, "--json")


def at_home(desk: Desk, home: str, *, latency: str = "15m") -> None:
    """Read and write as these say."""
    file = desk.folder / "mailtrust.toml"
    text = file.read_text().replace(f'home = "{desk.url("dc2")}"', f'home = "{desk.url(home)}"')
    file.write_text(text.replace("[policy]", f'latency = "{latency}"\n\n[policy]'))


def test_from_nothing_to_nothing_but_a_missing_successor(desk: Desk) -> None:
    """No replica has a file yet, nothing runs, and every step is what `check` said."""
    at_home(desk, "dc1")
    made = desk.made()
    first = check(desk)
    assert (events(first), first.json["verdict"], first.code) == ([(12012, "not-enabled")], "error", 2)

    desk.must("enable", made, "--yes")
    enabled = check(desk)
    assert events(enabled) == [(12101, None), (12101, None), (12108, None)]
    assert {one["place"] for one in enabled.json["findings"]} == {desk.url("dc2"), desk.url("dc3"), None}
    assert (enabled.json["verdict"], enabled.code) == ("ok", 0)

    desk.must("directory", "replicate", "--once")
    assert events(check(desk)) == [(12108, None)]

    desk.made()
    again = check(desk)
    assert events(again)[0] == (12012, "not-enabled")
    assert again.code == 2


def test_the_action_it_names_can_be_typed(desk: Desk) -> None:
    at_home(desk, "dc1")
    desk.made()
    [finding] = check(desk).json["findings"]

    desk.must(*finding["action"].split()[1:], "--yes")

    assert 12012 not in [event for event, _ in events(check(desk))]


def test_what_has_not_come_home_in_time_is_overdue_and_fix_mends_it(desk: Desk) -> None:
    at_home(desk, "dc2", latency="0s")
    desk.must("enable", desk.made(), "--yes")
    late = check(desk)
    assert events(late)[0] == (12012, "overdue")
    assert late.code == 2

    desk.must("fix", "--yes")

    assert events(check(desk)) == [(12108, None)]


@pytest.mark.parametrize(
    "data", [b"", b"garbage " * 999, secrets.token_bytes(4096), None], ids=["empty", "text", "noise", "cut"]
)
@pytest.mark.parametrize(("name", "verdict", "code"), [("dc2", "unknown", 3), ("dc3", "warning", 1)])
def test_a_damaged_replica_is_could_not_look(
    desk: Desk, data: bytes | None, name: str, verdict: str, code: int
) -> None:
    desk.enabled()
    file = desk.folder / f"{name}.db"
    file.write_bytes(file.read_bytes()[:5000] if data is None else data)

    ran = check(desk)

    [place] = [one for one in ran.json["servers"][0]["published"] if one["replica"] == desk.url(name)]
    assert place["found"] is None
    assert place["why"]
    assert (12103, None) in events(ran)
    assert (ran.json["verdict"], ran.code) == (verdict, code)


def test_garbage_on_the_entry_costs_that_value_only(desk: Desk) -> None:
    made = desk.enabled()
    (desk.folder / "garbage").write_bytes(b"\x30\x82 not a certificate")
    desk.must("directory", "put", HUB1, "garbage", "--yes")
    desk.must("directory", "put", "hub2.example.test", "garbage", "--yes")

    ran = check(desk, "--all")

    assert {(one["event"], one["server"]) for one in ran.json["findings"] if one["event"] == 12022} == {
        (12022, HUB1), (12022, "hub2.example.test"),
    }  # fmt: skip
    [ours] = [one for one in ran.json["servers"] if one["server"] == HUB1]
    assert all(place["found"] == [made] for place in ours["published"])

    desk.must("fix", "--yes")
    assert events(check(desk)) == [(12108, None)]


def test_a_listener_that_is_closed_is_12116(desk: Desk) -> None:
    desk.enabled()
    file = desk.folder / "mailtrust.toml"
    file.write_text(file.read_text().replace("listeners = []", 'listeners = ["127.0.0.1:1"]'))

    ran = check(desk)

    assert events(ran)[0] == (12116, None)
    [presented] = ran.json["servers"][0]["presented"]
    assert presented["found"] is None
    assert "refused" in presented["why"]


def test_a_damaged_snapshot_of_the_hub_is_12111_and_no_fault(desk: Desk) -> None:
    desk.configure(more='[transport]\nkind = "hub"\n')
    desk.enabled()
    (desk.folder / "store" / "snapshot.jsonl").write_text("{")

    assert (12111, None) in events(check(desk))


def test_a_journal_that_cannot_be_written_costs_that_line_only(desk: Desk) -> None:
    """The verdict does not depend on the diary."""
    desk.enabled()
    journal = desk.folder / "store" / "journal.db"
    journal.unlink()
    journal.mkdir()

    ran = check(desk)

    assert (ran.code, events(ran)) == (0, [(12108, None)])
    assert any("journal" in note for note in ran.json["notes"])


def test_fix_makes_a_first_certificate_current(desk: Desk) -> None:
    made = desk.made()

    desk.must("fix", "--yes")

    assert desk.slots() == {made: "current"}
    assert desk.published()["dc1"] == [made]


def test_fix_is_not_done_where_home_cannot_be_read(desk: Desk) -> None:
    """Nothing to mend from here is not the same as well."""
    desk.enabled()
    desk.damage("dc2")

    ran = desk.type("fix", "--yes")

    assert (ran.code, ran.out.splitlines()[0]) == (1, "there is nothing to mend from here")


def test_a_store_that_cannot_be_read_is_not_quiet(desk: Desk) -> None:
    """Who reads past the first line must not find there that the copies agree."""
    desk.enabled()
    (desk.folder / "store" / "certificates" / "slots.json").write_text("{", encoding="utf-8")

    ran = desk.type("check")

    assert ran.code == 3
    assert "the copies agree" not in ran.out


def test_fix_says_what_it_would_do_and_does_nothing(desk: Desk) -> None:
    made = desk.made()

    ran = desk.must("fix", "--dry-run", "--json")

    assert ran.json["planned"] == [f"publish {made[:12]} at the primary"]
    assert ran.json["done"] == []
    assert not list(Path(desk.folder).glob("dc?.db"))


def test_fix_asks_before_it_changes_anything(desk: Desk) -> None:
    made = desk.made()

    ran = desk.type("fix")

    assert ran.code == 1
    assert "--yes" in ran.err
    assert desk.slots() == {made: "none"}


def test_acknowledged_events_do_not_count_and_stay_on_record(desk: Desk) -> None:
    desk.made()
    assert desk.type("check", "--ack", "12012").code == 3
    desk.must("check", "--ack", "12012", "--until", "2h", "--reason", "it is being rebuilt")

    ran = check(desk)

    assert (ran.code, ran.json["verdict"], events(ran)) == (0, "ok", [])
    assert [one["event"] for one in ran.json["acknowledged"]] == [12012]
    assert "12012 of every server: it is being rebuilt" in desk.must("events").out


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("hub1.exmaple.test", "is it hub1.example.test? `mailtrust status --all`"),
        ("wholly.other", "hint: `mailtrust status --all` lists the servers of the directory"),
    ],
)
def test_an_acknowledgement_for_a_server_that_nobody_knows_is_refused(
    desk: Desk, typed: str, hint: str
) -> None:
    """It would silence nothing, and whoever typed it would wonder at the next alarm."""
    desk.enabled()
    words = ["check", "--ack", "12012", "--until", "2h", "--reason", "it is being rebuilt", "--server"]

    refused = desk.type(*words, typed)
    taken = desk.must(*words, HUB1)

    assert refused.code == 3
    assert f"has an entry for {typed}" in refused.said
    assert hint in refused.err
    assert f"12012 of {HUB1} is acknowledged" in taken.out


def test_while_a_replica_cannot_be_read_every_server_may_be_acknowledged(desk: Desk) -> None:
    """Its entry may stand there alone."""
    desk.enabled()
    desk.damage("dc3")
    words = ["check", "--ack", "12103", "--until", "2h", "--reason", "it is being rebuilt", "--server"]

    assert "12103 of hub9.example.test is acknowledged" in desk.must(*words, "hub9.example.test").out


def test_what_opened_and_closed_is_in_the_journal(desk: Desk) -> None:
    at_home(desk, "dc1")
    made = desk.made()
    check(desk)
    desk.must("enable", made, "--yes")
    check(desk)

    kinds = [(one["kind"], one["event"]) for one in desk.must("events", "--event", "12012", "--json").json]

    assert kinds == [("opened", 12012), ("closed", 12012)]


def test_a_check_is_one_line_for_a_monitoring_system(desk: Desk) -> None:
    desk.made()

    first = desk.type("check").out.splitlines()[0]

    assert first.startswith("MAILTRUST CRITICAL - hub1 12012 not-enabled on dc2 | errors=1 ")


def test_chinese_changes_the_sentences_and_not_the_codes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.made()
    english = check(desk)
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    chinese = check(desk)

    assert events(chinese) == events(english)
    assert chinese.json["findings"][0]["message"] != english.json["findings"][0]["message"]
    assert "副本" in json.dumps(chinese.json, ensure_ascii=False)
