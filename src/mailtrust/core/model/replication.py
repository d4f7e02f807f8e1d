"""
What a directory tells about its own replication: which write a value came from, and what a replica has seen.

Every write has a *stamp*: where it was made, and under which number there.  A replica that knows how far it
has seen of each writer proves whether a value that it lacks is *late*, on its way, or *lost*: then the write
arrived and its value is not there, because it was taken out, or because another write won.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

Seen = Mapping[str, int]
"""Of each writer the greatest number that was seen."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """One write, as the directory numbers it."""

    writer: str
    """The database where it was made: an invocationId in Active Directory, a serverID in OpenLDAP."""
    number: int
    """It grows with every write of that writer; in OpenLDAP with every write anywhere."""
    written_at: datetime
    """By the writer's clock."""
    version: int = 0
    """How often it was written, everywhere; 0 where the directory does not count."""


class Fate(StrEnum):
    """What became of a write at a replica that does not show its value."""

    LATE = "late"
    """It has not arrived there yet."""
    LOST = "lost"
    """It arrived, and the value is not there: taken out, or another write won."""
    UNKNOWN = "unknown"
    """The directory does not tell."""


def fate(written: Stamp | None, seen: Seen, changed: Stamp | None = None) -> Fate:
    """
    What became of the write *written* at a replica that does not show its value.

    *seen* is how far that replica has seen of each writer.  *changed* is the last write to the same entry
    there, in a directory that replicates entries as a whole: the later write of an entry wins.
    """
    if written is None:
        return Fate.UNKNOWN
    if changed is not None:
        return Fate.LATE if changed.number < written.number else Fate.LOST
    if not seen:
        return Fate.UNKNOWN
    return Fate.LATE if seen.get(written.writer, -1) < written.number else Fate.LOST


def went_back(before: Seen, after: Seen) -> bool:
    """
    True where *after* has seen less of any writer than *before*: a replica that came from a backup, or
    another one that lags behind.  Nothing can be said, and nothing is, where *before* is empty.
    """
    return any(after.get(writer, -1) < number for writer, number in before.items())


def furthest(one: Seen, other: Seen) -> Seen:
    """Of each writer the greatest number that either has seen."""
    return {writer: max(one.get(writer, -1), other.get(writer, -1)) for writer in {**one, **other}}
