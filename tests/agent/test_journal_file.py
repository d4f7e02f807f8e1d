"""The journal's file: who may read it, and what it survives."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.agent.journal import EntryKind, Journal
from mailtrust.errors import StoreUnavailable
from tests.agent.journals import MISSING, diagnosed, kinds, met
from tests.make import DC1, DC2, HUB1, NOON, a_certificate, enabled


def test_a_journal_that_never_was_is_empty_and_reading_makes_no_file(journal: Journal) -> None:
    """A monitoring account looks first, and may not write."""
    assert journal.history().readable
    assert journal.entries() == journal.open_findings() == ()
    assert journal.acks(NOON) == ()
    assert journal.read_before(DC1) is None
    assert not journal.path.exists()


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
        "import sys; from pathlib import Path; from tests.agent.journals import met;"
        "from mailtrust.agent.journal import Journal; from tests.make import NOON;"
        "[Journal(Path(sys.argv[1])).record_raised(met(place=f'{sys.argv[2]}.{n}'), NOON) for n in range(10)]"
    )
    arguments = [sys.executable, "-c", script, str(journal.path.parent)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    writers = [subprocess.Popen([*arguments, str(number)], env=environment) for number in range(3)]

    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len(journal.entries()) == 30


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
