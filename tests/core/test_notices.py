"""Who is told what, and when: never too often, and never the wrong last word."""

from __future__ import annotations

from datetime import datetime

from mailtrust.core.events.message_id import message_id
from mailtrust.core.model.event import Severity
from mailtrust.core.notices import Told, Turn, due, forgotten
from tests.make import NOON, minutes

HOLD = minutes(15)
KEY = "12012/hub1.example.test/dc1"
ERROR, WARNING, INFORMATION = Severity.ERROR, Severity.WARNING, Severity.INFORMATION


def turns(
    severity: Severity | None, told: Told | None, at: float = 0, mildest: Severity = WARNING
) -> list[Turn]:
    """What is told of one incident: *severity* where it is open."""
    held = {KEY: severity} if severity else {}
    before = {KEY: told} if told else {}
    return [turn for _, turn in due(held, before, NOON + minutes(at), HOLD, mildest)]


def told(severity: Severity = ERROR, *, is_open: bool = True, at: datetime = NOON) -> Told:
    return Told(is_open, severity, at)


def test_what_opens_is_told_at_once_and_once() -> None:
    assert turns(ERROR, None) == [Turn.OPENED]
    assert turns(ERROR, told(), 1) == []
    assert turns(ERROR, told(), 60) == []


def test_what_closes_is_told_at_once() -> None:
    assert turns(None, told(), 1) == [Turn.CLOSED]
    assert turns(None, told(is_open=False), 1) == []


def test_what_opens_again_is_held_until_it_is_quiet() -> None:
    assert turns(ERROR, told(is_open=False), 14) == []
    assert turns(ERROR, told(is_open=False), 15) == [Turn.OPENED]


def test_what_becomes_worse_is_told_after_that_time_as_well() -> None:
    assert turns(ERROR, told(WARNING), 1) == []
    assert turns(ERROR, told(WARNING), 15) == [Turn.WORSE]
    assert turns(WARNING, told(ERROR), 15) == []


def test_what_is_mild_is_not_told_unless_it_is_asked_for() -> None:
    assert turns(INFORMATION, None) == []
    assert turns(INFORMATION, None, mildest=INFORMATION) == [Turn.OPENED]


def test_what_becomes_mild_is_over() -> None:
    assert turns(INFORMATION, told(), 1) == [Turn.CLOSED]


def test_a_clock_that_was_set_back_holds_nothing_up() -> None:
    assert turns(ERROR, told(is_open=False), -600) == [Turn.OPENED]


def test_one_that_flaps_all_day_is_told_twice_in_a_quarter_of_an_hour() -> None:
    """And the last word is how it stands."""
    known: dict[str, Told] = {}
    said: list[tuple[float, Turn]] = []
    for second in range(0, 3600, 10):
        is_open = second % 20 == 0
        held = {KEY: ERROR} if is_open else {}
        for key, turn in due(held, known, NOON + minutes(second / 60), HOLD):
            at = known[key].at if turn is Turn.CLOSED else NOON + minutes(second / 60)
            known[key] = Told(turn is not Turn.CLOSED, ERROR, at)
            said.append((second, turn))

    assert said == [
        (0, Turn.OPENED), (10, Turn.CLOSED), (900, Turn.OPENED), (910, Turn.CLOSED),
        (1800, Turn.OPENED), (1810, Turn.CLOSED), (2700, Turn.OPENED), (2710, Turn.CLOSED),
    ]  # fmt: skip


def test_what_is_over_is_forgotten_when_it_need_not_be_held_any_more() -> None:
    closed, still = told(is_open=False), told()

    assert forgotten({KEY: closed}, NOON + minutes(14), HOLD) == ()
    assert forgotten({KEY: closed, "other": still}, NOON + HOLD, HOLD) == (KEY,)


def test_each_event_has_a_number_of_its_own_in_the_journal_of_systemd() -> None:
    assert message_id(12012) != message_id(12013)
    assert len(message_id("done")) == 32
