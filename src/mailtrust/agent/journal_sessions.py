"""
The counts of sessions in the journal's file, a row for each kind and day, and the bookmarks of logs.

What is kept is bounded: strangers may come from anywhere with a new certificate each time, and a diary must
not fill the disk.  Beyond the bound they are still counted, and no longer told apart.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta

from mailtrust.agent.journal_rows import moment
from mailtrust.core.sessions import OTHERS, Count, Met, Reason, Way

SCHEMA = (
    "CREATE TABLE session (day TEXT NOT NULL, peer TEXT NOT NULL, way TEXT NOT NULL, reason TEXT NOT NULL,"
    " server TEXT NOT NULL, fingerprint TEXT NOT NULL, pin TEXT NOT NULL, sessions INTEGER NOT NULL,"
    " first_at TEXT NOT NULL, last_at TEXT NOT NULL,"
    " PRIMARY KEY (day, peer, way, reason, server, fingerprint, pin)) WITHOUT ROWID",
    "CREATE TABLE bookmark (source TEXT PRIMARY KEY, place TEXT NOT NULL, at TEXT NOT NULL)",
)
"""What a journal of this release has besides; see `journal_file`."""

_KEPT = timedelta(days=400)
_KINDS_OF_A_PEER, _KINDS_OF_A_DAY = 50, 10_000
_NAMES = "day, peer, way, reason, server, fingerprint, pin"


def add(db: sqlite3.Connection, counts: Iterable[Count]) -> None:
    """Add *counts* to what is there, and let go of what is too old to be asked for."""
    latest = None
    for one in counts:
        _add(db, replace(one, met=_kept_apart(db, one)))
        latest = one.day if latest is None else max(latest, one.day)
    if latest is not None:
        db.execute("DELETE FROM session WHERE day < ?", ((latest - _KEPT).isoformat(),))


def counted(db: sqlite3.Connection, since: date | None = None) -> tuple[Count, ...]:
    """Everything that is kept, or came since that day; of a file of an older release nothing."""
    if not _is_there(db, "session"):
        return ()
    query = "SELECT peer, way, reason, server, fingerprint, pin, sessions, first_at, last_at FROM session"
    rows = db.execute(f"{query} WHERE day >= ?", (since.isoformat(),)) if since else db.execute(query)
    return tuple(
        Count(
            Met(peer, Way(way), Reason(reason), server, fingerprint, pin),
            sessions,
            datetime.fromisoformat(first_at),
            datetime.fromisoformat(last_at),
        )
        for peer, way, reason, server, fingerprint, pin, sessions, first_at, last_at in rows
    )


def bookmark(db: sqlite3.Connection, source: str) -> str | None:
    """Where to read on."""
    if not _is_there(db, "bookmark"):
        return None
    row = db.execute("SELECT place FROM bookmark WHERE source = ?", (source,)).fetchone()
    return str(row[0]) if row is not None else None


def put_bookmark(db: sqlite3.Connection, source: str, place: str, now: datetime) -> None:
    """Read on there the next time."""
    db.execute("INSERT OR REPLACE INTO bookmark VALUES (?, ?, ?)", (source, place, moment(now)))


def _add(db: sqlite3.Connection, one: Count) -> None:
    db.execute(
        f"INSERT INTO session ({_NAMES}, sessions, first_at, last_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        f" ON CONFLICT ({_NAMES}) DO UPDATE SET sessions = sessions + excluded.sessions,"
        " first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at)",
        (*_key(one), one.sessions, moment(one.first_at), moment(one.last_at)),
    )


def _kept_apart(db: sqlite3.Connection, one: Count) -> Met:
    """The kind under which there is still room for it."""
    row = db.execute(
        "SELECT 1 FROM session WHERE day = ? AND peer = ? AND way = ? AND reason = ? AND server = ?"
        " AND fingerprint = ? AND pin = ?",
        _key(one),
    ).fetchone()
    if row is not None:
        return one.met
    day = one.day.isoformat()
    if _count(db, "day = ?", day) >= _KINDS_OF_A_DAY:
        return replace(one.met.unnamed, peer=OTHERS)
    full = _count(db, "day = ? AND peer = ?", day, one.met.peer) >= _KINDS_OF_A_PEER
    return one.met.unnamed if full else one.met


def _count(db: sqlite3.Connection, clause: str, *values: str) -> int:
    row = db.execute(f"SELECT count(*) FROM session WHERE {clause}", values).fetchone()  # noqa: S608  # ours
    return int(row[0])


def _key(one: Count) -> tuple[str, ...]:
    met = one.met
    return (
        one.day.isoformat(), met.peer, met.way.value, met.reason.value, met.server, met.fingerprint, met.pin,
    )  # fmt: skip


def _is_there(db: sqlite3.Connection, table: str) -> bool:
    row = db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    return row is not None
