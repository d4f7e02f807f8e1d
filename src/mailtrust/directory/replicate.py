"""
One round of replication between embedded replicas: read all that can be read, bring each what it lacks.

Any order, any number of rounds and any number of hosts doing it at once end in the same contents; see
`contents`.  Directories with servers of their own replicate by themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from mailtrust.directory.open import Directory
from mailtrust.directory.sqlite import Contents, SqliteReplica
from mailtrust.errors import DirectoryUnavailable


@dataclass(frozen=True, slots=True)
class Skipped:
    """A replica that took no part, or gave and could not take."""

    url: str
    why: str
    """A whole sentence, with the URL in it."""


@dataclass(frozen=True, slots=True)
class Replicated:
    """What one round did."""

    done_at: datetime
    changes: Mapping[str, int]
    """By the URL of each replica that was brought up to date, how many rows changed there."""
    skipped: tuple[Skipped, ...]

    @property
    def changed(self) -> int:
        """How many rows changed in all."""
        return sum(self.changes.values())

    @property
    def complete(self) -> bool:
        """True if every replica took part: then all of them hold the same."""
        return not self.skipped


async def replicate_once(directory: Directory, now: datetime) -> Replicated:
    """
    Unite all replicas that can be read; those that cannot are named.  It may be repeated.

    Never raises: a replica that gave and then refuses to take is skipped with its reason.
    """
    embedded = tuple(one for one in directory.replicas if isinstance(one, SqliteReplica))
    others = [
        Skipped(one.url, f"{one.url} replicates by itself")
        for one in directory.replicas
        if not isinstance(one, SqliteReplica)
    ]
    read = await asyncio.gather(*map(_contents, embedded))
    held = [(one, found) for one, found in zip(embedded, read, strict=True) if isinstance(found, Contents)]
    united = reduce(Contents.united, (found for _, found in held), Contents())
    taken = await asyncio.gather(*(_merged(one, united) for one, _ in held))
    changes = {one.url: found for (one, _), found in zip(held, taken, strict=True) if isinstance(found, int)}
    unable = [found for found in (*read, *taken) if isinstance(found, Skipped)]
    return Replicated(now, changes, (*others, *unable))


async def _contents(replica: SqliteReplica) -> Contents | Skipped:
    try:
        return await replica.contents()
    except DirectoryUnavailable as error:
        return Skipped(replica.url, error.message)


async def _merged(replica: SqliteReplica, united: Contents) -> int | Skipped:
    try:
        return await replica.merge(united)
    except DirectoryUnavailable as error:
        return Skipped(replica.url, error.message)
