"""The journal: what it remembers, what it leaves out, and what it survives."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mailtrust.agent.journal import EntryKind, Journal
from mailtrust.core.events import catalog
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Diagnosis, Event, Finding, Severity, Silenced
from mailtrust.core.model.plan import Rotation
from mailtrust.core.model.sighting import Act, Dead, Intent
from mailtrust.errors import StoreUnavailable
from mailtrust.transports.base import Raised
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

MISSING = Finding(
    catalog.CERTIFICATE_MISSING, HUB1, DC1, "not-enabled", {"replica": DC1}, action="mailtrust enable"
)
UNREAD = Finding(catalog.REPLICA_UNREADABLE, HUB1, DC1)


def met(place: str = "127.0.0.1", event: Event = catalog.PEER_NOT_TRUSTED_INBOUND) -> Raised:
    return Raised(event, HUB1, place)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


def kinds(journal: Journal) -> list[EntryKind]:
    return [entry.kind for entry in journal.entries()]


def diagnosed(journal: Journal, *findings: Finding, at: int = 0, silenced: tuple[Silenced, ...] = ()) -> None:
    journal.record_diagnosis(Diagnosis(findings, silenced), [HUB1], NOON + minutes(at))


def test_a_journal_that_never_was_is_empty_and_reading_makes_no_file(journal: Journal) -> None:
    """A monitoring account looks first, and may not write."""
    assert journal.history().readable
    assert journal.entries() == journal.open_findings() == ()
    assert journal.acks(NOON) == ()
    assert journal.read_before(DC1) is None
    assert not journal.path.exists()


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


def test_others_may_read_the_journal_whatever_the_umask(journal: Journal) -> None:
    """A monitoring account has no key and needs the history."""
    before = os.umask(0o077)
    try:
        journal.record_act(enabled(a_certificate()))
    finally:
        os.umask(before)

    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o644


def test_a_journal_that_cannot_be_written_says_so_and_is_nothing_worse(tmp_path: Path) -> None:
    """Callers show it as a warning."""
    (tmp_path / "store").write_text("a file where the folder should be")
    journal = Journal(tmp_path / "store")

    with pytest.raises(StoreUnavailable, match=r"the journal .* cannot be written"):
        journal.record_act(enabled(a_certificate()))
    journal.remember(DC1, NOON)

    assert journal.read_before(DC1) is None
    assert not journal.history().readable


def test_a_damaged_journal_is_set_aside_and_said_once(journal: Journal) -> None:
    """Nothing of ours may stop because a diary is broken; and the damaged file may still be needed."""
    journal.path.write_bytes(b"no database" * 500)
    said: list[str] = []
    journal.tell = said.append

    assert not journal.history().readable
    diagnosed(journal, MISSING)
    diagnosed(journal, at=1)

    assert kinds(journal) == [EntryKind.OPENED, EntryKind.DAMAGED, EntryKind.CLOSED]
    aside = journal.path.with_name("journal.db.damaged-20260601T120000Z")
    assert aside.read_bytes().startswith(b"no database")
    assert len(said) == 1
    assert str(aside) in said[0]


def test_a_damaged_page_is_noticed_too(journal: Journal) -> None:
    """The header is well, and the table is not."""
    journal.record_act(enabled(a_certificate()))
    content = bytearray(journal.path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    journal.path.write_bytes(content)

    journal.record_act(enabled(a_certificate(), at=NOON))

    assert len(journal.history().acts) == 1


def test_a_journal_of_a_newer_release_is_left_alone(journal: Journal) -> None:
    """A downgrade must not destroy what it does not understand."""
    with sqlite3.connect(journal.path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(StoreUnavailable, match="newer mailtrust"):
        journal.record_act(enabled(a_certificate()))


def test_a_writer_killed_in_the_middle_leaves_the_last_whole_entry(journal: Journal) -> None:
    """The rollback journal is played back by whoever opens the file next."""
    journal.record_act(enabled(a_certificate()))
    script = (
        "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "db.execute('PRAGMA cache_size = 1'); db.execute('BEGIN IMMEDIATE');"
        "[db.execute('INSERT INTO flood VALUES (?, ?, 0)', (str(n), 'x' * 900)) for n in range(200)];"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(journal.path)], check=False)
    assert journal.path.with_name("journal.db-journal").exists()

    journal.record_act(enabled(a_certificate(), at=NOON))

    assert len(journal.history().acts) == 2
    assert journal.record_raised(met(), NOON)


def test_several_processes_write_side_by_side(journal: Journal) -> None:
    """The hub and a command do."""
    script = (
        "import sys; from pathlib import Path; from tests.agent.test_journal import met;"
        "from mailtrust.agent.journal import Journal; from tests.make import NOON;"
        "[Journal(Path(sys.argv[1])).record_raised(met(place=f'{sys.argv[2]}.{n}'), NOON) for n in range(10)]"
    )
    arguments = [sys.executable, "-c", script, str(journal.path.parent)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    writers = [subprocess.Popen([*arguments, str(number)], env=environment) for number in range(3)]

    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len(journal.entries()) == 30


def test_only_the_latest_latencies_are_kept(journal: Journal) -> None:
    """What was long ago says nothing about today's links."""
    for number in range(25):
        journal.record_latency(DC2, timedelta(seconds=number), NOON)

    assert [one.total_seconds() for one in journal.latencies()[DC2]] == list(range(5, 25))
    assert DC1 not in journal.latencies()


def test_a_journal_of_the_first_release_is_read_and_grows(journal: Journal) -> None:
    """Nothing that it holds is lost."""
    journal.record_act(enabled(a_certificate()))
    with sqlite3.connect(journal.path) as db:
        later = ("latency", "since", "intent", "dead", "session", "bookmark")
        for table in (*later, "reader", "told", "notice", "way"):
            db.execute(f"DROP TABLE {table}")
        db.execute("PRAGMA user_version = 1")

    before = journal.latencies()
    history = journal.history(own=HUB1)
    assert (journal.sessions(), journal.bookmark("mail.log")) == ((), None)
    journal.record_latency(DC2, timedelta(seconds=3), NOON)

    assert before == {}
    assert (len(history.acts), history.since, history.intent, history.dead) == (1, {}, None, ())
    assert journal.latencies() == {DC2: (timedelta(seconds=3),)}
    assert len(journal.history().acts) == 1


def test_a_dry_run_measures_nothing(journal: Journal) -> None:
    journal.read_only = True

    journal.record_latency(DC2, timedelta(seconds=3), NOON)

    assert not journal.path.exists()


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
