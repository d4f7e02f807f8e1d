"""`mailtrust simulate`, as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailtrust.simulation.stories import stories
from tests.cli.desk import Desk
from tools.guards import GUARDS


def test_alone_it_lists_the_stories(desk: Desk) -> None:
    said = desk.must("simulate").out
    listed = desk.must("simulate", "--json").json

    assert all(name in said for name in stories())
    assert [one["name"] for one in listed["stories"]] == list(stories())


def test_a_story_is_told_row_by_row(desk: Desk) -> None:
    said = desk.must("simulate", "undo-before")
    told = desk.must("simulate", "undo-before", "--json").json

    assert "0:20" in said.out
    assert "an operator turns it round" in said.out
    assert "no session was rejected" in said.out
    assert told["holds"] is True
    assert told["rows"][0]["published"]["dc1"] == ["A", "B"]


def test_what_is_not_promised_is_said_so(desk: Desk) -> None:
    assert "outside what is promised" in desk.must("simulate", "stale-and-deaf").out


def test_random_schedules_are_searched_and_counted(desk: Desk) -> None:
    said = desk.must("simulate", "--random", "20", "--seed", "40").out
    found = desk.must("simulate", "--random", "20", "--seed", "40", "--json").json

    assert said.startswith("20 schedules from 40 on: nothing broke")
    assert (found["schedules"], found["broken"]) == (20, [])


def test_a_failure_comes_with_what_makes_it_happen_again(desk: Desk) -> None:
    guard = next(one for one in GUARDS if one.name == "it is published")
    with guard.removal():
        ran = desk.type("simulate", "--random", "1", "--seed", "0")
        found = desk.type("simulate", "--random", "1", "--seed", "0", "--json").json

    assert ran.code == 1
    assert "mailtrust simulate --random 1 --seed 0" in ran.out
    assert found["broken"] == [{"seed": 0, "what": found["shrunk"][0]["what"]}]


def test_the_picture_is_written(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailtrust.cli.simulate.figures", lambda: {"checklist": ((0, 0), (60, 0))})

    assert "checklist: at most 0" in desk.must("simulate", "--plot", tmp_path / "lag.svg").out
    assert (tmp_path / "lag.svg").read_text("utf-8").startswith("<svg")
    told = desk.must("simulate", "--plot", tmp_path / "lag.svg", "--json").reads("simulate-plot")
    assert "checklist" in told["rejected_by_lag"]


def test_what_is_mistyped_is_told(desk: Desk) -> None:
    assert desk.type("simulate", "plannned").code == 1
    assert "planned" in desk.type("simulate", "plannned").said
    assert desk.type("simulate", "planned", "--random", "3").code == 2
    assert desk.type("simulate", "--random", "0").code == 2
