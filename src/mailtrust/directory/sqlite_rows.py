"""
What a replica holds, as rows of its file; every row is checked when it is read.

A file is damaged as a whole or not at all: one row that cannot be what was written makes all the others
doubtful.  A value that is no certificate is no damage, as long as its bytes are those that were published.
Rows that vanish, as a lost write makes them, would look like news: so the file says what all rows together
are, and an entry that is empty was empty when it was written.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from mailtrust.core.model.certificate import Fingerprint, Pin, fingerprint_of
from mailtrust.core.model.server import Endpoint, ServerName, endpoint, server_name
from mailtrust.directory.contents import Added, Contents, Listens
from mailtrust.errors import BadInput, DirectoryUnavailable

MEND = "restore its file from a backup, or copy the file of a healthy replica over it: replicas hold the same"

SCHEMA = (
    "CREATE TABLE value (server TEXT NOT NULL, digest TEXT NOT NULL, added_at TEXT NOT NULL,"
    " value BLOB NOT NULL, PRIMARY KEY (server, digest)) WITHOUT ROWID",
    "CREATE TABLE withdrawn (server TEXT NOT NULL, digest TEXT NOT NULL, at TEXT NOT NULL,"
    " PRIMARY KEY (server, digest)) WITHOUT ROWID",
    "CREATE TABLE withdrawn_key (server TEXT NOT NULL, pin TEXT NOT NULL, at TEXT NOT NULL,"
    " PRIMARY KEY (server, pin)) WITHOUT ROWID",
    "CREATE TABLE listeners (server TEXT NOT NULL PRIMARY KEY, set_at TEXT NOT NULL,"
    " endpoints TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE seal (only INTEGER PRIMARY KEY CHECK (only = 1), digest TEXT NOT NULL)",
)
_Name = TypeVar("_Name", bound=str)
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


def read(db: sqlite3.Connection) -> Contents:
    """Everything; linear in what is there.  Raises: DirectoryUnavailable where anything is damaged."""
    held = _rows(db)
    if db.execute("SELECT digest FROM seal").fetchall() != [(_seal(held),)]:
        raise DirectoryUnavailable(
            "its file is damaged: rows are missing, or others than were written", hint=MEND
        )
    return held


def _rows(db: sqlite3.Connection) -> Contents:
    try:
        return Contents(
            {
                (_server(server), _matching(digest, value)): Added(_moment(at), value)
                for server, digest, at, value in db.execute(
                    "SELECT server, digest, added_at, value FROM value"
                )
            },
            {
                (_server(server), Fingerprint(_digest(digest))): _moment(at)
                for server, digest, at in db.execute("SELECT server, digest, at FROM withdrawn")
            },
            {
                (_server(server), Pin(_digest(pin))): _moment(at)
                for server, pin, at in db.execute("SELECT server, pin, at FROM withdrawn_key")
            },
            {
                _server(server): Listens(_moment(at), _endpoints(text))
                for server, at, text in db.execute("SELECT server, set_at, endpoints FROM listeners")
            },
        )
    except (BadInput, ValueError, TypeError, AttributeError) as error:
        raise DirectoryUnavailable(f"its file is damaged: {error}", hint=MEND) from error


def write(db: sqlite3.Connection, before: Contents, after: Contents) -> int:
    """Turn *before*, which the file holds, into *after*; how many rows were put or taken."""
    taken = [key for key in before.values if key not in after.values]
    changes = (
        ("DELETE FROM value WHERE server = ? AND digest = ?", taken),
        ("REPLACE INTO value VALUES (?, ?, ?, ?)", _new_values(before, after)),
        ("REPLACE INTO withdrawn VALUES (?, ?, ?)", _new_moments(before.withdrawn, after.withdrawn)),
        (
            "REPLACE INTO withdrawn_key VALUES (?, ?, ?)",
            _new_moments(before.withdrawn_keys, after.withdrawn_keys),
        ),
        ("REPLACE INTO listeners VALUES (?, ?, ?)", _new_listeners(before, after)),
    )
    changed = sum(_put(db, statement, list(rows)) for statement, rows in changes)
    _put(db, "REPLACE INTO seal VALUES (1, ?)", [(_seal(after),)])
    return changed


def _put(db: sqlite3.Connection, statement: str, rows: list[tuple[object, ...]]) -> int:
    db.executemany(statement, rows)
    return len(rows)


def _new_values(before: Contents, after: Contents) -> Iterator[tuple[object, ...]]:
    for key, one in after.values.items():
        if before.values.get(key) != one:
            yield *key, _text(one.added_at), one.value


def _new_moments(
    before: Mapping[tuple[ServerName, _Name], datetime], after: Mapping[tuple[ServerName, _Name], datetime]
) -> Iterator[tuple[object, ...]]:
    for key, at in after.items():
        if before.get(key) != at:
            yield *key, _text(at)


def _new_listeners(before: Contents, after: Contents) -> Iterator[tuple[object, ...]]:
    for server, said in after.listeners.items():
        if before.listeners.get(server) != said:
            yield server, _text(said.set_at), _said(said)


def _seal(held: Contents) -> str:
    """What all rows together are; a value's bytes are in its digest."""
    lines = [
        *(f"value {server} {digest} {_text(one.added_at)}" for (server, digest), one in held.values.items()),
        *(f"withdrawn {server} {digest} {_text(at)}" for (server, digest), at in held.withdrawn.items()),
        *(f"withdrawn-key {server} {pin} {_text(at)}" for (server, pin), at in held.withdrawn_keys.items()),
        *(f"listeners {server} {_text(one.set_at)} {_said(one)}" for server, one in held.listeners.items()),
    ]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _said(one: Listens) -> str:
    return json.dumps([str(listener) for listener in one.listeners])


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return at


def _server(text: str) -> ServerName:
    if server_name(text) != text:
        raise ValueError(f"{text!r} is not a server's name as we write it")
    return ServerName(text)


def _digest(text: str) -> str:
    if not _DIGEST.match(text):
        raise ValueError(f"{text!r} is no fingerprint")
    return text


def _matching(digest: str, value: bytes) -> Fingerprint:
    found = fingerprint_of(value)
    if found != digest:
        raise ValueError(f"the value {digest[:12]} has other bytes than were published")
    return found


def _endpoints(text: str) -> tuple[Endpoint, ...]:
    texts: Iterable[str] = json.loads(text)
    return tuple(map(endpoint, texts))
