"""
Keeping Postfix's tables as the directory is: what changes there, open sessions see milliseconds later.

The snapshot comes first, and is on disk before a row is written: what Postfix believes is never ahead of what
a restart would believe.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from mailtrust.core.model.trust import Snapshot
from mailtrust.errors import MailtrustError
from mailtrust.transports.hub.trust import Trust
from mailtrust.transports.postfix import compile as compiler
from mailtrust.transports.postfix.compile import Differences, NextHops
from mailtrust.transports.postfix.instance import Hands

WHOLE_EVERY = timedelta(hours=1)
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Written:
    """The tables say what the snapshot does."""

    differences: Differences | None
    """What was changed; None where the tables were written whole."""
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class NotWritten:
    """The tables are as they were; it is tried again at the next look."""

    error: MailtrustError


async def follow(
    trust: Trust,
    hands: Hands,
    next_hops: NextHops,
    *,
    defer_when_stale: bool = False,
    whole_every: timedelta = WHOLE_EVERY,
) -> AsyncIterator[Written | NotWritten]:
    """
    Write the tables now, and whenever *trust*, which somebody starts and keeps, believes others; tell it.

    With *defer_when_stale* they are emptied while the snapshot is too old, which works only as long as this
    runs.  Tables are written whole at first, after a failure and every *whole_every*, for somebody else may
    have changed them.  What was begun is ended, also where this is cancelled.
    """
    held: Snapshot | None = None
    whole_at = float("-inf")
    while True:
        looked_again, now = trust.looked_again, asyncio.get_running_loop().time()
        snapshot = trust.in_force(defer=defer_when_stale)
        # Where nothing was ever known, what stands in the tables is better than nothing.
        if trust.snapshot.taken_at is not None:
            if now - whole_at > whole_every.total_seconds():
                held = None
            written = await _written(hands, held, snapshot, next_hops)
            if held is None:
                whole_at = now
            held = None if isinstance(written, NotWritten) else snapshot
            if written is not None:
                yield written
        await looked_again.wait()


async def _written(
    hands: Hands, held: Snapshot | None, snapshot: Snapshot, next_hops: NextHops
) -> Written | NotWritten | None:
    try:
        if held is None:
            await _to_its_end(lambda: hands.write(compiler.tables(snapshot, next_hops)))
            return Written(None, snapshot)
        differences = compiler.changes(held, snapshot, next_hops)
        if not differences:
            return None
        await _to_its_end(lambda: hands.change(differences))
        return Written(differences, snapshot)
    except MailtrustError as error:
        return NotWritten(error)


async def _to_its_end(work: Callable[[], _Result]) -> _Result:
    """In a thread; whoever cancels waits for it, so that two never write at once."""
    writing = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait({writing})
        raise
