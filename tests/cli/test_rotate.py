"""`rotate`: the checklist, ticking; the way back; and the two emergencies."""

from __future__ import annotations

import pytest

from mailtrust.core.model.certificate import short
from tests.cli.desk import Desk

QUICK = 'spread = "1s"\nsettle = "1s"\nsnapshot_max_age = "1s"'


@pytest.fixture
def ready(desk: Desk) -> tuple[Desk, str, str]:
    """A desk with a current certificate, and a next one that is known everywhere."""
    desk.configure(policy=QUICK)
    current = desk.enabled()
    desk.must("rotate", "prepare", "--yes")
    desk.must("directory", "replicate", "--once")
    [successor] = [one for one, slot in desk.slots().items() if slot == "next"]
    return desk, current, successor


def replicated(desk: Desk) -> None:
    desk.must("directory", "replicate", "--once")


def test_the_next_certificate_is_made_and_published_long_before_it_is_needed(desk: Desk) -> None:
    current = desk.enabled()

    said = desk.must("rotate", "prepare", "--yes").out

    [successor] = [one for one, slot in desk.slots().items() if slot == "next"]
    assert desk.slots()[current] == "current"
    assert desk.published()["dc1"] == sorted((current, successor))
    assert f"makes known its next certificate, {short(successor)}" in said
    assert f"dc2.db does not publish {short(successor)} yet" in said
    assert [one["event"] for one in desk.type("check", "--json").json["findings"]] == [12101, 12101]


def test_a_rotation_goes_to_its_end_and_a_new_successor_stands_ready(ready: tuple[Desk, str, str]) -> None:
    desk, current, successor = ready

    ended = desk.type("rotate", "start", "--wait", "--timeout", "6s", "--yes")
    before = desk.published()
    replicated(desk)
    status = desk.must("rotate", "status").out

    assert f"make {short(successor)} the current certificate" in ended.out
    assert f"withdraw {short(current)}" in ended.out
    assert current not in (before["dc1"] or [])
    assert desk.slots()[successor] == "current"
    assert "next" in desk.slots().values()
    assert f"it presents {short(successor)}; its next rotation is due" in status


def test_whoever_stays_for_a_rotation_goes_on_with_what_somebody_else_began(
    ready: tuple[Desk, str, str],
) -> None:
    desk, current, successor = ready
    desk.configure(policy=QUICK.replace('settle = "1s"', 'settle = "2h"'))
    desk.type("rotate", "start", "--wait", "--timeout", "3s", "--yes")
    desk.configure(policy=QUICK)

    joined = desk.type("rotate", "start", "--wait", "--timeout", "6s", "--yes")

    assert f"withdraw {short(current)}" in joined.out
    assert desk.slots()[successor] == "current"


def test_the_checklist_ticks_and_says_what_it_waits_for(ready: tuple[Desk, str, str]) -> None:
    desk, current, successor = ready
    desk.configure(policy=QUICK.replace('spread = "1s"', 'spread = "2h"'))

    desk.must("rotate", "start", "--yes")
    shown = desk.must("rotate", "status").out
    report = desk.must("rotate", "status", "--json").json

    assert f"hub1.example.test: rotates to {short(successor)}, in the place of {short(current)}" in shown
    assert "[x] publish" in shown
    assert f"dc1.db has had {short(successor)} for too short a time; not before" in shown
    assert (report["schema"], report["why"], report["phase"]) == ("mailtrust.rotation/1", "start", "spread")
    assert [line["ticked"] for line in report["lines"]][:3] == [True, True, False]
    assert {one["gate"] for line in report["lines"][2:3] for one in line["obstacles"]} == {"time"}
    assert "a rotation to" in desk.type("rotate", "start", "--yes").err


def test_the_way_back_before_the_switch_says_that_nothing_was_switched(
    ready: tuple[Desk, str, str],
) -> None:
    """At night nobody is to read that the old certificate comes back in half an hour: it never went."""
    desk, current, successor = ready
    desk.configure(policy=QUICK.replace('spread = "1s"', 'spread = "2h"'))
    forth = desk.must("rotate", "start", "--yes").out

    back = desk.must("rotate", "undo", "--yes").out

    assert "[ ] present" in forth
    assert "already" not in forth
    assert (
        f"it presents {short(current)} already; what is open holds back the withdrawal of {short(successor)}"
        in back
    )
    assert "[ ] spread" in back
    assert "[x] present" in back
    assert "[ ] settle" in back


def test_the_way_back_is_a_rotation_and_what_it_drops_never_returns(
    ready: tuple[Desk, str, str],
) -> None:
    desk, current, successor = ready
    desk.configure(policy=QUICK.replace('spread = "1s"', 'spread = "2h"'))
    desk.must("rotate", "start", "--yes", "--json").reads("rotation")
    desk.configure(policy=QUICK)

    desk.type("rotate", "undo", "--wait", "--timeout", "3s", "--yes", "--json").reads("rotation")

    assert desk.slots()[current] == "current"
    assert successor not in (desk.published()["dc1"] or [])
    assert "already" in desk.type("rotate", "undo", "--yes").err
    assert "never returns" in desk.type("enable", successor, "--yes").err


def test_a_switch_at_once_is_one_because_the_next_one_is_known(ready: tuple[Desk, str, str]) -> None:
    desk, _, successor = ready
    first = desk.type("rotate", "now", "--yes")
    forced = desk.must("rotate", "now", "--force", "--yes", "--json").reads("rotation-now")

    assert (first.code, "is not known everywhere yet" in first.err) == (1, True)
    assert "--force switches all the same" in first.err
    assert desk.slots()[successor] == "current"
    assert forced["took_seconds"] < 60


def test_a_stolen_server_gets_a_new_key_and_loses_all_others(ready: tuple[Desk, str, str]) -> None:
    desk, current, successor = ready
    spare = desk.made()

    foretold = desk.must("rotate", "compromised", "--dry-run").out
    before = desk.published()
    said = desk.must("rotate", "compromised", "--yes").out
    replicated(desk)

    [new] = [one for one, slot in desk.slots().items() if slot == "current"]
    assert before["dc1"] == sorted((current, successor))
    assert all(short(one) in foretold for one in (current, successor, spare))
    assert new not in (current, successor, spare)
    assert all(set(found or ()) & {current, successor, spare} == set() for found in desk.published().values())
    assert all(new in (found or ()) for found in desk.published().values())
    assert "no peer that can read its replica believes an old key after" in said
    assert all(
        "never returns" in desk.type("enable", one, "--yes").err for one in (current, successor, spare)
    )


def test_a_dead_replica_holds_a_rotation_back_until_somebody_says_so(ready: tuple[Desk, str, str]) -> None:
    desk, _, successor = ready
    desk.damage("dc3")
    held = desk.type("rotate", "start", "--wait", "--timeout", "2s", "--yes")
    blocked = desk.type("check", "--json").json

    unsaid = desk.type("directory", "dead", "dc3", "--yes")
    desk.must("directory", "dead", "dc3", "--until", "2d", "--reason", "its disk is gone", "--yes")
    dead = desk.must("rotate", "status").out
    desk.must("directory", "dead", "dc3", "--alive")

    assert (held.code, "dc3.db could not be read" in held.out) == (1, True)
    assert 12109 in [one["event"] for one in (*blocked["findings"], *blocked["silenced"])]
    assert unsaid.code == 2
    assert "dc3 counts as dead until" in dead
    assert "its disk is gone" in dead
    assert "could not be read" not in dead
    assert "is declared dead, and whoever read it" in dead
    assert "counts as dead" not in desk.must("rotate", "status").out
    assert "declare dead" in desk.must("events").out
    assert desk.slots()[successor] == "next"


def test_without_anything_to_rotate_it_says_what_to_do_first(desk: Desk) -> None:
    nothing = desk.type("rotate", "start", "--yes")
    desk.enabled()
    unprepared = desk.type("rotate", "now", "--yes")
    no_way_back = desk.type("rotate", "undo", "--yes")

    assert (nothing.code, "mailtrust new" in nothing.err) == (1, True)
    assert (unprepared.code, "mailtrust rotate prepare" in unprepared.err) == (1, True)
    assert (no_way_back.code, "there is no way back" in no_way_back.err) == (1, True)


def test_how_long_a_stolen_key_may_be_believed_is_told_to_programs(ready: tuple[Desk, str, str]) -> None:
    desk, current, _ = ready

    told = desk.must("rotate", "compromised", "--yes", "--json").reads("rotation-compromised")

    assert told["current"] not in (None, current)
    assert told["believed_at_most_until"]


def test_nobody_is_asked_without_a_terminal_and_a_dry_run_changes_nothing(
    ready: tuple[Desk, str, str],
) -> None:
    desk, current, _ = ready
    before = desk.published()

    for words in (("start",), ("now", "--force"), ("compromised",), ("prepare",)):
        assert desk.type("rotate", *words).code == 1
        assert desk.must("rotate", *words, "--dry-run").out
        assert desk.must("rotate", *words, "--dry-run", "--json").json["schema"] == "mailtrust.dry-run/1"
    assert desk.published() == before
    assert desk.slots()[current] == "current"


def test_a_dry_run_of_now_says_whether_it_would_switch(ready: tuple[Desk, str, str]) -> None:
    desk, current, successor = ready

    early = desk.must("rotate", "now", "--dry-run").out
    forced = desk.must("rotate", "now", "--dry-run", "--force").out

    assert early.startswith(f"nothing: {short(successor)} is not known everywhere yet")
    assert (
        forced == f"present {short(successor)} at once, and withdraw {short(current)} once that has settled\n"
    )
