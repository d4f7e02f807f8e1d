"""
How long to wait before asking again, somebody who answers and somebody who does not.

Whoever does not answer is waited for twice as long each time, so that a server that is down is not hammered;
and never exactly so long, or all who lost it at the same moment would come back at the same moment.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

LONGEST = timedelta(seconds=30)
"""A server that is back is met after that at the latest."""


class Pauses:
    """
    The pauses between questions to one server: *usual* ones while it answers, else longer and longer.

    *chance* gives numbers from 0 to 1.  Where *usual* is longer than *longest* it is never more than that.
    """

    def __init__(
        self, usual: timedelta, longest: timedelta = LONGEST, chance: Callable[[], float] = random.random
    ) -> None:
        self._usual = usual
        self._longest = max(usual, longest)
        self._chance = chance
        self._next = usual

    def after(self, *, answered: bool) -> timedelta:
        """The next one; without an answer between half of its length and all of it."""
        if answered:
            self._next = self._usual
            return self._usual
        pause = self._next
        self._next = min(2 * pause, self._longest)
        return pause * (0.5 + self._chance() / 2)
