"""The journal's entries as values, and as rows of its file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from mailtrust.core.events import catalog
from mailtrust.core.model.certificate import Fingerprint
from mailtrust.core.model.event import Event, Finding, Said, Severity
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import Act, History, SeenAt

EVIDENCE = "evidence"


class EntryKind(StrEnum):
    """What an entry of the journal tells."""

    OPENED = "opened"
    CHANGED = "changed"
    CLOSED = "closed"
    RAISED = "raised"
    """A transport met it; it has no end."""
    PLANNED = "planned"
    """What is to be done next, or what is waited for, with what shows that it is right."""
    DONE = "done"
    """An act of ours that came to its end."""
    ACKNOWLEDGED = "acknowledged"
    DAMAGED = "damaged"
    """The journal before this one could not be used any more."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal."""

    id: int
    """Rises with every entry: ask for what came after it."""
    at: datetime
    kind: EntryKind
    event: Event | None = None
    server: ServerName | None = None
    place: str | None = None
    cause: str | None = None
    severity: Severity | None = None
    action: str | None = None
    """The command that mends it; for an act, what was done."""
    values: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    suppressed: int = 0
    """How many of the same kind flood control only counted before this one."""

    @property
    def evidence(self) -> tuple[Said, ...]:
        """What a plan rests on, or waits for; empty for everything else."""
        return tuple(Said(phrase, values) for phrase, values in json.loads(self.values.get(EVIDENCE, "[]")))

    @property
    def finding(self) -> Finding | None:
        """The finding it is about, without its evidence, so that it can be said in words."""
        if self.event is None or self.server is None or self.kind is EntryKind.PLANNED:
            return None
        return Finding(
            self.event, self.server, self.place, self.cause, self.values,
            action=self.action, severity_here=None if self.severity is self.event.severity else self.severity,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ack:
    """An operator's word that a finding is known, until then."""

    event: int
    server: ServerName | None
    """None: wherever it occurs."""
    until: datetime
    reason: str
    acked_at: datetime

    def covers(self, event: int, server: ServerName) -> bool:
        """True if a finding of that event at that server is acknowledged."""
        return self.event == event and self.server in (None, server)


def moment(at: datetime) -> str:
    """A moment as the file has it: its order is that of the text."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def write_entry(db: sqlite3.Connection, entry: Entry) -> Entry:
    """Append *entry*; the same with the number it got."""
    cursor = db.execute(
        "INSERT INTO entry (at, kind, event, server, place, cause, severity, action, detail, note,"
        " suppressed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (moment(entry.at), entry.kind.value, *_columns(entry), entry.note, entry.suppressed),
    )
    return replace(entry, id=int(cursor.lastrowid or 0))


def entries(db: sqlite3.Connection, asked: Mapping[str, object], limit: int | None) -> tuple[Entry, ...]:
    """The latest entries for which every clause of *asked* holds, oldest first."""
    where = " AND ".join(asked) or "TRUE"
    query = f"SELECT {_ENTRY} FROM entry WHERE {where} ORDER BY id DESC LIMIT ?"  # noqa: S608  # our own words
    found = db.execute(query, (*asked.values(), -1 if limit is None else limit)).fetchall()
    return tuple(_entry(row) for row in reversed(found))


def incidents(db: sqlite3.Connection) -> Mapping[str, Entry]:
    """What is open, by incident."""
    query = (
        "SELECT key, 0, at, 'opened', event, server, place, cause, severity, action, detail, '', 0"
        " FROM incident"
    )
    return {row[0]: _entry(row[1:]) for row in db.execute(query)}


def planned(
    server: ServerName, action: str, evidence: Iterable[Said], now: datetime, *, place: str = "",
    event: Event | None = None, **values: str,
) -> Entry:  # fmt: skip
    """The entry of a plan; *event*: the finding that it mends, where there is one."""
    told = json.dumps([(one.phrase, dict(one.values)) for one in evidence], ensure_ascii=False)
    return Entry(
        0, now, EntryKind.PLANNED, event, server, place, action=action, values={**values, EVIDENCE: told}
    )  # fmt: skip


def open_incident(db: sqlite3.Connection, key: str, entry: Entry) -> None:
    """Keep an incident as *entry* has it; when it opened stays."""
    db.execute(
        "INSERT INTO incident (key, at, event, server, place, cause, severity, action, detail)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET cause = excluded.cause,"
        " severity = excluded.severity, action = excluded.action, detail = excluded.detail",
        (key, moment(entry.at), *_columns(entry)),
    )


def close_incident(db: sqlite3.Connection, key: str) -> None:
    """Forget that it was open; its entries stay."""
    db.execute("DELETE FROM incident WHERE key = ?", (key,))


def write_act(db: sqlite3.Connection, act: Act) -> None:
    """Append an act."""
    db.execute(
        "INSERT INTO act (at, what, server, fingerprint, place, failed) VALUES (?, ?, ?, ?, ?, ?)",
        (moment(act.done_at), act.what, act.server, act.fingerprint, act.place, act.failed),
    )


def history(db: sqlite3.Connection, server: ServerName | None) -> History:
    """Acts and first sights of *server*, or of everybody."""
    clause, values = ("WHERE server = ?", (server,)) if server is not None else ("", ())
    acts = db.execute(
        f"SELECT what, server, fingerprint, at, place, failed FROM act {clause} ORDER BY id",  # noqa: S608
        values,
    )
    seen = db.execute(f"SELECT server, place, fingerprint, at FROM seen {clause}", values)  # noqa: S608
    return History(
        tuple(
            Act(what, ServerName(name), Fingerprint(fingerprint), read_moment(at), place, failed)
            for what, name, fingerprint, at, place, failed in acts
        ),
        {
            (ServerName(name), place, Fingerprint(fingerprint)): read_moment(at)
            for name, place, fingerprint, at in seen
        },
    )


def all_seen(db: sqlite3.Connection, server: ServerName | None) -> AbstractSet[SeenAt]:
    """Everything that was ever seen of *server*, or of anybody."""
    clause, values = ("WHERE server = ?", (server,)) if server is not None else ("", ())
    return frozenset(db.execute(f"SELECT server, place, fingerprint FROM seen {clause}", values))  # noqa: S608


def last_act(db: sqlite3.Connection, server: ServerName) -> int:
    """The number of the latest act at *server*; 0 where there was none."""
    row = db.execute("SELECT max(id) FROM act WHERE server = ?", (server,)).fetchone()
    return int(row[0] or 0)


def write_seen(db: sqlite3.Connection, seen: Iterable[SeenAt], now: datetime) -> None:
    """Remember what is seen for the first time; what was seen before keeps its date."""
    rows = [(*one, moment(now)) for one in sorted(seen)]
    db.executemany("INSERT OR IGNORE INTO seen (server, place, fingerprint, at) VALUES (?, ?, ?, ?)", rows)


def write_ack(db: sqlite3.Connection, ack: Ack) -> None:
    """Append an acknowledgement."""
    db.execute(
        "INSERT INTO ack (event, server, until, reason, at) VALUES (?, ?, ?, ?, ?)",
        (ack.event, ack.server, moment(ack.until), ack.reason, moment(ack.acked_at)),
    )


def acks(db: sqlite3.Connection, now: datetime) -> tuple[Ack, ...]:
    """The acknowledgements that hold, oldest first."""
    found = db.execute(
        "SELECT event, server, until, reason, at FROM ack WHERE until > ? ORDER BY id", (moment(now),)
    )
    return tuple(
        Ack(event, ServerName(server) if server else None, read_moment(until), reason, read_moment(at))
        for event, server, until, reason, at in found
    )


def count_flood(db: sqlite3.Connection, key: str, now: datetime, period_start: datetime) -> int | None:
    """None where *key* was written since *period_start*: now it is counted.  Else how many were counted."""
    row = db.execute("SELECT at, suppressed FROM flood WHERE key = ?", (key,)).fetchone()
    if row is not None and row[0] > moment(period_start):
        db.execute("UPDATE flood SET suppressed = suppressed + 1 WHERE key = ?", (key,))
        return None
    db.execute("INSERT OR REPLACE INTO flood (key, at, suppressed) VALUES (?, ?, 0)", (key, moment(now)))
    return int(row[1]) if row is not None else 0


def replica_read_at(db: sqlite3.Connection, url: str) -> datetime | None:
    """When a replica was last read, or None."""
    row = db.execute("SELECT read_at FROM replica WHERE url = ?", (url,)).fetchone()
    return read_moment(row[0]) if row is not None else None


def write_replica_read(db: sqlite3.Connection, url: str, now: datetime) -> None:
    """A replica was read."""
    db.execute("INSERT OR REPLACE INTO replica (url, read_at) VALUES (?, ?)", (url, moment(now)))


def write_latency(db: sqlite3.Connection, url: str, took: timedelta, now: datetime) -> None:
    """Something was seen to arrive at a replica, that long after it was written."""
    row = (url, took.total_seconds(), moment(now))
    db.execute("INSERT INTO latency (url, seconds, at) VALUES (?, ?, ?)", row)
    # What was long ago says nothing about today's links.
    db.execute(
        "DELETE FROM latency WHERE url = ? AND rowid NOT IN"
        " (SELECT rowid FROM latency WHERE url = ? ORDER BY rowid DESC LIMIT ?)",
        (url, url, _LATENCIES_KEPT),
    )


def latencies(db: sqlite3.Connection) -> Mapping[str, tuple[timedelta, ...]]:
    """How long it took to arrive at each replica, the latest last; of a file of an older release nothing."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'latency'").fetchone() is None:
        return {}
    found: dict[str, list[timedelta]] = {}
    for url, seconds in db.execute("SELECT url, seconds FROM latency ORDER BY rowid"):
        found.setdefault(url, []).append(timedelta(seconds=seconds))
    return {url: tuple(took) for url, took in found.items()}


_LATENCIES_KEPT = 20
_ENTRY = "id, at, kind, event, server, place, cause, severity, action, detail, note, suppressed"


def _columns(entry: Entry) -> tuple[Any, ...]:
    return (
        entry.event.code if entry.event else None, entry.server, entry.place, entry.cause,
        entry.severity.value if entry.severity else None, entry.action,
        json.dumps(dict(entry.values), ensure_ascii=False),
    )  # fmt: skip


def _entry(row: tuple[Any, ...]) -> Entry:
    number, at, kind, event, server, place, cause, severity, action, detail, note, suppressed = row
    return Entry(
        number, read_moment(at), EntryKind(kind), catalog.BY_CODE.get(event),
        ServerName(server) if server else None, place, cause,
        Severity(severity) if severity else None, action, json.loads(detail), note, suppressed,
    )  # fmt: skip


def read_moment(text: str) -> datetime:
    """The moment that `moment` wrote."""
    return datetime.fromisoformat(text)
