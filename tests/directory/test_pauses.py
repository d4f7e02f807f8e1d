"""Waiting longer and longer for whoever does not answer, and never all at once."""

from __future__ import annotations

from datetime import timedelta

from mailtrust.directory.pauses import LONGEST, Pauses

SECOND = timedelta(seconds=1)


def unanswered(pauses: Pauses, times: int) -> list[float]:
    return [pauses.after(answered=False) / SECOND for _ in range(times)]


def test_each_pause_is_twice_the_one_before_up_to_the_longest() -> None:
    pauses = Pauses(SECOND, 20 * SECOND, lambda: 1.0)

    assert unanswered(pauses, 7) == [1, 2, 4, 8, 16, 20, 20]


def test_an_answer_makes_them_short_again() -> None:
    pauses = Pauses(SECOND, chance=lambda: 1.0)

    assert unanswered(pauses, 3) == [1, 2, 4]
    assert pauses.after(answered=True) == SECOND
    assert unanswered(pauses, 2) == [1, 2]


def test_chance_takes_away_up_to_half_and_differs() -> None:
    assert unanswered(Pauses(4 * SECOND, 4 * SECOND, lambda: 0.0), 3) == [2, 2, 2]
    assert len(set(unanswered(Pauses(LONGEST), 50))) > 1


def test_a_usual_pause_that_is_long_already_stays() -> None:
    assert unanswered(Pauses(300 * SECOND, chance=lambda: 1.0), 3) == [300, 300, 300]
