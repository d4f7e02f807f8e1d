"""
How long to wait before asking again somebody who does not answer.

Each time twice as long, so that a server that is down is not hammered; and never exactly so long, or all
who lost it at the same moment would come back at the same moment.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta

LONGEST = timedelta(seconds=30)
"""A server that is back is met after that at the latest."""


def pauses(
    first: timedelta, longest: timedelta = LONGEST, chance: Callable[[], float] = random.random
) -> Iterator[timedelta]:
    """
    One pause after the other, without end: each between half of its length and all of it.

    *chance* gives numbers from 0 to 1.  Where *first* is longer than *longest* it stays as it is.
    """
    pause = first
    while True:
        yield pause * (0.5 + chance() / 2)
        pause = max(first, min(2 * pause, longest))
