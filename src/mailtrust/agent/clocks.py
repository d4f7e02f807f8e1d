"""
Whether our clock was set between two looks: then nobody knows how long ago the last one was.

The clock on the wall is compared with one that only counts.  Linux' monotonic clock stands still while a host
is suspended, so that waking up shows as a step, too; and rightly, for nobody looked meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from mailtrust import clock

MOST = timedelta(seconds=5)
"""Less than that is a clock being kept right (chrony steps by less, and slews the rest)."""


class Clocks:
    """The wall's clock and the counter, as they were at the last look."""

    def __init__(
        self, now: Callable[[], datetime] = clock.now, counter: Callable[[], float] = time.monotonic
    ) -> None:
        self._now, self._counter = now, counter
        self._before = now(), counter()

    def step(self) -> timedelta | None:
        """How far the clock was set since the last question, backwards below zero; None where it was not."""
        wall, count = self._before
        self._before = self._now(), self._counter()
        moved = (self._before[0] - wall) - timedelta(seconds=self._before[1] - count)
        return moved if abs(moved) > MOST else None
