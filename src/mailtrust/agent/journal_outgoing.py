"""What of the journal has left for where: rows of its file."""

from __future__ import annotations

import sqlite3

SCHEMA = (
    "CREATE TABLE reader (name TEXT PRIMARY KEY, entry INTEGER NOT NULL)",
    # What an older release wrote was never meant to be told anywhere else.
    "INSERT INTO reader (name, entry) SELECT 'log', coalesce(max(id), 0) FROM entry",
    "CREATE TABLE told (incident TEXT PRIMARY KEY, at TEXT NOT NULL, is_open INTEGER NOT NULL,"
    " event INTEGER NOT NULL, server TEXT NOT NULL, place TEXT, cause TEXT, severity TEXT NOT NULL,"
    " action TEXT, detail TEXT NOT NULL)",
    "CREATE TABLE notice (id INTEGER PRIMARY KEY AUTOINCREMENT, way TEXT NOT NULL, at TEXT NOT NULL,"
    " body TEXT NOT NULL)",
    "CREATE TABLE way (name TEXT PRIMARY KEY, failures INTEGER NOT NULL, next_at TEXT NOT NULL)",
)

NOT_YET = -1


def is_there(db: sqlite3.Connection) -> bool:
    """False in the file of an older release, to which nobody has written since."""
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = 'reader'").fetchone() is not None


def read_up_to(db: sqlite3.Connection, reader: str) -> int:
    """The last entry that *reader* has; NOT_YET in the file of an older release."""
    if not is_there(db):
        return NOT_YET
    row = db.execute("SELECT entry FROM reader WHERE name = ?", (reader,)).fetchone()
    return int(row[0]) if row is not None else 0


def has_read(db: sqlite3.Connection, reader: str, entry: int) -> None:
    """It has all up to there."""
    db.execute("INSERT OR REPLACE INTO reader (name, entry) VALUES (?, ?)", (reader, entry))
