"""
Whom the hub believes: the trust snapshot, kept fresh.

The snapshot is our home replica's published column.  It is saved before it is used, so that a hub
that starts while the directory is down believes the same peers as before.  Where it cannot be saved it is
used all the same, and 12155 says so: to believe fewer now would defer the very mail that the file is to
save after a restart.  Mail never waits for the directory, with one exception: a key that nobody seems to
publish is looked for once more, because its publication may have arrived this second.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol, TypeVar

from mailtrust import clock
from mailtrust.core.events.catalog import KEYS_KEPT, SNAPSHOT_NOT_SAVED, SNAPSHOT_STALE
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import kept_values, when
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.core.model.trust import Column, Snapshot, Stranger, Verdict
from mailtrust.directory.base import Changed
from mailtrust.directory.snapshot import SnapshotFile
from mailtrust.errors import MailtrustError
from mailtrust.transports.base import Raised, Report

_Answer = TypeVar("_Answer")

_SAVE_AGAIN = timedelta(seconds=10)
# Whoever lost more than that lost more than single entries; asking for each would take too long.
_MOST_ASKED_FOR = 200


class Home(Protocol):
    """The part of a directory's `Replica` that trust needs."""

    url: str

    async def look(self, servers: Iterable[ServerName] | None, now: datetime) -> Sequence[ReplicaSighting]:
        """Some servers' entries."""

    async def column(self, now: datetime) -> Column:
        """Every server's keys.  Raises: DirectoryUnavailable."""

    async def unchanged(self) -> bool:
        """Whether it answers and has nothing new, for less than a look."""

    def watch(self, every: timedelta) -> AsyncIterator[Changed]:
        """Yields whenever something may have changed, and whose it was where that is known."""


class Trust:
    """
    One server's snapshot: judge by it at any time; `keep` keeps it fresh until cancelled.

    *ask_again* is the shortest time between two looks that unknown keys cause, so that strangers
    cannot make us hammer the directory.  While *home* does not answer, the first of *stand_ins* that does
    may vouch for more keys, and for no fewer: what is missing there may not have arrived there yet, so that
    the snapshot keeps its age.
    """

    def __init__(
        self,
        server: ServerName,
        home: Home,
        file: Path,
        report: Report,
        *,
        stand_ins: Sequence[Home] = (),
        max_age: timedelta = timedelta(minutes=30),
        poll: timedelta = timedelta(seconds=1),
        ask_again: timedelta = timedelta(seconds=1),
        look_timeout: timedelta = timedelta(seconds=10),
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._server = server
        self._home = home
        self._stand_ins = tuple(stand_ins)
        self._file = SnapshotFile(file)
        self._report = report
        self._max_age = max_age
        self._poll = poll
        self._ask_again = ask_again.total_seconds()
        self._look_timeout = look_timeout.total_seconds()
        self._now = now
        self._one_look = asyncio.Lock()
        self._look_began = self._looked_since = float("-inf")
        self._saved_at: datetime | None = None
        self._unsaved = False
        """True while the file has not what the snapshot has, because it could not be written."""
        self._saw_everybody_at = float("-inf")
        self._stale_reported = False
        self._changed: set[ServerName] = set()
        """Whose entries changed since the last look, where that is all that changed."""
        self._anybody_changed = False
        self._in_step = False
        """True while the snapshot has all that home showed at the last look at everybody, and told since."""
        self.looked_again = asyncio.Event()
        """Set at the end of `keep`'s next look, whatever came of it; the look after that has another one."""
        self.snapshot = Snapshot()

    @property
    def is_stale(self) -> bool:
        """True when the replica has not answered for too long."""
        return self.snapshot.is_stale(self._now(), self._max_age)

    def in_force(self, *, defer: bool) -> Snapshot:
        """As `Snapshot.in_force` has it, now."""
        return self.snapshot.in_force(self._now(), self._max_age, defer=defer)

    def judge(self, presented: Certificate | None) -> Verdict:
        """By the snapshot as it stands, at once."""
        return self.snapshot.judge(presented)

    async def judge_again(self, presented: Certificate) -> Verdict:
        """By a look that began after the question, if the key is not in the snapshot already."""
        verdict = self.snapshot.judge(presented)
        if not isinstance(verdict, Stranger):
            return verdict
        asked = asyncio.get_running_loop().time()
        async with self._one_look:
            # All who asked while a look was running, or had to wait for the next, share that one; not one
            # that was broken off because whoever caused it hung up.
            if self._looked_since < asked:
                await asyncio.sleep(self._look_began + self._ask_again - asked)
            while self._looked_since < asked:
                await self._catch_up()
        return self.snapshot.judge(presented)

    async def start(self) -> None:
        """Read what was saved, then look; neither can fail: an old or empty snapshot is only stale."""
        with contextlib.suppress(MailtrustError, OSError):
            self.snapshot = await asyncio.to_thread(self._file.load)
        await self.look()

    async def keep(self) -> None:
        """Look again whenever the replica may have changed, and often enough to know that it answers."""
        woken = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch(woken))
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), self._longest_pause)
                woken.clear()
                async with self._one_look:
                    await self._catch_up()
                self.looked_again.set()
                self.looked_again = asyncio.Event()

    async def look(self) -> None:
        """Renew the snapshot by one look.  A replica that cannot be read leaves it as it is."""
        async with self._one_look:
            await self._look()

    @property
    def _longest_pause(self) -> float:
        return min(self._max_age.total_seconds() / 4, 60.0)

    async def _watch(self, woken: asyncio.Event) -> None:
        while True:
            with contextlib.suppress(MailtrustError):
                async for changed in self._home.watch(self._poll):
                    self._anybody_changed |= changed is None
                    self._changed |= changed or frozenset()
                    woken.set()
            await asyncio.sleep(self._poll.total_seconds())

    async def _catch_up(self) -> None:
        """Look at what changed; where nothing did, see that home answers."""
        few, self._changed = frozenset(self._changed), set()
        anybody, self._anybody_changed = self._anybody_changed, False
        if anybody or not self._in_step or self._kept_too_long():
            await self._look()
        elif few:
            # One entry of a hundred thousand costs what one entry costs.
            await self._look(few)
        else:
            await self._confirm()

    def _kept_too_long(self) -> bool:
        """Keys that home lacks are kept for a while: only a look at everybody ends that."""
        since = asyncio.get_running_loop().time() - self._saw_everybody_at
        return bool(self.snapshot.kept) and since >= self._longest_pause

    async def _confirm(self) -> None:
        began = asyncio.get_running_loop().time()
        if not await self._answer(self._home.unchanged()):
            await self._look()
        elif not self._changed and not self._anybody_changed:
            self._look_began = self._looked_since = began
            now = self._now()
            await self._keep(self.snapshot.confirmed(now), now)
            self._report_if_stale()

    async def _look(self, few: Changed = None) -> None:
        self._look_began = asyncio.get_running_loop().time()
        try:
            await (self._look_at_everybody() if few is None else self._look_at(few))
        finally:
            self._report_if_stale()
        if few is None:
            self._looked_since = self._look_began

    async def _look_at(self, few: Iterable[ServerName]) -> None:
        self._in_step = False
        looks = await self._answer(self._home.look(few, self._now())) or ()
        if looks and all(one.found is not None for one in looks):
            now = self._now()
            updated = self.snapshot.updated(looks, self._home.url, now)
            self._in_step = updated is not self.snapshot
            await self._keep(updated, now)

    async def _look_at_everybody(self) -> None:
        self._in_step = False
        self._saw_everybody_at = asyncio.get_running_loop().time()
        column = await self._answer(self._home.column(self._now()))
        if column is not None:
            await self._ask_about_lost(column)
            now = self._now()
            renewed = self.snapshot.renewed(column, self._home.url, now)
            self._in_step = renewed is not self.snapshot
            await self._keep(renewed, now)
            return
        for one in self._stand_ins:
            column = await self._answer(one.column(self._now()))
            if column is not None:
                await self._keep(self.snapshot.extended(column), self._now())
                return

    async def _answer(self, question: Awaitable[_Answer]) -> _Answer | None:
        """None where the replica cannot be read."""
        with contextlib.suppress(MailtrustError, TimeoutError):
            async with asyncio.timeout(self._look_timeout):
                return await question
        return None

    async def _ask_about_lost(self, column: Column) -> None:
        """When the entries were written that lack a key: else an old state may look like a withdrawal."""
        lacking = self.snapshot.missing(column)
        if not column.seen or not 0 < len(lacking) <= _MOST_ASKED_FOR:
            return
        for look in await self._answer(self._home.look(lacking, self._now())) or ():
            if look.changed is not None:
                column.changed[look.server] = look.changed

    async def _keep(self, renewed: Snapshot, now: datetime) -> None:
        before = self.snapshot
        since = now - self._saved_at if self._saved_at is not None else timedelta.max
        # A new date alone can wait: after a crash the snapshot is believed to be older than it was.
        patience = _SAVE_AGAIN if self._unsaved else min(self._max_age / 10, timedelta(seconds=30))
        if renewed.says_other_than(before) or (since > patience and (self._unsaved or renewed is not before)):
            await self._save(renewed, now)
        self.snapshot = renewed
        until = renewed.kept_until
        if until is not None and renewed.kept.keys() - before.kept.keys():
            self._report_kept(renewed, until)

    async def _save(self, renewed: Snapshot, now: datetime) -> None:
        self._saved_at = now
        try:
            await asyncio.to_thread(self._file.save, renewed)
        except (MailtrustError, OSError) as error:
            cause = error.__cause__ or error
            why = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(error)
            if not self._unsaved:
                file = str(self._file.path)
                values = {"file": file, "why": why}
                self._report(Raised(SNAPSHOT_NOT_SAVED, self._server, file, values))
            self._unsaved = True
        else:
            self._unsaved = False

    def _report_kept(self, snapshot: Snapshot, until: datetime) -> None:
        values = kept_values(snapshot.replica, snapshot.kept_of, until)
        self._report(Raised(KEYS_KEPT, self._server, snapshot.replica, values))

    def _report_if_stale(self) -> None:
        stale = self.is_stale
        if stale and not self._stale_reported:
            taken_at = self.snapshot.taken_at
            values = {"replica": self._home.url, "taken_at": when(taken_at) if taken_at else "never"}
            self._report(Raised(SNAPSHOT_STALE, self._server, str(self._file.path), values))
        self._stale_reported = stale
