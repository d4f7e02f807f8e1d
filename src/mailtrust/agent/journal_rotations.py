"""What the journal remembers for rotations: since when, what was asked for, what is dead."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime

from mailtrust.agent.journal_rows import moment, read_moment
from mailtrust.core.model.certificate import Fingerprint
from mailtrust.core.model.plan import Rotation
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import Dead, Intent, SeenAt

SCHEMA = (
    "CREATE TABLE since (server TEXT, place TEXT, fingerprint TEXT, at TEXT NOT NULL,"
    " PRIMARY KEY (server, place, fingerprint)) WITHOUT ROWID",
    "CREATE TABLE intent (id INTEGER PRIMARY KEY, at TEXT NOT NULL, why TEXT NOT NULL,"
    " server TEXT NOT NULL, new TEXT NOT NULL, old TEXT NOT NULL, compromised INTEGER NOT NULL,"
    " outcome TEXT NOT NULL)",
    "CREATE TABLE dead (id INTEGER PRIMARY KEY, place TEXT NOT NULL, until TEXT NOT NULL,"
    " reason TEXT NOT NULL, at TEXT NOT NULL)",
)


def since(db: sqlite3.Connection, server: ServerName | None) -> Mapping[SeenAt, datetime]:
    """Since when each certificate of *server*, or of everybody, is seen where it is."""
    if _is_older(db):
        return {}
    clause, values = ("WHERE server = ?", (server,)) if server is not None else ("", ())
    found = db.execute(f"SELECT server, place, fingerprint, at FROM since {clause}", values)  # noqa: S608
    return {
        (ServerName(name), place, Fingerprint(fingerprint)): read_moment(at)
        for name, place, fingerprint, at in found
    }


def write_since(
    db: sqlite3.Connection, new: Iterable[SeenAt], gone: AbstractSet[SeenAt], now: datetime
) -> None:
    """Begin for what is *new*, and forget what is *gone*: should it come back, it begins anew."""
    db.executemany("DELETE FROM since WHERE server = ? AND place = ? AND fingerprint = ?", sorted(gone))
    rows = [(*one, moment(now)) for one in sorted(new)]
    db.executemany("INSERT OR IGNORE INTO since (server, place, fingerprint, at) VALUES (?, ?, ?, ?)", rows)


def forget_since(db: sqlite3.Connection) -> None:
    """Begin anew everywhere: our clock was set."""
    db.execute("DELETE FROM since")


def intent(db: sqlite3.Connection, server: ServerName | None) -> Intent | None:
    """The rotation that was begun last and has not come to its end."""
    if server is None or _is_older(db):
        return None
    row = db.execute(
        "SELECT at, why, new, old, compromised FROM intent WHERE server = ? AND outcome = ''"
        " ORDER BY id DESC LIMIT 1",
        (server,),
    ).fetchone()
    if row is None:
        return None
    at, why, new, old, compromised = row
    rotation = Rotation(
        server,
        Fingerprint(new),
        old=frozenset(map(Fingerprint, json.loads(old))),
        compromised=bool(compromised),
    )
    return Intent(rotation, why, read_moment(at))


def write_intent(db: sqlite3.Connection, begun: Intent) -> None:
    """Begin a rotation; one that was under way is superseded by it."""
    rotation = begun.rotation
    end_intent(db, rotation.server, "superseded")
    db.execute(
        "INSERT INTO intent (at, why, server, new, old, compromised, outcome) VALUES (?, ?, ?, ?, ?, ?, '')",
        (
            moment(begun.asked_at), begun.why, rotation.server, rotation.new,
            json.dumps(sorted(rotation.old)), rotation.compromised,
        ),
    )  # fmt: skip


def end_intent(db: sqlite3.Connection, server: ServerName, outcome: str) -> None:
    """The rotation under way has come to its end: ``done``, ``superseded`` or ``void``."""
    db.execute("UPDATE intent SET outcome = ? WHERE server = ? AND outcome = ''", (outcome, server))


def dead(db: sqlite3.Connection) -> tuple[Dead, ...]:
    """The replicas that were declared dead, by the last word on each."""
    if _is_older(db):
        return ()
    found = db.execute("SELECT place, until, reason, at FROM dead ORDER BY id")
    latest = {
        place: Dead(place, read_moment(until), reason, read_moment(at)) for place, until, reason, at in found
    }
    return tuple(latest.values())


def write_dead(db: sqlite3.Connection, one: Dead) -> None:
    """An operator's word on a replica; an end that has passed already takes an earlier one back."""
    db.execute(
        "INSERT INTO dead (place, until, reason, at) VALUES (?, ?, ?, ?)",
        (one.place, moment(one.until), one.reason, moment(one.declared_at)),
    )


def _is_older(db: sqlite3.Connection) -> bool:
    """True for the file of a release that had no rotations, as long as nothing was written to it."""
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = 'intent'").fetchone() is None
