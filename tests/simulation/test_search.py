"""Random schedules: none breaks what must hold, and each guard that is taken out is missed."""

from __future__ import annotations

import pytest

from mailtrust.simulation.crowd import search_all, searched
from mailtrust.simulation.search import play, schedule_of, search, shrunk
from tools.guards import GUARDS
from tools.make_mutation_table import caught, listed, row

BY_NAME = {guard.key: guard for guard in GUARDS}


@pytest.mark.parametrize("first", range(0, 3000, 300))
def test_no_schedule_breaks_what_must_hold(first: int) -> None:
    """A share of the million: `mailtrust simulate --random 1000000 --jobs 2` plays it whole."""
    found = searched(first, 300)

    assert [(one.seed, one.broken) for one in found.failures] == []
    assert found.finished > 5


@pytest.mark.parametrize(
    "seed",
    [
        10044398, 10079871, 10080742, 10116599, 10185976, 10242088, 10266808, 20019352, 20030376, 20035466,
        20037669, 20087613, 30072858, 30075240, 31052743, 50240240, 67446, 489390, 829964,
    ],
)  # fmt: skip
def test_what_broke_once_holds(seed: int) -> None:
    """
    Rare ones, from a long search: keys that went with a stand-in, a withdrawal whose agent was killed before
    it was on record, and faults of the world's own.
    """
    assert play(schedule_of(seed)).broken == ""


def test_a_schedule_is_named_by_its_number() -> None:
    assert schedule_of(7) == schedule_of(7) != schedule_of(8)
    one, other = play(schedule_of(7)), play(schedule_of(7))
    assert (one.minute, one.finished, one.rejected) == (other.minute, other.finished, other.rejected)


def test_several_processors_find_what_one_finds() -> None:
    seen: list[int] = []
    one = search_all(0, 50, 1, lambda found: seen.append(found.schedules), portion=20)

    assert search_all(0, 50, 2, lambda _: None, portion=20) == one
    assert seen == [20, 40, 50]


def test_a_failure_is_cut_down_to_what_it_needs() -> None:
    guard = BY_NAME["install: it has its key"]
    with guard.removal():
        failure = next(search(range(2000)))
        short = shrunk(failure)

        assert len(short.schedule.events) <= 4 < len(failure.schedule.events)
        assert play(short.schedule).broken == failure.broken
    assert play(failure.schedule).broken != failure.broken


@pytest.mark.parametrize(
    "name",
    [
        "spread: every replica has it",
        "settle: every listener has presented it for so long",
        "fade: it is gone everywhere",
        "fade: a replica that cannot be read may show it yet",
        "install: the store can be read",
        "reader: a hub looks again",
    ],
)
def test_a_guard_that_is_taken_out_is_missed(name: str) -> None:
    found = caught(BY_NAME[name], (0,), 2000)

    assert found.is_caught
    assert row(BY_NAME[name], found)[1] == BY_NAME[name].name


def test_the_page_lists_every_guard() -> None:
    page = "<!-- guards: begin -->\n| line | guard |\n| --- | --- |\n| spread | one |\n<!-- guards: end -->"
    assert listed(page) == ["spread: one"]
