"""
The hub's sessions by peer and reason, in memory until somebody writes them down.

A session must not wait for a disk, so it only adds one here; once a second what was added goes to the
journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime

from mailtrust.core.sessions import OTHERS, Count, Met

Keep = Callable[[Sequence[Count]], None]
"""Writes counts down for good; may block.  Raises: StoreUnavailable, and then it is tried again later."""

_KINDS_MOST = 10_000


class Tally:
    """Counts since the last `take`."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._counts: dict[tuple[date, Met], Count] = {}

    def add(self, met: Met) -> None:
        """One more session of that kind."""
        now = self._now()
        self._add(Count(met, 1, now, now))

    def take(self) -> tuple[Count, ...]:
        """What was added since, which is now the caller's to keep."""
        taken, self._counts = tuple(self._counts.values()), {}
        return taken

    def give_back(self, counts: Iterable[Count]) -> None:
        """They could not be kept: have them again."""
        for one in counts:
            self._add(one)

    def _add(self, count: Count) -> None:
        # Strangers may come with a new certificate each time, and must not fill our memory.
        for met in (count.met, count.met.unnamed, replace(count.met.unnamed, peer=OTHERS)):
            key = count.day, met
            if key in self._counts or len(self._counts) < _KINDS_MOST or met.peer == OTHERS:
                one = replace(count, met=met)
                self._counts[key] = self._counts[key].and_then(one) if key in self._counts else one
                return
