"""What an entry of the journal says, in words."""

from __future__ import annotations

from mailtrust.agent.journal_rows import Entry, EntryKind
from mailtrust.core.model.certificate import short
from mailtrust.texts import Texts


def entry_message(entry: Entry, shelf: Texts) -> str:
    """In full, in the reader's language; of what no event tells, what was done or noted."""
    if entry.kind is EntryKind.PLANNED:
        return _plan(entry, shelf)
    if entry.kind is EntryKind.DONE:
        fingerprint = short(entry.values.get("fingerprint", ""))
        where = f"at {entry.place}" if entry.place else ""
        return " ".join(filter(None, (entry.action, fingerprint, where)))
    if entry.finding is None or entry.kind is EntryKind.ACKNOWLEDGED:
        return entry.note
    return shelf.message(entry.finding)


def _plan(entry: Entry, shelf: Texts) -> str:
    """What comes next, what for, and what it rests on or waits for."""
    fingerprint = short(entry.values.get("fingerprint", ""))
    place = f" at {entry.place}" if entry.place else ""
    why = entry.values.get("why", "") or (f"mends {entry.event.code}" if entry.event else "")
    about = f"{fingerprint}{place}".strip()
    head = " ".join(filter(None, (entry.action, about, f"({why})" if why else "")))
    said = "; ".join(shelf.say(one) for one in entry.evidence)
    return f"{head}: {said}" if said else head
