"""
A directory in Active Directory or Samba: certificates below each mail server's own computer account.

A replica is one domain controller, read by itself.  How its entries look stands in `ad_computers.py`.  Each
certificate is an entry of its own, so that every controller takes writes, and each bears the stamp of its
write: together with how far a controller has seen of its partners' writes that tells late from lost.

Change notification is a hint and no more: several changes come as one, and a deletion may not come at all.
So each hint is followed by a look at what changed, and now and then there is one without a hint.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from mailtrust.core.model.certificate import Fingerprint, Pin, fingerprint_of, short
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.core.model.trust import Column
from mailtrust.core.sites import Controller, Forest
from mailtrust.directory import ad_computers as computers
from mailtrust.directory.ad_computers import Marks, Point
from mailtrust.directory.ad_forest import Root, read_forest
from mailtrust.directory.ad_read import Reader
from mailtrust.directory.base import Changed, Prepared, ReplicaState
from mailtrust.directory.contents import pin_of
from mailtrust.directory.ldap_rights import no_server, try_anonymously, try_entry
from mailtrust.directory.ldap_session import ATTEMPTS, LdapSettings, Session, overtaken
from mailtrust.directory.ldap_wire import Wire
from mailtrust.directory.pauses import pauses
from mailtrust.directory.rights import Deed, Trial
from mailtrust.errors import DirectoryUnavailable, PublishRefused
from mailtrust.ldap import controls
from mailtrust.ldap.names import Name
from mailtrust.ldap.requests import NO_ATTRIBUTES, Change, How, Modify, Scope, Search

_Result = TypeVar("_Result")
_FEW = 50
"""Up to here servers are asked for by name; above, reading all of them costs less."""
_UNHINTED = timedelta(seconds=30)
"""How long a deletion may go unnoticed; no controller tells an ordinary account of one."""
_HINT_SETTLES_SECONDS = 0.05


class AdReplica:
    """
    A `Replica` in one domain controller.  Making one touches nothing.

    *unhinted* is how often a watch looks at everything although nobody hinted.
    Raises: BadInput for a URL that names no server.
    """

    takes_writes = True
    holds_many = True
    remembers_withdrawals = False
    replicates_itself = True

    def __init__(
        self, url: str, settings: LdapSettings, *, timeout: timedelta, unhinted: timedelta = _UNHINTED
    ) -> None:
        self._session = Session(url, settings, timeout)
        self.url = url
        self._settings = settings
        self._timeout = timeout
        self._unhinted = unhinted
        self._looked_at: Marks | None = None
        self._told: Marks | str | None = None

    @property
    def server(self) -> str:
        """The one server, written in one way."""
        return self._session.server

    async def look(self, servers: Iterable[ServerName] | None, now: datetime) -> Sequence[ReplicaSighting]:
        """One sighting per server, as `Replica.look` has it; all are read page by page."""
        asked = None if servers is None else tuple(servers)
        few = asked if asked is not None and len(asked) <= _FEW else None
        try:
            read = await self._read(lambda reader: reader.contents(few))
        except DirectoryUnavailable as error:
            return [
                ReplicaSighting(one, self.url, None, now, self._session.why(error)) for one in asked or ()
            ]
        if few is None:
            self._looked_at = self._told = read.marks
        found = computers.sightings(
            read.members, read.others, read.points, self.url, now, read.seen, read.writer
        )
        if asked is None:
            return tuple(found.values())
        nothing = ReplicaSighting(ServerName(""), self.url, (), now, writer=read.writer, seen=read.seen)
        return [found.get(one) or replace(nothing, server=one) for one in asked]

    async def column(self, now: datetime) -> Column:
        """The keys that every server publishes; see `Replica.column`."""
        read = await self._read(lambda reader: reader.contents(None))
        self._looked_at = self._told = read.marks
        found = computers.sightings(
            read.members, read.others, read.points, self.url, now, read.seen, read.writer
        )
        column = Column.of(found.values())
        column.seen = read.seen
        return column

    async def unchanged(self) -> bool:
        """As `Replica.unchanged` has it; the number of every point is read, and nothing else of it."""
        known, marks = self._told, await self._marks()
        return marks == known and not isinstance(marks, str)

    async def publish(
        self,
        server: ServerName,
        value: bytes,
        now: datetime,  # noqa: ARG002 - the directory's own clock stamps
        listeners: Sequence[Endpoint] | None = None,
    ) -> None:
        """Publish; see `Replica.publish`.  The computer's account has to be there already, and to count."""

        async def work(reader: Reader) -> None:
            account = await reader.account(server)
            name = str(computers.point_name(account, value))
            for attempt in range(ATTEMPTS):
                held = await reader.points_of(account)
                if any(value in one.values for one in held):
                    await self._relisten(reader.wire, held, listeners)
                    return
                known = [at for one in held for at in one.listeners] if listeners is None else listeners
                new = computers.new_point(server, value, known)
                await reader.wire.add(name, new, timeout=self._timeout, also=overtaken(attempt))
            raise PublishRefused(
                f"{self.url} took {short(fingerprint_of(value))} and does not show it",
                hint=f"it was withdrawn just now, or this account may not read {name}",
            )

        await self._read(work)

    async def withdraw(self, server: ServerName, fingerprint: Fingerprint, now: datetime) -> None:  # noqa: ARG002
        """Delete its point; see `Replica.withdraw`."""
        await self._remove(server, lambda value: fingerprint_of(value) == fingerprint)

    async def withdraw_key(self, server: ServerName, pin: Pin, now: datetime) -> None:  # noqa: ARG002
        """Delete every point with that key; see `Replica.withdraw_key`."""
        await self._remove(server, lambda value: pin_of(value) == pin)

    async def state(self) -> ReplicaState:
        """The replica as a whole.  Never raises."""
        try:
            read = await self._read(lambda reader: reader.contents(None))
        except DirectoryUnavailable as error:
            return ReplicaState(self.url, readable=False, why=self._session.why(error))
        members = {one.name.key for one in read.members if one.is_enabled}
        ours = [one for one in read.points if one.parent in members]
        return ReplicaState(
            self.url,
            readable=True,
            servers=len({one.parent for one in ours}),
            values=sum(len(one.values) + len(one.spoilt) for one in ours),
            changed_at=max((one.published_at for one in ours if one.published_at), default=None),
        )

    async def forest(self) -> tuple[Root, Forest]:
        """This controller, and all that it knows of its forest.  Raises: DirectoryUnavailable."""

        async def work(reader: Reader) -> tuple[Root, Forest]:
            root = await reader.root()
            return root, await read_forest(reader.wire, root, self._timeout)

        return await self._read(work)

    async def prepare(self, server: ServerName) -> Prepared:
        """Look whether the computer's account is there and counts; only administrators make it."""
        await self._read(lambda reader: reader.account(server))
        return Prepared.THERE

    def ldif(self, server: ServerName) -> str:  # noqa: ARG002 - a computer joins its domain
        """Nothing: an account is made by joining the domain."""
        return ""

    async def pull(self, server: ServerName, value: bytes, source: Controller) -> None:
        """
        Let this controller fetch the point of a certificate from *source*, now (MS-ADTS 3.1.1.3.3.18).

        Raises: PublishRefused where it does not do that for this account, or at all (Samba); else
        DirectoryUnavailable.
        """

        async def work(reader: Reader) -> None:
            name = await _point_name(reader, server, value)
            asked = Change(How.ADD, "replicateSingleObject", (f"{source.settings}:{name}".encode(),))
            await reader.wire.ask(Modify("", (asked,)), timeout=self._timeout)

        await self._read(work)

    async def entry_of(self, server: ServerName, value: bytes) -> str:
        """The name of the point of a certificate.  Raises: DirectoryUnavailable."""
        return str(await self._read(lambda reader: _point_name(reader, server, value)))

    async def rights(self, server: ServerName, neighbour: ServerName | None, value: bytes) -> Sequence[Trial]:
        """What this account may do here; see `Guarded.rights`.  Entries of servers are not ours to make."""

        async def work(reader: Reader) -> list[Trial]:
            trials = []
            for deed, whose in ((Deed.OWN, server), (Deed.NEIGHBOUR, neighbour)):
                if whose is None:
                    continue
                try:
                    account = await reader.account(whose)
                except PublishRefused as error:
                    trials.append(Trial(deed, whose, allowed=False, why=error.message))
                    continue
                name, held = computers.trial_point(account, no_server(), value)
                trials.append(await try_entry(reader.wire, deed, name, held, self._timeout))
            return trials

        tried = await self._read(work)
        root, _ = await self.forest()
        nobody = await try_anonymously(
            self.url, self._settings, root.domain, computers.ARE_POINTS, computers.BINDING, self._timeout
        )
        return (*tried, nobody)

    async def watch(self, every: timedelta) -> AsyncGenerator[Changed, None]:
        """Yields after a change since the last look; a deletion may go unnoticed for *unhinted*."""
        known: Marks | str = self._looked_at or await self._marks()
        hints = _Hints()
        listening = asyncio.create_task(self._listen(hints, every))
        loop = asyncio.get_running_loop()
        full_at = loop.time()
        waits = pauses(every)
        try:
            while True:
                hinted = await hints.one(max(self._unhinted, every) if hints.come else every)
                is_due = loop.time() - full_at >= self._unhinted.total_seconds()
                before = known
                if hinted and isinstance(before, Marks) and not is_due:
                    known = await self._marks(before)
                else:
                    known, full_at = await self._marks(), loop.time()
                if known != before:
                    self._told = known
                    yield computers.whose(before, known)
                if isinstance(known, str):
                    await asyncio.sleep(next(waits).total_seconds())
                    continue
                # A busy domain hints all the time.
                await asyncio.sleep(every.total_seconds())
                waits = pauses(every)
        finally:
            listening.cancel()
            await asyncio.wait((listening,))

    async def close(self) -> None:
        """Say goodbye; whoever still waits hears of it."""
        await self._session.leave()

    async def _read(self, work: Callable[[Reader], Awaitable[_Result]]) -> _Result:
        return await self._session.do(lambda wire: work(Reader(wire, self._settings, self._timeout)))

    async def _marks(self, since: Marks | None = None) -> Marks | str:
        try:
            return await self._read(lambda reader: reader.marks(since))
        except DirectoryUnavailable as error:
            return error.message

    async def _listen(self, hints: _Hints, pause: timedelta) -> None:
        """Passes on that something in the domain changed, as the controller tells."""
        waits = pauses(pause)
        while True:
            with suppress(DirectoryUnavailable):
                wire = await self._session.wire()
                root = await Reader(wire, self._settings, self._timeout).root()
                # A naming context's head is the only place where Windows lets one watch a whole tree.
                search = Search(str(root.domain), Scope.SUBTREE, attributes=(NO_ATTRIBUTES,))
                async with aclosing(wire.watch(search, [controls.notify()])) as changes:
                    hints.come, waits = True, pauses(pause)
                    async for _ in changes:
                        hints.give()
            hints.come = False
            await asyncio.sleep(next(waits).total_seconds())

    async def _remove(self, server: ServerName, goes: Callable[[bytes], bool]) -> None:
        async def work(reader: Reader) -> None:
            account = await reader.account(server)
            for attempt in range(ATTEMPTS):
                held = await reader.points_of(account)
                gone = [one for one in held if any(map(goes, (*one.values, *one.spoilt)))]
                if not gone:
                    return
                for one in gone:
                    await reader.wire.delete(str(one.name), timeout=self._timeout, also=overtaken(attempt))
            raise PublishRefused(f"{self.url} still shows below {account} what was taken out of it")

        await self._read(work)

    async def _relisten(
        self, wire: Wire, held: Iterable[Point], listeners: Sequence[Endpoint] | None
    ) -> None:
        for one in held if listeners is not None else ():
            change = computers.relistening(one, listeners or ())
            if change is not None:
                await wire.ask(Modify(str(one.name), (change,)), timeout=self._timeout)


async def _point_name(reader: Reader, server: ServerName, value: bytes) -> Name:
    return computers.point_name(await reader.account(server), value)


class _Hints:
    """What change notification tells: that there was something."""

    def __init__(self) -> None:
        self.come = False
        """True while they do."""
        self._given = asyncio.Event()

    def give(self) -> None:
        """There was something."""
        self._given.set()

    async def one(self, within: timedelta) -> bool:
        """Wait for the next; False where none came in that time."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._given.wait(), within.total_seconds())
            # Many come at once, and one look sees them all.
            await asyncio.sleep(_HINT_SETTLES_SECONDS)
        given = self._given.is_set()
        self._given.clear()
        return given
