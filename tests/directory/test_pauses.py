"""Waiting longer and longer, and never all at once."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import islice

from mailtrust.directory.pauses import LONGEST, pauses


def first_ten(first: timedelta, longest: timedelta = LONGEST, share: float = 1.0) -> list[float]:
    return [one.total_seconds() for one in islice(pauses(first, longest, lambda: share), 10)]


def test_each_pause_is_twice_the_one_before_up_to_the_longest() -> None:
    assert first_ten(timedelta(seconds=1), timedelta(seconds=20)) == [1, 2, 4, 8, 16, 20, 20, 20, 20, 20]


def test_chance_takes_away_up_to_half() -> None:
    assert first_ten(timedelta(seconds=4), timedelta(seconds=4), share=0.0) == [2.0] * 10
    assert len({round(next(pauses(LONGEST, chance=random.random)).total_seconds(), 6) for _ in range(50)}) > 1


def test_a_first_pause_that_is_long_already_stays() -> None:
    assert first_ten(timedelta(minutes=5)) == [300.0] * 10
