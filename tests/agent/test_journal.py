"""The journal: what it remembers, and what it leaves out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from mailtrust.agent.journal import EntryKind, Journal
from mailtrust.core.events import catalog
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Diagnosis, Finding, Severity, Silenced
from mailtrust.core.model.plan import Rotation
from mailtrust.core.model.sighting import Act, Dead, Intent
from mailtrust.transports.base import Raised
from tests.agent.journals import MISSING, diagnosed, kinds, met
from tests.make import (
    DC1,
    DC2,
    ENDPOINT,
    HUB1,
    HUB2,
    NOON,
    a_certificate,
    a_dead_wire,
    a_replica,
    a_wire,
    an_unread_replica,
    enabled,
    minutes,
)

UNREAD = Finding(catalog.REPLICA_UNREADABLE, HUB1, DC1)


def test_an_act_is_remembered_with_its_place_and_its_failure(journal: Journal) -> None:
    """`not-written` is proven by it."""
    leaf = a_certificate()
    journal.record_act(enabled(leaf, failed="no answer"))
    journal.record_act(enabled(leaf, at=NOON))

    history = journal.history()
    assert [act.failed for act in history.acts] == ["no answer", ""]
    assert history.last("enable", HUB1, leaf.fingerprint) == enabled(leaf, at=NOON)
    [done] = journal.entries()
    assert (done.kind, done.action, done.server, done.at) == (EntryKind.DONE, "enable", HUB1, NOON)


def test_the_history_of_one_server_leaves_the_others_out(journal: Journal) -> None:
    """A fleet's journal may be long."""
    leaf = a_certificate()
    journal.record_act(enabled(leaf))
    journal.record_act(Act("enable", HUB2, leaf.fingerprint, NOON))
    journal.record_seen([a_wire(leaf), a_wire(leaf, server=HUB2)], NOON)

    history = journal.history(HUB2)

    assert [act.server for act in history.acts] == [HUB2]
    assert {server for server, _, _ in history.first_seen} == {HUB2}


def test_what_was_first_seen_keeps_its_first_date(journal: Journal) -> None:
    """Since when: the question of every rotation."""
    leaf = a_certificate()
    journal.record_seen([a_wire(leaf), a_replica(DC1, leaf)], NOON)
    journal.record_seen([a_wire(leaf), a_replica(DC2, leaf)], NOON + minutes(5))

    seen = journal.history().first_seen
    assert seen[HUB1, "127.0.0.1:2525", leaf.fingerprint] == NOON
    assert seen[HUB1, DC1, leaf.fingerprint] == NOON
    assert seen[HUB1, DC2, leaf.fingerprint] == NOON + minutes(5)


def test_a_finding_opens_once_and_closes_once(journal: Journal) -> None:
    """However often `check` runs."""
    diagnosed(journal, MISSING)
    diagnosed(journal, MISSING, at=1)
    diagnosed(journal, at=2)
    diagnosed(journal, at=3)

    opened, closed = journal.entries()
    assert (opened.kind, opened.at, opened.cause) == (EntryKind.OPENED, NOON, "not-enabled")
    assert (closed.kind, closed.at, closed.event) == (EntryKind.CLOSED, NOON + minutes(2), MISSING.event)
    assert closed.finding == MISSING
    assert journal.open_findings() == ()


def test_a_finding_changes_when_its_cause_severity_or_action_does(journal: Journal) -> None:
    """Its evidence, and the minutes in it, change with every look and are no news."""
    diagnosed(journal, MISSING)
    other = Finding(MISSING.event, HUB1, DC1, "overdue", action="mailtrust enable")
    diagnosed(journal, other, at=1)
    milder = Finding(
        MISSING.event, HUB1, DC1, "overdue", action="mailtrust enable", severity_here=Severity.WARNING
    )
    diagnosed(journal, milder, at=2)
    diagnosed(journal, Finding(MISSING.event, HUB1, DC1, "overdue", severity_here=Severity.WARNING), at=3)

    assert kinds(journal) == [EntryKind.OPENED, *[EntryKind.CHANGED] * 3]
    [open_one] = journal.open_findings()
    assert (open_one.at, open_one.cause, open_one.severity) == (NOON, "overdue", Severity.WARNING)


def test_what_was_not_looked_at_does_not_close(journal: Journal) -> None:
    """`check` of one server says nothing about another."""
    diagnosed(journal, MISSING)

    journal.record_diagnosis(Diagnosis(), [HUB2], NOON + minutes(1))

    assert len(journal.open_findings()) == 1


def test_a_finding_at_a_place_that_cannot_be_read_stays_open(journal: Journal) -> None:
    """ "We could not look" is not "there is none"."""
    diagnosed(journal, MISSING)
    diagnosed(journal, UNREAD, at=1)
    diagnosed(journal, at=2)

    assert kinds(journal) == [EntryKind.OPENED, EntryKind.OPENED, EntryKind.CLOSED, EntryKind.CLOSED]
    assert [entry.at for entry in journal.entries(event=12012)] == [NOON, NOON + minutes(2)]


def test_a_silenced_finding_neither_opens_nor_closes(journal: Journal) -> None:
    """It is a consequence: it is still there, and it is not news."""
    consequence = Finding(catalog.NOT_IN_STORE, HUB1, DC1)
    diagnosed(journal, MISSING, silenced=(Silenced(consequence, MISSING),))
    diagnosed(journal, MISSING, consequence, at=1)
    diagnosed(journal, MISSING, silenced=(Silenced(consequence, MISSING),), at=2)

    assert [(entry.kind, entry.event) for entry in journal.entries()] == [
        (EntryKind.OPENED, catalog.CERTIFICATE_MISSING),
        (EntryKind.OPENED, catalog.NOT_IN_STORE),
    ]


def test_an_acknowledged_finding_is_not_called_mended(journal: Journal) -> None:
    """The acknowledgement takes it out of the diagnosis, not out of the world."""
    diagnosed(journal, MISSING)
    journal.ack(12012, HUB1, NOON + minutes(30), "hub1 is being rebuilt", NOON)
    diagnosed(journal, at=10)
    diagnosed(journal, at=40)

    assert kinds(journal) == [EntryKind.OPENED, EntryKind.ACKNOWLEDGED, EntryKind.CLOSED]
    assert [ack.reason for ack in journal.acks(NOON + minutes(10))] == ["hub1 is being rebuilt"]
    assert journal.acks(NOON + minutes(30)) == ()


def test_an_acknowledgement_without_a_server_covers_them_all(journal: Journal) -> None:
    """A known fault of the whole organization."""
    journal.ack(12108, None, NOON + minutes(30), "not yet", NOON)

    [ack] = journal.acks(NOON)
    assert ack.covers(12108, HUB1)
    assert ack.covers(12108, HUB2)
    assert not ack.covers(12012, HUB1)


def test_a_raised_event_is_written_once_in_a_quarter_of_an_hour(journal: Journal) -> None:
    """A peer that tries every second must not fill the disk; the next entry says how often it tried."""
    written = [journal.record_raised(met(), NOON + timedelta(seconds=after)) for after in (0, 1, 899, 900)]

    assert written == [True, False, False, True]
    assert [entry.suppressed for entry in journal.entries(event=1036)] == [0, 2]


def test_another_place_is_another_problem(journal: Journal) -> None:
    """The key is event, server and place."""
    assert journal.record_raised(met(), NOON)
    assert journal.record_raised(met(place="127.0.0.2"), NOON)
    assert journal.record_raised(met(event=catalog.PEER_NOT_TRUSTED_OUTBOUND), NOON)


def test_entries_are_found_by_server_event_time_and_number(journal: Journal) -> None:
    """What `events` asks."""
    for minute in range(5):
        server = HUB1 if minute % 2 else HUB2
        journal.record_raised(
            Raised(catalog.PEER_NOT_TRUSTED_INBOUND, server, f"127.0.0.{minute}"), NOON + minutes(minute)
        )

    first = journal.entries()[0]
    assert [entry.place for entry in journal.entries(server=HUB1)] == ["127.0.0.1", "127.0.0.3"]
    assert journal.entries(event=12012) == ()
    between = journal.entries(since=NOON + minutes(1), until=NOON + minutes(3))
    assert [entry.place for entry in between] == ["127.0.0.1", "127.0.0.2"]
    assert len(journal.entries(after_id=first.id)) == 4
    assert [entry.place for entry in journal.entries(limit=2)] == ["127.0.0.3", "127.0.0.4"]


def test_a_replica_that_was_read_is_remembered(journal: Journal) -> None:
    """So that a file which is gone is not taken for one that never was."""
    journal.remember(DC1, NOON)
    journal.remember(DC1, NOON + minutes(1))
    assert journal.read_before(DC1) == NOON

    journal.remember(DC1, NOON + minutes(61))
    assert journal.read_before(DC1) == NOON + minutes(61)


def test_only_the_latest_latencies_are_kept(journal: Journal) -> None:
    """What was long ago says nothing about today's links."""
    for number in range(25):
        journal.record_latency(DC2, timedelta(seconds=number), NOON)

    assert [one.total_seconds() for one in journal.latencies()[DC2]] == list(range(5, 25))
    assert DC1 not in journal.latencies()


def test_since_when_something_is_seen_begins_anew_when_it_was_missing_once(journal: Journal) -> None:
    """
    A replica that came back from a backup, or a process that showed the old file in between, which nobody
    may have seen.
    """
    leaf, other = a_certificate(), a_certificate(key="other")
    place = str(ENDPOINT)

    def seen(*leaves: Certificate, at: float) -> dict[str, datetime]:
        journal.record_seen(
            [a_wire(*leaves), a_dead_wire()] if leaves else [a_dead_wire()], NOON + minutes(at)
        )
        history = journal.history(own=HUB1)
        assert history.first_seen[HUB1, place, leaf.fingerprint] == NOON
        return {fingerprint: moment for (_, _, fingerprint), moment in history.since.items()}

    assert seen(leaf, at=0) == seen(leaf, at=1) == {leaf.fingerprint: NOON}
    assert seen(at=2) == {}
    assert seen(other, at=3) == {other.fingerprint: NOON + minutes(3)}
    assert seen(leaf, at=4) == {leaf.fingerprint: NOON + minutes(4)}
    journal.forget_since(NOON + minutes(5))
    assert journal.history(own=HUB1).since == {}


def test_a_replica_that_cannot_be_read_is_no_news_of_what_it_holds(journal: Journal) -> None:
    """That it cannot be read holds a rotation back by itself."""
    leaf = a_certificate()

    journal.record_seen([a_replica(DC1, leaf)], NOON)
    journal.record_seen([an_unread_replica(DC1)], NOON + minutes(1))

    assert journal.history(own=HUB1).since == {(HUB1, DC1, leaf.fingerprint): NOON}


def test_a_rotation_is_remembered_until_it_ends_or_another_one_begins(journal: Journal) -> None:
    new, old = a_certificate(), a_certificate(key="other")
    forth = Rotation(HUB1, new.fingerprint, old=frozenset({old.fingerprint}))
    back = replace(forth.undone(old.fingerprint), compromised=True)

    journal.begin(Intent(forth, "start", NOON))
    begun = journal.history(own=HUB1).intent
    journal.begin(Intent(back, "undo", NOON + minutes(1)))
    turned = journal.history(own=HUB1).intent
    journal.end(back, "done", NOON + minutes(2))
    journal.end(back, "done", NOON + minutes(3))

    assert begun == Intent(forth, "start", NOON)
    assert turned == Intent(back, "undo", NOON + minutes(1))
    assert journal.history(own=HUB1).intent is journal.history(own=HUB2).intent is None
    assert [entry.action for entry in journal.entries()] == ["rotate start", "rotate undo", "rotation done"]


def test_the_last_word_on_a_dead_replica_counts(journal: Journal) -> None:
    gone = Dead(DC2, NOON + minutes(60), "the disk is gone", NOON)
    alive = replace(gone, until=NOON + minutes(1), reason="it is back", declared_at=NOON + minutes(1))

    journal.declare_dead(gone)
    dead = journal.history().is_dead(DC2, NOON)
    journal.declare_dead(alive)

    assert dead
    assert journal.history().dead == (alive,)
    assert not journal.history().is_dead(DC2, NOON + minutes(1))
    assert [(entry.action, entry.note) for entry in journal.entries()] == [
        ("declare dead", "the disk is gone"), ("declare alive", "it is back")
    ]  # fmt: skip
