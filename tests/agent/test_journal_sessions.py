"""What the journal keeps of sessions: added up, bounded, and together with the place in the log."""

from __future__ import annotations

from datetime import timedelta

from mailtrust.agent.journal import Journal
from mailtrust.core.sessions import OTHERS, Count, Met, Reason, Way
from tests.make import NOON, days

GOOD = Met("192.0.2.7", Way.FROM, Reason.PUBLISHED, "hub2.example.test", "ab" * 32, "cd" * 32)


def count(met: Met = GOOD, sessions: int = 1, at: timedelta = timedelta()) -> Count:
    return Count(met, sessions, NOON + at, NOON + at)


def test_counts_of_a_kind_and_day_add_up(journal: Journal) -> None:
    journal.count_sessions([count(), count(sessions=2, at=timedelta(hours=1)), count(at=days(1))])
    journal.count_sessions([count(at=-timedelta(hours=1))])

    first, second = sorted(journal.sessions(), key=lambda one: one.day)
    assert (first.sessions, second.sessions) == (4, 1)
    assert (first.first_at, first.last_at) == (NOON - timedelta(hours=1), NOON + timedelta(hours=1))


def test_a_place_in_a_log_is_kept_with_what_was_read_up_to_it(journal: Journal) -> None:
    assert journal.bookmark("/var/log/mail.log") is None

    assert journal.read_on("/var/log/mail.log", None, [count()], "line 7", NOON)
    assert journal.read_on("/var/log/mail.log", "line 7", [], "line 9", NOON)

    assert journal.bookmark("/var/log/mail.log") == "line 9"
    assert [one.sessions for one in journal.sessions()] == [1]


def test_two_who_read_the_same_lines_count_them_once(journal: Journal) -> None:
    assert journal.read_on("/var/log/mail.log", None, [count()], "line 7", NOON)
    assert not journal.read_on("/var/log/mail.log", None, [count()], "line 8", NOON)

    assert journal.bookmark("/var/log/mail.log") == "line 7"
    assert [one.sessions for one in journal.sessions()] == [1]


def test_a_stranger_with_a_new_certificate_each_time_does_not_fill_the_disk(journal: Journal) -> None:
    strange = [
        Met("192.0.2.9", Way.FROM, Reason.UNKNOWN_KEY, fingerprint=f"{number:064x}") for number in range(300)
    ]
    journal.count_sessions([count(one) for one in strange])

    held = journal.sessions()
    assert sum(one.sessions for one in held) == 300
    assert len(held) <= 51


def test_strangers_from_everywhere_do_not_fill_the_disk_either(journal: Journal) -> None:
    strange = [Met(f"2001:db8::{number:x}", Way.FROM, Reason.NO_TLS) for number in range(10_050)]
    journal.count_sessions([count(one) for one in strange])

    held = {one.met.peer: one.sessions for one in journal.sessions()}
    assert held[OTHERS] == 50
    assert len(held) == 10_001


def test_what_is_older_than_anybody_asks_for_is_let_go(journal: Journal) -> None:
    journal.count_sessions([count(at=-days(401))])
    journal.count_sessions([count()])

    assert [one.day for one in journal.sessions()] == [NOON.date()]
