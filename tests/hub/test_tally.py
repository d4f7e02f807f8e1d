"""The hub's own count of sessions, while nobody has written it down."""

from __future__ import annotations

from mailtrust.core.sessions import OTHERS, Met, Reason, Way
from mailtrust.transports.hub.tally import Tally
from tests.make import NOON


def stranger(number: int, peer: str = "192.0.2.9") -> Met:
    return Met(peer, Way.FROM, Reason.UNKNOWN_KEY, fingerprint=f"{number:064x}")


def test_what_is_taken_is_counted_anew() -> None:
    tally = Tally(lambda: NOON)
    tally.add(stranger(1))
    tally.add(stranger(1))
    [first] = tally.take()
    tally.add(stranger(1))
    tally.give_back([first])

    assert first.sessions == 2
    assert [one.sessions for one in tally.take()] == [3]
    assert tally.take() == ()


def test_strangers_do_not_fill_the_memory() -> None:
    tally = Tally(lambda: NOON)
    for number in range(10_000):
        tally.add(stranger(number))
    for number in range(500):
        tally.add(stranger(number, f"2001:db8::{number:x}"))

    taken = tally.take()
    assert sum(one.sessions for one in taken) == 10_500
    assert len(taken) == 10_001
    assert taken[-1].met.peer == OTHERS
