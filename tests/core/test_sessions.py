"""From counted sessions to a peer's report: reasons, and clean days in a row."""

from __future__ import annotations

from datetime import date

import pytest

from mailtrust.core.sessions import (
    OTHERS,
    Count,
    Met,
    Reason,
    Way,
    Withdrawn,
    clean_days,
    gathered,
    reports,
)
from tests.make import HUB2, NOON, days

PEER = "192.0.2.7"
PRINT, PIN = "ab" * 32, "cd" * 32


def came(
    reason: Reason = Reason.PUBLISHED,
    *,
    day: int = 0,
    sessions: int = 1,
    peer: str = PEER,
    way: Way = Way.FROM,
    fingerprint: str = "",
    pin: str = "",
) -> Count:
    at = NOON + days(day)
    server = HUB2 if reason.accepts else ""
    return Count(Met(peer, way, reason, server, fingerprint, pin), sessions, at, at)


def test_what_would_be_deferred_is_told_by_its_reason() -> None:
    counts = [came(sessions=5), came(Reason.NO_TLS), came(Reason.UNKNOWN_KEY, sessions=3)]
    [report] = reports(counts, Withdrawn())

    assert (report.peer, report.would_accept, report.servers) == (PEER, 5, (HUB2,))
    assert list(report.would_defer.items()) == [(Reason.UNKNOWN_KEY, 3), (Reason.NO_TLS, 1)]
    assert not report.clean


@pytest.mark.parametrize("digest", ["fingerprint", "pin"])
def test_a_key_that_was_withdrawn_is_told_from_one_that_nobody_knows(digest: str) -> None:
    presented = {digest: "ef" * 32}
    [report] = reports([came(Reason.UNKNOWN_KEY, **presented)], Withdrawn({"ef" * 32: HUB2}))

    assert dict(report.would_defer) == {Reason.WITHDRAWN_KEY: 1}
    assert report.last_deferred is not None
    assert report.last_deferred.met.server == HUB2


def test_a_key_that_was_believed_once_was_withdrawn_since() -> None:
    """Where the directory forgets what it held, the counts remember."""
    counts = [came(fingerprint=PRINT, pin=PIN), came(Reason.UNKNOWN_KEY, day=3, pin=PIN)]
    [report] = reports(counts, Withdrawn())

    assert dict(report.would_defer) == {Reason.WITHDRAWN_KEY: 1}


@pytest.mark.parametrize(
    ("counts", "row"),
    [
        ([], 0),
        ([came(day=day) for day in range(7)], 7),
        ([came(Reason.NO_TLS), *(came(day=day) for day in range(1, 4))], 3),
        ([came(day=0), came(day=1), came(Reason.NO_TLS, day=1)], 0),
        # Nobody works on Sunday: that is no evidence, for or against.
        ([came(day=0), came(day=1), came(day=5)], 3),
    ],
)
def test_clean_days_are_counted_back_from_the_last_one(counts: list[Count], row: int) -> None:
    assert clean_days(counts) == row


def test_a_day_of_which_the_log_was_lost_is_not_clean() -> None:
    lost = came(Reason.LOG_LOST, day=2, peer=OTHERS)
    [report] = reports([*(came(day=day) for day in range(5)), lost], Withdrawn())

    assert report.clean_days == 2


def test_the_days_that_are_shown_do_not_shorten_the_row() -> None:
    counts = [came(Reason.NO_TLS), *(came(day=day) for day in range(1, 10))]
    [report] = reports(counts, Withdrawn(), since=date(2026, 6, 8))

    assert (report.would_accept, report.clean_days, report.clean) == (3, 9, True)


def test_who_did_not_come_in_these_days_is_not_shown() -> None:
    assert reports([came()], Withdrawn(), since=date(2026, 6, 8)) == ()


def test_the_two_ways_are_told_apart() -> None:
    found = reports([came(way=Way.TO), came(), came(peer="192.0.2.1")], Withdrawn())

    assert [(one.peer, one.way) for one in found] == [
        ("192.0.2.1", Way.FROM), (PEER, Way.FROM), (PEER, Way.TO),
    ]  # fmt: skip


def test_counts_of_one_kind_and_day_are_gathered() -> None:
    [one] = gathered([came(), came(sessions=2)])

    assert one.sessions == 3


def test_a_kind_without_its_certificate_is_another_kind() -> None:
    met = came(fingerprint=PRINT, pin=PIN).met

    assert met.unnamed == came().met
