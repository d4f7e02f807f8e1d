"""
The journal: what was done here, what was found, and since when.

Nothing is decided by a stored phase; what is stored is observations.  An *act* is something that we did.
A finding *opens*, *changes* and *closes* under its incident's key, however often it is looked at.  An
event that a transport raises is written once per place and quarter of an hour, as Exchange does it.
A journal that cannot be written costs that line: callers show StoreUnavailable as a warning.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from mailtrust.agent import journal_rotations as rotations
from mailtrust.agent import journal_rows as rows
from mailtrust.agent import journal_sessions as sessions
from mailtrust.agent.incidents import Change, changes
from mailtrust.agent.journal_file import JournalFile, Work
from mailtrust.agent.journal_rows import Ack, Entry, EntryKind
from mailtrust.core.events import catalog
from mailtrust.core.model.event import Diagnosis, Event, when
from mailtrust.core.model.plan import Rotation
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import (
    Act,
    Dead,
    History,
    Intent,
    RehearsalSighting,
    ReplicaSighting,
    SeenAt,
    Sighting,
    Slot,
    SnapshotSighting,
    StoreSighting,
    WireSighting,
)
from mailtrust.core.sessions import Count
from mailtrust.errors import StoreUnavailable
from mailtrust.transports.base import Raised

__all__ = ["Ack", "Entry", "EntryKind", "Journal"]

JOURNAL_FILE = "journal.db"
FLOOD_PERIOD = timedelta(seconds=900)
"""Exchange's own: an event is written at most once per key in that time."""

_REMEMBER_AGAIN_AFTER = timedelta(hours=1)
_NOTHING_OPEN: Mapping[str, Entry] = {}
_NO_LATENCIES: Mapping[str, tuple[timedelta, ...]] = {}
_NOTHING_SEEN: AbstractSet[SeenAt] = frozenset()
_NOTHING_SINCE: Mapping[SeenAt, datetime] = {}
_WITHOUT_COPIES = (SnapshotSighting, RehearsalSighting)
_Result = TypeVar("_Result")


class Journal:
    """
    The journal in a store's folder.  Every method stands by itself: the object may be shared by
    threads, and the file by processes.
    """

    def __init__(self, folder: Path) -> None:
        self._file = JournalFile(folder / JOURNAL_FILE)
        self.read_only = False
        """While it is set, looks leave no trace: in a dry run, and until a question is answered."""
        self.tell: Callable[[str], None] = _to_nobody
        """Called with a sentence when a damaged journal was set aside."""

    @property
    def path(self) -> Path:
        """The journal's file; it may not exist yet."""
        return self._file.path

    def record_act(self, act: Act) -> None:
        """Put an act on record, also one that failed.  Raises: StoreUnavailable."""

        def work(db: sqlite3.Connection) -> None:
            rows.write_act(db, act)
            if not act.failed:
                values = {"fingerprint": act.fingerprint}
                done = Entry(
                    0, act.done_at, EntryKind.DONE, None, act.server, act.place, None, None, act.what
                )
                rows.write_entry(db, replace(done, values=values))

        self._write(work, act.done_at)

    def record_raised(self, raised: Raised, now: datetime) -> bool:
        """
        Write a transport's event, at most once per event, server and place in FLOOD_PERIOD.

        False where it was only counted; the next one that is written says how many were.
        Raises: StoreUnavailable.
        """
        key = f"{raised.event.code}/{raised.server}/{raised.place}"
        entry = Entry(
            0, now, EntryKind.RAISED, raised.event, raised.server, raised.place,
            severity=raised.event.severity, values=raised.values,
        )  # fmt: skip

        def work(db: sqlite3.Connection) -> bool:
            suppressed = rows.count_flood(db, key, now, now - FLOOD_PERIOD)
            if suppressed is None:
                return False
            rows.write_entry(db, replace(entry, suppressed=suppressed))
            return True

        return self._write(work, now)

    def record_diagnosis(
        self,
        diagnosis: Diagnosis,
        scope: Collection[ServerName],
        now: datetime,
        *,
        unjudged: Collection[Event] = (),
    ) -> tuple[Entry, ...]:
        """
        Write what opened, changed and closed at the servers of *scope*, and give it.

        A finding that another explains, or that is acknowledged, neither opens nor closes; nor does one
        close at a place that could not be looked at, or whose event is *unjudged*.  Nothing is written where
        nothing changed.
        Raises: StoreUnavailable.
        """
        before = self._known(rows.incidents, empty=_NOTHING_OPEN)
        if self.read_only or not any(changes(before, diagnosis, scope, self.acks(now), unjudged)):
            return ()

        def work(db: sqlite3.Connection) -> tuple[Entry, ...]:
            found = tuple(changes(rows.incidents(db), diagnosis, scope, rows.acks(db, now), unjudged))
            return tuple(_apply(db, change, now) for change in found)

        return self._write(work, now)

    def record_seen(self, sightings: Iterable[Sighting], now: datetime) -> None:
        """
        Remember when a certificate was first seen at an endpoint or replica, or as the current one of a
        store, and since when every look finds it there.  Raises: StoreUnavailable.

        A listener that could not be looked at may have presented anything, and begins anew.
        """
        copies = [look for look in sightings if not isinstance(look, _WITHOUT_COPIES)]
        looks = [look for look in copies if look.found is not None or isinstance(look, WireSighting)]
        seen = {key for look in looks if look.found is not None for key in _shown(look)}
        looked_at = {(look.server, look.place) for look in looks}
        servers = {look.server for look in looks}
        # An agent looks at its own server every half minute, and the journal may know thousands.
        server = servers.pop() if len(servers) == 1 else None
        before = self._known(lambda db: rotations.since(db, server), empty=_NOTHING_SINCE).keys()
        gone = {one for one in before - seen if one[:2] in looked_at}
        new = seen - self._known(lambda db: rows.all_seen(db, server), empty=_NOTHING_SEEN)
        begun = seen - before
        if self.read_only or not (new or gone or begun):
            return

        def work(db: sqlite3.Connection) -> None:
            rows.write_seen(db, new, now)
            rotations.write_since(db, begun, gone, now)

        self._write(work, now)

    def forget_since(self, now: datetime) -> None:
        """Our clock was set: what is seen begins anew everywhere.  Raises: StoreUnavailable."""
        self._write(rotations.forget_since, now)

    def record_plan(self, planned: Entry) -> None:
        """Put on record what is to be done, before it is done.  Raises: StoreUnavailable."""
        self._write(lambda db: rows.write_entry(db, planned), planned.at)

    def asked(self, server: ServerName) -> object:
        """Compares unequal to what it was before once somebody did or asked for anything at *server*."""

        def work(db: sqlite3.Connection) -> object:
            return rotations.intent(db, server), rotations.dead(db), rows.last_act(db, server)

        return self._known(work, empty=None)

    def begin(self, begun: Intent) -> None:
        """Put a rotation on record, in the place of one that is under way.  Raises: StoreUnavailable."""

        def work(db: sqlite3.Connection) -> None:
            rotations.write_intent(db, begun)
            rows.write_entry(db, _told(f"rotate {begun.why}", begun.rotation, begun.asked_at))

        self._write(work, begun.asked_at)

    def end(self, rotation: Rotation, outcome: str, now: datetime) -> None:
        """
        The rotation under way has come to its end: ``done``, ``superseded`` or ``void``.

        Raises: StoreUnavailable.
        """

        def work(db: sqlite3.Connection) -> None:
            if rotations.intent(db, rotation.server) is not None:
                rotations.end_intent(db, rotation.server, outcome)
                rows.write_entry(db, _told(f"rotation {outcome}", rotation, now))

        self._write(work, now)

    def declare_dead(self, one: Dead) -> None:
        """
        An operator's word that a replica is gone, or, with an end that has passed, that it is not.

        Raises: StoreUnavailable.
        """
        what = "declare dead" if one.declared_at < one.until else "declare alive"
        entry = Entry(0, one.declared_at, EntryKind.DONE, place=one.place, action=what, note=one.reason)

        def work(db: sqlite3.Connection) -> None:
            rotations.write_dead(db, one)
            rows.write_entry(db, replace(entry, values={"until": when(one.until)}))

        self._write(work, one.declared_at)

    def history(self, server: ServerName | None = None, own: ServerName | None = None) -> History:
        """
        What was done, and what was first seen when, at *server* or everywhere; with the rotation under way at
        *own*, which is *server* unless said otherwise.  Never raises.
        """
        try:
            return self._file.read(lambda db: _history(db, server, own), empty=History())
        except StoreUnavailable:
            return History(readable=False)

    def entries(
        self,
        server: ServerName | None = None,
        event: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after_id: int = 0,
        limit: int | None = None,
    ) -> tuple[Entry, ...]:
        """The entries that fit, oldest first; the latest *limit* of them.  Raises: StoreUnavailable."""
        asked = {
            "server = ?": server, "event = ?": event, "id > ?": after_id or None,
            "at >= ?": rows.moment(since) if since else None, "at < ?": rows.moment(until) if until else None,
        }  # fmt: skip
        given = {clause: value for clause, value in asked.items() if value is not None}
        return self._file.read(lambda db: rows.entries(db, given, limit), empty=())

    def open_findings(self) -> tuple[Entry, ...]:
        """What is open, by when it opened.  Raises: StoreUnavailable."""
        opened = self._file.read(rows.incidents, empty=_NOTHING_OPEN).values()
        return tuple(sorted(opened, key=lambda entry: entry.at))

    def ack(self, event: int, server: ServerName | None, until: datetime, reason: str, now: datetime) -> None:
        """
        Acknowledge an event, or a rule of `analyze` by its number, at *server* or wherever it occurs.

        It goes on record.  Raises: StoreUnavailable.
        """
        known = catalog.BY_CODE.get(event)
        values = {"until": when(until)}
        if known is None:
            known, values = catalog.ADVICE_ACKNOWLEDGED, {**values, "rule": f"A{event}", "reason": reason}
        entry = Entry(0, now, EntryKind.ACKNOWLEDGED, known, server, note=reason, values=values)

        def work(db: sqlite3.Connection) -> None:
            rows.write_ack(db, Ack(event, server, until, reason, now))
            rows.write_entry(db, entry)

        self._write(work, now)

    def acks(self, now: datetime) -> tuple[Ack, ...]:
        """The acknowledgements that hold; none where the journal cannot be read."""
        return self._known(lambda db: rows.acks(db, now), empty=())

    def read_before(self, url: str) -> datetime | None:
        """When a replica was last read from here, to the hour; None if never, or nobody remembers."""
        return self._known(lambda db: rows.replica_read_at(db, url), empty=None)

    def remember(self, url: str, now: datetime) -> None:
        """A replica was read.  Never raises: a look must not fail for want of a diary."""
        known = self.read_before(url)
        if self.read_only or (known is not None and now - known < _REMEMBER_AGAIN_AFTER):
            return
        try:
            self._write(lambda db: rows.write_replica_read(db, url, now), now)
        except StoreUnavailable:
            return

    def record_latency(self, url: str, took: timedelta, now: datetime) -> None:
        """Something arrived at a replica, *took* after it was written.  Never raises, as `remember`."""
        if self.read_only:
            return
        try:
            self._write(lambda db: rows.write_latency(db, url, took, now), now)
        except StoreUnavailable:
            return

    def latencies(self) -> Mapping[str, tuple[timedelta, ...]]:
        """How long the latest arrivals at each replica took; none where the journal cannot be read."""
        return self._known(rows.latencies, empty=_NO_LATENCIES)

    def count_sessions(self, counts: Iterable[Count]) -> None:
        """Add what a transport counted.  Raises: StoreUnavailable."""
        found = tuple(counts)
        if found:
            self._write(lambda db: sessions.add(db, found), max(one.last_at for one in found))

    def read_on(
        self, source: str, began: str | None, counts: Iterable[Count], place: str, now: datetime
    ) -> bool:
        """
        Add what was read of a log from the bookmark *began* up to *place*, and that place, together: killed
        at any point, the next reading neither loses a session nor counts one twice.

        False, and nothing is added, where somebody else read on from there in the meantime.
        Raises: StoreUnavailable.
        """
        found = tuple(counts)

        def work(db: sqlite3.Connection) -> bool:
            if sessions.bookmark(db, source) != began:
                return False
            sessions.add(db, found)
            sessions.put_bookmark(db, source, place, now)
            return True

        return self._write(work, now)

    def bookmark(self, source: str) -> str | None:
        """Up to where a log was read; None where it never was.  Raises: StoreUnavailable."""
        return self._file.read(lambda db: sessions.bookmark(db, source), empty=None)

    def sessions(self, since: date | None = None) -> tuple[Count, ...]:
        """What was counted since that day (UTC), or is still kept at all.  Raises: StoreUnavailable."""
        return self._file.read(lambda db: sessions.counted(db, since), empty=())

    def _known(self, work: Work[_Result], *, empty: _Result) -> _Result:
        """What the journal knows; *empty* where it cannot be read: a write would find out why."""
        try:
            return self._file.read(work, empty=empty)
        except StoreUnavailable:
            return empty

    def _write(self, work: Work[_Result], now: datetime) -> _Result:
        result, aside = self._file.write(work, now)
        if aside is not None:
            note = f"the journal was damaged and is set aside as {aside}; a new one begins"
            self._file.write(
                lambda db: rows.write_entry(db, Entry(0, now, EntryKind.DAMAGED, note=note)), now
            )
            self.tell(note)
        return result


def _to_nobody(_: str) -> None:
    return


def _apply(db: sqlite3.Connection, change: Change, now: datetime) -> Entry:
    kind, key, finding = change
    entry = Entry(
        0, now, kind, finding.event, finding.server, finding.place, finding.cause, finding.severity,
        finding.action, finding.values,
    )  # fmt: skip
    if kind is EntryKind.CLOSED:
        rows.close_incident(db, key)
    else:
        rows.open_incident(db, key, entry)
    return rows.write_entry(db, entry)


def _history(db: sqlite3.Connection, server: ServerName | None, own: ServerName | None) -> History:
    return replace(
        rows.history(db, server),
        since=rotations.since(db, own or server),
        intent=rotations.intent(db, own or server),
        dead=rotations.dead(db),
    )


def _told(what: str, rotation: Rotation, now: datetime) -> Entry:
    values = {"fingerprint": rotation.new}
    return Entry(0, now, EntryKind.DONE, None, rotation.server, action=what, values=values)


def _shown(look: Sighting) -> Iterator[SeenAt]:
    match look:
        case StoreSighting():
            held = (one for one in look.found or () if one.slot is Slot.CURRENT)
            yield from ((look.server, look.place, one.certificate.fingerprint) for one in held)
        case WireSighting():
            yield from ((look.server, look.place, leaf.fingerprint) for leaf in look.found or ())
        case ReplicaSighting():
            yield from ((look.server, look.place, one.certificate.fingerprint) for one in look.found or ())
