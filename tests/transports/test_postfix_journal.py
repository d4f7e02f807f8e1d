"""Postfix's log in systemd's own journal, written by systemd's own tool and read by journalctl."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailtrust.core.sessions import Reason
from mailtrust.transports.postfix.maillog import JOURNAL, Maillog
from tests.programs import needs, program

pytestmark = needs("journalctl", "/lib/systemd/systemd-journal-remote")
BEGAN = datetime(2026, 11, 25, 17, 0, tzinfo=UTC)
NOW = BEGAN + timedelta(hours=1)
SESSION = ("connect from a[192.0.2.7]", "disconnect from a[192.0.2.7] ehlo=1 mail=1 rcpt=1 quit=1 commands=4")


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of journal files, which journalctl reads instead of this machine's."""
    files, commands = tmp_path / "journal", tmp_path / "bin"
    files.mkdir()
    commands.mkdir()
    (commands / "journalctl").write_text(f'#!/bin/sh\nexec {program("journalctl")} -D {files} "$@"\n')
    (commands / "journalctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(commands), prepend=":")
    return files


def write(journal: Path, name: str, sessions: int, minute: int) -> None:
    """A file with so many sessions, one a second."""
    entries = []
    for second in range(sessions):
        for step, text in enumerate(SESSION):
            at = BEGAN + timedelta(minutes=minute, seconds=second, microseconds=step)
            since = int((at - BEGAN) / timedelta(microseconds=1)) + 1
            entries.append(
                f"__REALTIME_TIMESTAMP={round(at.timestamp() * 1e6)}\n__MONOTONIC_TIMESTAMP={since}\n"
                f"_BOOT_ID={7:032x}\n_COMM=smtpd\n_PID=7\nSYSLOG_IDENTIFIER=postfix/smtpd\nMESSAGE={text}\n\n"
            )
    tool = program("/lib/systemd/systemd-journal-remote")
    assert tool is not None
    subprocess.run(
        [tool, "-o", str(journal / name), "-"],
        input="".join(entries).encode(),
        check=True,
        capture_output=True,
    )


def read(place: str | None = None) -> tuple[int, Maillog]:
    reading = Maillog(JOURNAL, place, NOW)
    found = list(reading.sessions())
    assert {one.reason for one in found} <= {Reason.NO_TLS}
    return len(found), reading


def test_the_journal_is_read_on_from_where_it_was_left(journal: Path) -> None:
    write(journal, "a.journal", 3, minute=0)
    first, reading = read()
    again, reading = read(reading.place)
    write(journal, "b.journal", 2, minute=1)
    second, reading = read(reading.place)

    assert (first, again, second) == (3, 0, 2)
    assert reading.loss is None


def test_what_was_vacuumed_before_it_was_read_is_told_as_lost(journal: Path) -> None:
    write(journal, "a.journal", 3, minute=0)
    _, reading = read()
    (journal / "a.journal").unlink()
    write(journal, "b.journal", 1, minute=5)
    found, lossy = read(reading.place)
    again, after = read(lossy.place)

    assert (found, again) == (1, 0)
    assert lossy.loss is not None
    assert lossy.loss.since is not None
    assert after.loss is None
