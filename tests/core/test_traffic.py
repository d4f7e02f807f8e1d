"""Who authenticated to whom, and with what."""

from __future__ import annotations

from mailtrust.core.sessions import OTHERS, Count, Met, Reason, Way, Withdrawn
from mailtrust.core.traffic import legs, losses
from tests.make import HUB1, HUB2, NOON, days

PEER, PRINT = "192.0.2.7", "ab" * 32


def came(
    reason: Reason = Reason.PUBLISHED,
    *,
    day: int = 0,
    sessions: int = 1,
    way: Way = Way.FROM,
    peer: str = PEER,
) -> Count:
    at = NOON + days(day)
    server = HUB2 if reason.accepts else ""
    return Count(Met(peer, way, reason, server, PRINT if server else ""), sessions, at, at)


def test_the_days_of_one_peer_and_certificate_are_one_leg() -> None:
    [leg] = legs(HUB1, [came(sessions=5), came(day=1, sessions=2)], Withdrawn())

    assert (leg.caller, leg.called, leg.fingerprint, leg.taken) == (HUB2, HUB1, PRINT, 7)
    assert (leg.first_at, leg.last_at) == (NOON, NOON + days(1))


def test_a_route_leads_from_us_to_the_peer() -> None:
    [leg] = legs(HUB1, [came(way=Way.TO, peer="hub2.example.test:25")], Withdrawn())

    assert (leg.caller, leg.called) == (HUB1, HUB2)


def test_whoever_showed_nothing_is_known_by_address_and_comes_first() -> None:
    found = legs(HUB1, [came(sessions=900), came(Reason.NO_TLS, sessions=3)], Withdrawn())

    assert [(one.caller, one.taken, one.deferrals) for one in found] == [(PEER, 0, 3), (HUB2, 900, 0)]


def test_lost_lines_are_no_session_but_are_told() -> None:
    lost = Count(Met(OTHERS, Way.FROM, Reason.LOG_LOST), 1, NOON, NOON)

    assert legs(HUB1, [lost], Withdrawn()) == ()
    assert losses([lost]) == (NOON.date(),)


def test_days_before_are_left_out() -> None:
    [leg] = legs(HUB1, [came(), came(day=3)], Withdrawn(), since=(NOON + days(2)).date())

    assert leg.taken == 1
