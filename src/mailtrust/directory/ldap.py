"""
A directory that speaks LDAP, in the standard schema: OpenLDAP, 389 DS.

A replica is one server, read by itself over one connection, which is made when it is needed and made again
when it was lost.  Every write is "look, change what is missing, look again": so it may be repeated after an
answer that never came, and two who write at once do not undo each other's.

LDAP keeps no record of what is gone: a value that was withdrawn is deleted, and the server's own journal is
what remembers it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta

from mailtrust.core.model.certificate import Fingerprint, Pin, fingerprint_of, short
from mailtrust.core.model.key_reader import KeyReader
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.core.model.trust import Column
from mailtrust.directory import ldap_standard as standard
from mailtrust.directory.base import Changed, Prepared, ReplicaState
from mailtrust.directory.ldap_changes import Cookie, Mark, cookie, seen_by, shown, told
from mailtrust.directory.ldap_rights import is_shown, no_server, try_anonymously, try_entry, try_value
from mailtrust.directory.ldap_session import ATTEMPTS, LdapSettings, Session, overtaken
from mailtrust.directory.ldap_wire import Wire
from mailtrust.directory.pauses import pauses
from mailtrust.directory.rights import Deed, Trial
from mailtrust.errors import DirectoryUnavailable, PublishRefused
from mailtrust.ldap import controls
from mailtrust.ldap.filters import Equal, Filter, Or, Present
from mailtrust.ldap.names import Name
from mailtrust.ldap.requests import Add, Change, Modify, Scope, Search
from mailtrust.ldap.responses import Entry, Result

__all__ = ["LdapReplica", "LdapSettings"]

_PUBLISHING = Present(standard.CERTIFICATE)
_FEW = 50
"""Up to here servers are asked for by name; above, reading all of them costs less."""


class LdapReplica:
    """
    A `Replica` in one LDAP server.  Making one touches nothing.

    Raises: BadInput for a URL that names no server.
    """

    takes_writes = False
    replicates_itself = True
    holds_many = True
    remembers_withdrawals = False

    def __init__(self, url: str, settings: LdapSettings, *, timeout: timedelta) -> None:
        self._session = Session(url, settings, timeout)
        self.url = url
        self._settings = settings
        self._base = settings.base
        self._timeout = timeout
        self._looked_at: Mark | None = None
        self._told: Mark | None = None
        self._tells = True

    @property
    def server(self) -> str:
        """The one server, written in one way."""
        return self._session.server

    async def look(self, servers: Iterable[ServerName] | None, now: datetime) -> Sequence[ReplicaSighting]:
        """One sighting per server, as `Replica.look` has it; all are read page by page."""
        asked = None if servers is None else tuple(servers)

        async def work(wire: Wire) -> tuple[Cookie | None, dict[ServerName, Entry]]:
            # First, so that what changes while we read is told of afterwards, and what arrives is not lost.
            before = await cookie(wire, self._base, self._timeout)
            return before, await self._entries(wire, asked)

        try:
            before, found = await self._session.do(work)
        except DirectoryUnavailable as error:
            return [
                ReplicaSighting(one, self.url, None, now, self._session.why(error)) for one in asked or ()
            ]
        if asked is None:
            self._looked_at = self._told = before if before and self._tells else shown(found.values())
        seen = seen_by(before)
        return [
            standard.sighting(one, found.get(one), self.url, now, seen)
            for one in (sorted(found) if asked is None else asked)
        ]

    async def column(self, now: datetime) -> Column:  # noqa: ARG002 - keys have no dates
        """The keys that every server publishes, read page by page; see `Replica.column`."""

        async def work(wire: Wire) -> tuple[Mark, Column]:
            base, column, reader = str(self._base), Column(), KeyReader()
            numbered = await self._numbered(wire)
            if numbered is None:
                # What is seen is the mark, so it takes all that an entry has.
                found = await self._entries(wire, None)
                for name, entry in found.items():
                    column.add(name, standard.pins(entry, name, reader))
                return shown(found.values()), column
            is_empty = True
            search = Search(base, Scope.ONE_LEVEL, _PUBLISHING, (standard.CERTIFICATE,))
            async with aclosing(wire.pages(search, timeout=self._timeout)) as pages:
                async for entries in pages:
                    is_empty = is_empty and not entries
                    for one in entries:
                        server = standard.server_below(one, base)
                        if server is not None:
                            column.add(server, standard.pins(one, server, reader))
            if is_empty:
                await self._require_base(wire)
            return numbered, column

        before, column = await self._session.do(work)
        self._looked_at = self._told = before
        column.seen = seen_by(before)
        return column

    async def unchanged(self) -> bool:
        """As `Replica.unchanged` has it: one number of the server's, where it tells changes."""
        known, mark = self._told, await self._mark()
        return mark == known and not isinstance(mark, str)

    async def publish(
        self,
        server: ServerName,
        value: bytes,
        now: datetime,  # noqa: ARG002 - the directory's own clock stamps
        listeners: Sequence[Endpoint] | None = None,
    ) -> None:
        """Publish; see `Replica.publish`.  A server that checks its values refuses what is no certificate."""
        name = str(self._name(server))

        async def work(wire: Wire) -> None:
            told = controls.post_read(*standard.ATTRIBUTES, critical=False)
            after: Entry | None = None
            for attempt in range(ATTEMPTS):
                request = _publication(await self._entry(wire, server), name, server, value, listeners)
                if request is None:
                    return
                asked = wire.ask(request, (told,), timeout=self._timeout, also=overtaken(attempt))
                *_, done = await asked
                if isinstance(done.answer, Result) and done.answer.done:
                    after = controls.entry_after(done)
                    break
            # Not every server tells with the write what it wrote.
            if not standard.holds(after, value) and not standard.holds(
                await self._entry(wire, server), value
            ):
                raise PublishRefused(
                    f"{self.url} took {short(fingerprint_of(value))} and does not show it",
                    hint=f"it was withdrawn just now, or this account may not read {name}",
                )

        await self._session.do(work)

    async def withdraw(self, server: ServerName, fingerprint: Fingerprint, now: datetime) -> None:  # noqa: ARG002
        """Delete the value; see `Replica.withdraw`."""
        await self._remove(server, lambda entry: standard.withdrawal(entry, fingerprint))

    async def withdraw_key(self, server: ServerName, pin: Pin, now: datetime) -> None:  # noqa: ARG002
        """Delete every value with that key; see `Replica.withdraw_key`."""
        await self._remove(server, lambda entry: standard.withdrawal_of_key(entry, pin))

    async def state(self) -> ReplicaState:
        """The replica as a whole.  Never raises."""

        async def work(wire: Wire) -> list[Entry]:
            return await self._all(wire, Present("objectClass"))

        try:
            entries = await self._session.do(work)
        except DirectoryUnavailable as error:
            return ReplicaState(self.url, readable=False, why=self._session.why(error))
        counts = [len({value.der for value in standard.values(one)}) for one in entries]
        moments = (standard.changed_at(one) for one in entries)
        return ReplicaState(
            self.url,
            readable=True,
            servers=sum(count > 0 for count in counts),
            values=sum(counts),
            changed_at=max((one for one in moments if one), default=None),
        )

    async def prepare(self, server: ServerName) -> Prepared:
        """Make the server's entry; see `Preparing.prepare`."""

        async def work(wire: Wire) -> Prepared:
            if await self._entry(wire, server) is not None:
                return Prepared.THERE
            attributes = standard.bare_entry(server)
            await wire.add(str(self._name(server)), attributes, timeout=self._timeout)
            return Prepared.MADE

        return await self._session.do(work)

    def ldif(self, server: ServerName) -> str:
        """The entry as an administrator can add it."""
        return standard.ldif(self._name(server), server)

    async def rights(self, server: ServerName, neighbour: ServerName | None, value: bytes) -> Sequence[Trial]:
        """What this account may do here; see `Guarded.rights`."""

        async def work(wire: Wire) -> list[Trial]:
            written, patience = standard.WRITTEN, self._timeout
            trials = [await try_value(wire, Deed.OWN, self._name(server), written, value, patience)]
            if neighbour is not None:
                name = self._name(neighbour)
                trials.append(await try_value(wire, Deed.NEIGHBOUR, name, written, value, patience))
            nobody = no_server()
            new = standard.new_entry(nobody, value, ())
            return [*trials, await try_entry(wire, Deed.NEW, self._name(nobody), new, patience)]

        tried = await self._session.do(work)
        nobody = await try_anonymously(
            self.url, self._settings, self._base, _PUBLISHING, standard.CERTIFICATE, self._timeout
        )
        return (*tried, nobody)

    async def watch(self, every: timedelta) -> AsyncGenerator[Changed, None]:
        """
        Yields after a change since the last look; *every* is for a server that tells nothing by itself.

        One that cannot be asked is asked less and less often, up to `pauses.LONGEST`.
        """
        known: Mark = await self._mark() if self._looked_at is None else self._looked_at
        waits = pauses(every)
        while True:
            wire: Wire | None = None
            try:
                if self._tells:
                    wire = await self._session.wire()
                    async with aclosing(told(wire, self._base, known, self._timeout)) as changes:
                        async for mark_after, changed in changes:
                            known = self._told = mark_after
                            if changed is None or changed:
                                yield changed
            except DirectoryUnavailable:
                # A refusal: it tells nothing of this part of its tree, and its own mark stands still there.
                # All else is seen in the next mark, which is then a reason.
                self._tells = self._tells and not (wire and wire.why_ended is None)
            if isinstance(known, str):
                await asyncio.sleep(next(waits).total_seconds())
            else:
                await asyncio.sleep(every.total_seconds())
                waits = pauses(every)
            before, known = known, await self._mark()
            if known != before:
                self._told = known
                yield None

    async def close(self) -> None:
        """Say goodbye; whoever still waits hears of it."""
        await self._session.leave()

    async def _remove(
        self, server: ServerName, removal: Callable[[Entry | None], tuple[Change, ...]]
    ) -> None:
        name = str(self._name(server))

        async def work(wire: Wire) -> None:
            for attempt in range(ATTEMPTS):
                changes = removal(await self._entry(wire, server))
                if not changes:
                    return
                await wire.modify(name, *changes, timeout=self._timeout, also=overtaken(attempt))
            raise PublishRefused(f"{self.url} still shows in {name} what was taken out of it")

        await self._session.do(work)

    async def _mark(self) -> Mark:
        try:
            return await self._session.do(self._mark_by)
        except DirectoryUnavailable as error:
            return error.message

    async def _mark_by(self, wire: Wire) -> Mark:
        return await self._numbered(wire) or shown((await self._entries(wire, None)).values())

    async def _numbered(self, wire: Wire) -> Cookie | None:
        return await cookie(wire, self._base, self._timeout) if self._tells else None

    async def _entry(self, wire: Wire, server: ServerName) -> Entry | None:
        return (await self._entries(wire, (server,))).get(server)

    async def _entries(self, wire: Wire, asked: tuple[ServerName, ...] | None) -> dict[ServerName, Entry]:
        """The entries of those asked for that have one; None: all that publish something."""
        if asked is None or len(asked) > _FEW:
            found = await self._all(wire, _PUBLISHING)
        elif asked:
            wanted = Or(tuple(Equal("cn", one.encode()) for one in asked))
            found = await self._all(wire, wanted, standard.WITH_AUTHOR)
        else:
            found = []
        return standard.by_server(found, str(self._base))

    async def _all(
        self, wire: Wire, wanted: Filter, attributes: tuple[str, ...] = standard.ATTRIBUTES
    ) -> list[Entry]:
        search = Search(str(self._base), Scope.ONE_LEVEL, wanted, attributes)
        async with aclosing(wire.stream(search, timeout=self._timeout)) as entries:
            found = [one async for one in entries]
        if not found:
            await self._require_base(wire)
        return found

    async def _require_base(self, wire: Wire) -> None:
        """An empty answer counts only where this is seen.  Raises: DirectoryUnavailable."""
        if not await is_shown(wire, self._base, self._timeout):
            raise DirectoryUnavailable(
                f"{self.url} shows no entry {self._base}: it is not there, or this account may not see it",
                hint="check directory.base, and that this account may read that entry and those below it",
            )

    def _name(self, server: ServerName) -> Name:
        return self._base.child("cn", server)


def _publication(
    entry: Entry | None,
    name: str,
    server: ServerName,
    value: bytes,
    listeners: Sequence[Endpoint] | None,
) -> Add | Modify | None:
    """What to ask for so that the entry holds the value; None where it does already."""
    if entry is None:
        return Add(name, tuple(standard.new_entry(server, value, listeners or ())))
    changes = standard.publication(entry, value, listeners)
    return Modify(name, changes) if changes else None
