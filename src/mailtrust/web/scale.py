"""
A time axis on which both the minutes of a rotation and the years of a certificate can be told apart.

Its ticks stand at equal distances, and mean ever longer spans on both sides of now; between two ticks time
passes evenly.  So labels need no place of their own (a page may not say where things are, but by its style
sheet): a row of equal columns, one for each tick, lines up with the drawing below.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

WIDTH = 1000
"""Of the whole axis, in units of the drawing."""

SPANS = (
    ("minute", timedelta(minutes=1)), ("hour", timedelta(hours=1)), ("day", timedelta(days=1)),
    ("month", timedelta(days=30)), ("year", timedelta(days=365)), ("years", timedelta(days=1826)),
    ("decades", timedelta(days=7305)),
)  # fmt: skip
"""Codes of labels, and how long each is."""
_NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on the axis that has a name."""

    span: str
    """The code of the span between it and now; empty for now itself."""
    away: timedelta
    """Below zero: it is past."""

    @property
    def is_past(self) -> bool:
        """True for what lies before now."""
        return self.away < _NOTHING


@dataclass(frozen=True, slots=True)
class Scale:
    """The axis around one moment."""

    now: datetime
    ticks: tuple[Tick, ...]
    """The earliest first."""

    def at(self, moment: datetime) -> int:
        """Where on the axis a moment lies; what lies beyond its ends, at the end."""
        away = moment - self.now
        width = WIDTH / (len(self.ticks) - 1)
        for number, (one, other) in enumerate(pairwise(self.ticks)):
            if away < other.away:
                part = max((away - one.away) / (other.away - one.away), 0.0)
                return round((number + part) * width)
        return WIDTH

    @property
    def places(self) -> tuple[int, ...]:
        """Where the ticks stand."""
        return tuple(self.at(self.now + tick.away) for tick in self.ticks)


def scale(now: datetime, first: datetime, last: datetime) -> Scale:
    """The axis around *now* that reaches from *first* to *last*, and at least from one tick to the next."""
    past = [Tick(span, -length) for span, length in _reaching(now - first, SPANS)]
    # Nobody plans by the minute what ends in years.
    future = [Tick(span, length) for span, length in _reaching(last - now, SPANS[3:])]
    return Scale(now, (*reversed(past), Tick("", _NOTHING), *future))


def _reaching(
    length: timedelta, spans: tuple[tuple[str, timedelta], ...]
) -> tuple[tuple[str, timedelta], ...]:
    shorter = sum(span < length for _, span in spans)
    return spans[: shorter + 1]
