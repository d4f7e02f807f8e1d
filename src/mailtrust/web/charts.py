"""The drawing of one replica's lag over time: where on it each thing stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mailtrust.core.punctuality import Punctuality, Trouble

WIDTH, HEIGHT = 1000, 120
"""In units of the drawing; the style sheet makes it as large as there is room."""
_LEAST_SPAN = timedelta(minutes=10)
_HEADROOM = 1.25


@dataclass(frozen=True, slots=True)
class Band:
    """A while in which it was in trouble."""

    trouble: Trouble
    left: int
    width: int


@dataclass(frozen=True, slots=True)
class Chart:
    """Time from left to right, lag from the bottom up."""

    since: datetime
    until: datetime
    most: timedelta
    """The lag at the upper edge."""
    allowed: int
    """The height of the line that lag may not cross, from above."""
    dots: tuple[tuple[int, int, bool], ...]
    """What arrived: when, after how long, and whether that was too late."""
    bands: tuple[Band, ...]
    growing: tuple[tuple[int, int, int, bool], ...]
    """What is missing: from when it was published to now, how long that is, and whether it is late."""


def chart(one: Punctuality, now: datetime) -> Chart:
    """The chart of one replica, as far back as there is something to be shown."""
    begins = [
        *(arrival.at - arrival.took for arrival in one.arrivals), *(spell.since for spell in one.spells),
        *(missing.published_at for missing in one.missing), now - _LEAST_SPAN,
    ]  # fmt: skip
    since = min(begins)
    lags = [
        *(arrival.took for arrival in one.arrivals), *(now - missing.published_at for missing in one.missing)
    ]  # fmt: skip
    most = max([one.allowed, *lags]) * _HEADROOM

    def across(moment: datetime) -> int:
        return round(min(max((moment - since) / (now - since), 0.0), 1.0) * WIDTH)

    def up(lag: timedelta) -> int:
        return HEIGHT - round(min(max(lag / most, 0.0), 1.0) * HEIGHT) if most else HEIGHT

    return Chart(
        since, now, most, up(one.allowed),
        # A fleet arrives all at once: dots that hide each other are one.
        tuple(
            dict.fromkeys(
                (across(arrival.at), up(arrival.took), arrival.took > one.allowed) for arrival in one.arrivals
            )
        ),
        tuple(
            Band(spell.trouble, across(spell.since), max(across(spell.until or now) - across(spell.since), 4))
            for spell in one.spells
        ),
        tuple(
            (across(missing.published_at), across(now), up(now - missing.published_at), missing.is_late)
            for missing in one.missing[:1]
        ),
    )  # fmt: skip
