"""Where on a drawing things stand."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from mailtrust.core.punctuality import Arrival, Missing, Punctuality, Spell, Trouble
from mailtrust.web.charts import HEIGHT, WIDTH, Band, chart
from mailtrust.web.scale import scale
from tests.make import DC2, HUB1, NOON, a_certificate, days, minutes

LEAF = a_certificate().fingerprint


def test_minutes_and_years_have_room_side_by_side() -> None:
    axis = scale(NOON, NOON - days(400), NOON + days(1800))

    assert [tick.span for tick in axis.ticks] == [
        "years", "year", "month", "day", "hour", "minute", "", "month", "year", "years",
    ]  # fmt: skip
    distances = {other - one for one, other in pairwise(axis.places)}
    assert max(distances) - min(distances) <= 1
    assert axis.at(NOON - minutes(5)) < axis.at(NOON - minutes(1)) < axis.at(NOON)


def test_a_moment_stands_between_its_ticks() -> None:
    axis = scale(NOON, NOON - minutes(1), NOON)

    assert [tick.span for tick in axis.ticks] == ["minute", "", "month"]
    assert axis.at(NOON - timedelta(seconds=30)) == 250


def test_what_lies_beyond_stands_at_the_end() -> None:
    axis = scale(NOON, NOON - days(1), NOON + days(20))

    assert (axis.at(NOON - days(9000)), axis.at(NOON + days(90000))) == (0, WIDTH)


def replica(**more: object) -> Punctuality:
    return Punctuality(DC2, home=False, primary=False, why=None, allowed=minutes(15), **more)  # type: ignore[arg-type]


def test_what_took_longer_than_allowed_stands_above_the_line() -> None:
    quick, slow = (
        Arrival(DC2, HUB1, LEAF, NOON - minutes(ago), minutes(took)) for ago, took in ((60, 5), (30, 40))
    )
    drawn = chart(replica(arrivals=(quick, slow)), NOON)

    [(_, low, low_is_late), (_, high, high_is_late)] = drawn.dots
    assert high < drawn.allowed < low
    assert (low_is_late, high_is_late) == (False, True)
    assert drawn.since == NOON - minutes(70)


def test_a_spell_that_goes_on_reaches_to_the_edge() -> None:
    spell = Spell(DC2, Trouble.UNREAD, NOON - minutes(5), None)

    assert chart(replica(spells=(spell,)), NOON).bands == (Band(Trouble.UNREAD, 500, 500),)


def test_what_is_missing_grows_until_now() -> None:
    lack = Missing(HUB1, LEAF, NOON - minutes(20), NOON - minutes(5), is_late=True, command=None)
    drawn = chart(replica(missing=(lack,)), NOON)

    [(left, right, height, is_late)] = drawn.growing
    assert (left, right, is_late) == (0, WIDTH, True)
    assert 0 < height < drawn.allowed < HEIGHT
