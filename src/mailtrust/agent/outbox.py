"""
Notices on their way: what was told of which incident, and what is still to be delivered by which way.

Both stand in the journal's database. What is due and what is put into the outbox are one transaction, so that
a crash neither loses a notice nor makes two; one that dies between a delivery and its end is delivered again,
under the same number.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from mailtrust.agent import journal_rows as rows
from mailtrust.agent.journal import JOURNAL_FILE
from mailtrust.agent.journal_file import JournalFile
from mailtrust.agent.journal_outgoing import is_there
from mailtrust.agent.journal_rows import Entry, EntryKind, moment, read_moment
from mailtrust.agent.log_record import to_type
from mailtrust.config import Config
from mailtrust.core.events import catalog
from mailtrust.core.model.event import Finding, Severity
from mailtrust.core.model.server import ServerName
from mailtrust.core.notices import Told, Turn, due, forgotten
from mailtrust.notices.notice import NOTICE_SCHEMA, Notice
from mailtrust.texts import Texts

MOST_WAITING = 500
"""For each way; the oldest are given up first."""
GIVE_UP_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What one way has to deliver, oldest first."""

    notices: tuple[tuple[int, Notice], ...] = ()
    """By its number in the outbox."""
    failures: int = 0
    """How often the way failed since it worked."""
    next_at: datetime | None = None
    """Not to be tried before."""


class Outbox:
    """The outbox in a store's folder; may be shared by threads, and its file by processes."""

    def __init__(self, folder: Path) -> None:
        self._file = JournalFile(folder / JOURNAL_FILE)

    def fill(self, config: Config, shelf: Texts, ways: Collection[str], now: datetime) -> int:
        """Put into it what somebody is to be told now; how much.  Raises: StoreUnavailable."""
        hold, mildest = config.notify.hold, config.notify.severity

        def question(db: sqlite3.Connection) -> bool:
            if not is_there(db):
                return True
            told = _told(db)
            return any(due(_held(db), told, now, hold, mildest)) or bool(forgotten(told, now, hold))

        def work(db: sqlite3.Connection) -> int:
            told, open_now = _told(db), rows.incidents(db)
            found = tuple(due(_held(db), told, now, hold, mildest))
            db.executemany(
                "DELETE FROM told WHERE incident = ?", [(one,) for one in forgotten(told, now, hold)]
            )
            for incident, turn in found:
                entry = open_now.get(incident) or _entry_told(db, incident)
                _put_told(db, incident, entry, turn, now)
                notice = notice_of(entry, turn, shelf, config.file, now)
                db.executemany(
                    "INSERT INTO notice (way, at, body) VALUES (?, ?, ?)",
                    [(way, moment(now), notice.text) for way in ways],
                )
            return len(found)

        if not self._file.path.exists() or not self._file.read(question, empty=False):
            return 0
        return self._file.write(work, now)[0]

    def waiting(self, way: str) -> Waiting:
        """What *way* has to deliver.  Raises: StoreUnavailable."""

        def work(db: sqlite3.Connection) -> Waiting:
            if not is_there(db):
                return Waiting()
            found = db.execute("SELECT id, body FROM notice WHERE way = ? ORDER BY id", (way,)).fetchall()
            row = db.execute("SELECT failures, next_at FROM way WHERE name = ?", (way,)).fetchone()
            failures, next_at = (int(row[0]), read_moment(row[1])) if row is not None else (0, None)
            return Waiting(tuple((number, Notice.parse(body)) for number, body in found), failures, next_at)

        return self._file.read(work, empty=Waiting())

    def delivered(self, way: str, numbers: Collection[int], now: datetime) -> None:
        """These are done with, and the way works.  Raises: StoreUnavailable."""

        def work(db: sqlite3.Connection) -> None:
            db.executemany("DELETE FROM notice WHERE id = ?", [(one,) for one in numbers])
            db.execute("DELETE FROM way WHERE name = ?", (way,))

        self._file.write(work, now)

    def failed(self, way: str, next_at: datetime, now: datetime, final: Collection[int] = ()) -> int:
        """
        The way failed, and is tried again then; *final* are given up, and what is too old or too much.

        How many were given up.  Raises: StoreUnavailable.
        """

        def work(db: sqlite3.Connection) -> int:
            db.execute(
                "INSERT INTO way (name, failures, next_at) VALUES (?, 1, ?)"
                " ON CONFLICT (name) DO UPDATE SET failures = failures + 1, next_at = excluded.next_at",
                (way, moment(next_at)),
            )
            before = db.total_changes
            db.executemany("DELETE FROM notice WHERE id = ?", [(one,) for one in final])
            db.execute("DELETE FROM notice WHERE way = ? AND at < ?", (way, moment(now - GIVE_UP_AFTER)))
            db.execute(
                "DELETE FROM notice WHERE way = ? AND id NOT IN"
                " (SELECT id FROM notice WHERE way = ? ORDER BY id DESC LIMIT ?)",
                (way, way, MOST_WAITING),
            )
            return db.total_changes - before

        return self._file.write(work, now)[0]


def notice_of(entry: Entry, turn: Turn, shelf: Texts, file: Path | None, now: datetime) -> Notice:
    """The notice that *entry*'s finding opened, became worse or closed."""
    finding = entry.finding
    assert finding is not None  # noqa: S101  # only findings open and close
    closed = turn is Turn.CLOSED
    action = to_type(finding.action, file) if finding.action and not closed else None
    title, message = shelf.page(finding.event.code).title, shelf.message(finding)
    do = f" - {action}" if action else ""
    return Notice({
        "schema": NOTICE_SCHEMA, "notice": secrets.token_hex(16), "test": False, "at": _stamp(now),
        "state": turn.value, "since": _stamp(entry.at), "event": finding.event.code,
        "name": finding.event.name, "severity": finding.severity.value, "server": finding.server,
        "place": finding.place, "cause": finding.cause, "title": title, "message": message,
        "explanation": None if closed else shelf.cause(finding) or None, "action": action,
        "text": f"{finding.server} {finding.event.code} {turn.value}: {title}{do}",
    })  # fmt: skip


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _held(db: sqlite3.Connection) -> Mapping[str, Severity]:
    query = "SELECT incident.key, incident.severity FROM incident"
    return {key: Severity(severity) for key, severity in db.execute(query)}


def _told(db: sqlite3.Connection) -> Mapping[str, Told]:
    found = db.execute("SELECT incident, is_open, severity, at FROM told")
    return {key: Told(bool(held), Severity(severity), read_moment(at)) for key, held, severity, at in found}


def _entry_told(db: sqlite3.Connection, incident: str) -> Entry:
    """What was told of an incident that is over: the finding as it was."""
    columns = "at, event, server, place, cause, severity, action, detail"
    query = f"SELECT {columns} FROM told WHERE incident = ?"  # noqa: S608  # our own words
    row = db.execute(query, (incident,)).fetchone()
    at, event, server, place, cause, severity, action, detail = row
    return Entry(
        0, read_moment(at), EntryKind.CLOSED, catalog.BY_CODE.get(event), ServerName(server), place, cause,
        Severity(severity), action, json.loads(detail),
    )  # fmt: skip


def _put_told(db: sqlite3.Connection, incident: str, entry: Entry, turn: Turn, now: datetime) -> None:
    if turn is Turn.CLOSED:
        db.execute("UPDATE told SET is_open = 0 WHERE incident = ?", (incident,))
        return
    finding = entry.finding
    assert finding is not None  # noqa: S101  # as above
    db.execute(
        "INSERT OR REPLACE INTO told VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?)",
        (incident, moment(now), *_columns(finding)),
    )


def _columns(finding: Finding) -> tuple[object, ...]:
    detail = json.dumps(dict(finding.values), ensure_ascii=False)
    about = (finding.event.code, finding.server, finding.place, finding.cause)
    return (*about, finding.severity.value, finding.action, detail)
