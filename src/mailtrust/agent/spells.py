"""For how long each replica was late or could not be read, by the findings that opened and closed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from mailtrust.agent.journal import Journal
from mailtrust.agent.journal_rows import Entry, EntryKind
from mailtrust.core.events import catalog
from mailtrust.core.punctuality import Spell, Trouble

_TROUBLES = {
    catalog.REPLICA_BEHIND: Trouble.LATE,
    catalog.REPLICA_WENT_BACK: Trouble.LATE,
    catalog.CERTIFICATE_MISSING: Trouble.LATE,
    catalog.REPLICA_UNREADABLE: Trouble.UNREAD,
}


def spells(journal: Journal, since: datetime) -> tuple[Spell, ...]:
    """Every spell that did not end before *since*.  Raises: StoreUnavailable."""
    found = [one for event in _TROUBLES for one in journal.entries(event=event.code, since=since)]
    ended = tuple(_ended(sorted(found, key=lambda one: one.id), since))
    going_on = (spell for one in journal.open_findings() for spell in _spell(one, one.at, None))
    return (*ended, *going_on)


def _ended(entries: Iterable[Entry], since: datetime) -> Iterator[Spell]:
    began: dict[str, datetime] = {}
    for entry in entries:
        key = entry.finding.incident if entry.finding is not None else ""
        if entry.kind is EntryKind.OPENED:
            began[key] = entry.at
        elif entry.kind is EntryKind.CLOSED:
            yield from _spell(entry, began.pop(key, since), entry.at)


def _spell(entry: Entry, since: datetime, until: datetime | None) -> Iterator[Spell]:
    """None where a certificate is missing for another reason than being overdue: no replica is to blame."""
    trouble = _TROUBLES.get(entry.event) if entry.event is not None else None
    is_other = entry.event is catalog.CERTIFICATE_MISSING and entry.cause != catalog.OVERDUE
    if trouble is not None and not is_other:
        yield Spell(entry.place or "", trouble, since, until)
