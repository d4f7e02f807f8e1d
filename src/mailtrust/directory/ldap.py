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
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from mailtrust.core.model.certificate import Fingerprint, Pin, fingerprint_of, short
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.directory import ldap_standard as standard
from mailtrust.directory.base import ReplicaState
from mailtrust.directory.ldap_bind import Anonymous, Credentials
from mailtrust.directory.ldap_changes import Mark, mark, told
from mailtrust.directory.ldap_url import place
from mailtrust.directory.ldap_wire import Wire
from mailtrust.directory.pauses import pauses
from mailtrust.errors import DirectoryUnavailable, MailtrustError, PublishRefused
from mailtrust.ldap import names
from mailtrust.ldap.filters import Equal, Filter, Or, Present
from mailtrust.ldap.names import Name
from mailtrust.ldap.requests import Change, Scope, Search
from mailtrust.ldap.responses import Entry, Result
from mailtrust.ldap.results import Code

_Result = TypeVar("_Result")
_FEW = 50
"""Up to here servers are asked for by name; above, reading all of them costs less."""
_OVERTAKEN = (
    Code.ATTRIBUTE_OR_VALUE_EXISTS, Code.NO_SUCH_ATTRIBUTE, Code.ENTRY_ALREADY_EXISTS, Code.NO_SUCH_OBJECT,
)  # fmt: skip
"""Somebody wrote between our look and our change: look again."""
_ATTEMPTS = 10
_USUAL_PORTS = (389, 636)
_OF_THE_DEADLINE = 0.9
"""Which part of it connecting may take, so that the reason arrives before it."""


@dataclass(frozen=True, slots=True)
class LdapSettings:
    """What one has to know of an LDAP directory besides its servers' URLs."""

    base: Name
    """The entry below which every mail server has its own."""
    credentials: Credentials = field(default_factory=Anonymous)
    ca_file: Path | None = None
    """Whom to believe that a server is itself; None: whom the system believes."""


class LdapReplica:
    """
    A `Replica` in one LDAP server.  Making one touches nothing.

    Raises: BadInput for a URL that names no server.
    """

    takes_writes = True
    holds_many = True
    remembers_withdrawals = False

    def __init__(self, url: str, settings: LdapSettings, *, timeout: timedelta) -> None:
        self._place = place(url)
        self.url = url
        self._settings = settings
        self._timeout = timeout
        self._wire: Wire | None = None
        self._opening = asyncio.Lock()
        self._looked_at: Mark | None = None
        self._tells = True

    @property
    def server(self) -> str:
        """The one server, written in one way; the usual ports for LDAP lead to the same one."""
        where = self._place
        if where.scheme == "ldapi":
            return str(where)
        return where.host if where.port in _USUAL_PORTS else f"{where.host}:{where.port}"

    async def look(self, servers: Iterable[ServerName] | None, now: datetime) -> Sequence[ReplicaSighting]:
        """One sighting per server, as `Replica.look` has it; all are read page by page."""
        asked = None if servers is None else tuple(servers)

        async def work(wire: Wire) -> dict[ServerName, Entry]:
            # First, so that what changes while we read is told of afterwards.
            looked_at = await self._mark_by(wire)
            found = await self._entries(wire, asked)
            self._looked_at = looked_at
            return found

        try:
            found = await self._in_time(work)
        except DirectoryUnavailable as error:
            return [ReplicaSighting(one, self.url, None, now, error.message) for one in asked or ()]
        return [
            standard.sighting(one, found.get(one), self.url, now)
            for one in (sorted(found) if asked is None else asked)
        ]

    async def publish(
        self,
        server: ServerName,
        value: bytes,
        now: datetime,  # noqa: ARG002 - the directory's own clock stamps
        listeners: Sequence[Endpoint] | None = None,
    ) -> None:
        """Publish; see `Replica.publish`.  A server that checks its values refuses what is no certificate."""

        async def work(wire: Wire) -> None:
            name = str(self._name(server))
            for attempt in range(_ATTEMPTS):
                entry = await self._entry(wire, server)
                if entry is None:
                    new = standard.new_entry(server, value, listeners or ())
                    done = await wire.add(name, new, timeout=self._timeout, also=_also(attempt))
                else:
                    changes = standard.publication(entry, value, listeners)
                    if not changes:
                        return
                    done = await wire.modify(name, *changes, timeout=self._timeout, also=_also(attempt))
                if isinstance(done.answer, Result) and done.answer.done:
                    break
            after = standard.values(await self._entry(wire, server))
            if value not in {one.der for one in after}:
                raise PublishRefused(
                    f"{self.url} took {short(fingerprint_of(value))} and does not show it",
                    hint=f"it was withdrawn just now, or this account may not read {name}",
                )

        await self._in_time(work)

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
            entries = await self._in_time(work)
        except DirectoryUnavailable as error:
            return ReplicaState(self.url, readable=False, why=error.message)
        counts = [len(standard.values(one)) for one in entries]
        moments = (standard.changed_at(one) for one in entries)
        return ReplicaState(
            self.url,
            readable=True,
            servers=sum(count > 0 for count in counts),
            values=sum(counts),
            changed_at=max((one for one in moments if one), default=None),
        )

    async def watch(self, every: timedelta) -> AsyncGenerator[None, None]:
        """
        Yields after a change since the last look; *every* is for a server that tells nothing by itself.

        One that cannot be asked is asked less and less often, up to `pauses.LONGEST`.
        """
        known: Mark = self._looked_at or await self._mark()
        waits = pauses(every)
        while True:
            wire: Wire | None = None
            try:
                wire = await self._in_time(_itself)
                async with aclosing(told(wire, self._settings.base, known)) as changes:
                    async for change in changes:
                        known = change
                        yield
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
                yield

    async def close(self) -> None:
        """Say goodbye; whoever still waits hears of it."""
        await self._leave()

    async def _remove(
        self, server: ServerName, removal: Callable[[Entry | None], tuple[Change, ...]]
    ) -> None:
        name = str(self._name(server))

        async def work(wire: Wire) -> None:
            for attempt in range(_ATTEMPTS):
                changes = removal(await self._entry(wire, server))
                if not changes:
                    return
                await wire.modify(name, *changes, timeout=self._timeout, also=_also(attempt))
            raise PublishRefused(f"{self.url} still shows in {name} what was taken out of it")

        await self._in_time(work)

    async def _mark(self) -> Mark:
        try:
            return await self._in_time(self._mark_by)
        except DirectoryUnavailable as error:
            return error.message

    async def _mark_by(self, wire: Wire) -> Mark:
        return await mark(wire, self._settings.base, self._timeout, tells=self._tells)

    async def _entry(self, wire: Wire, server: ServerName) -> Entry | None:
        return (await self._entries(wire, (server,))).get(server)

    async def _entries(self, wire: Wire, asked: tuple[ServerName, ...] | None) -> dict[ServerName, Entry]:
        """The entries of those asked for that have one; None: all that publish something."""
        if asked is None or len(asked) > _FEW:
            found = await self._all(wire, Present(standard.CERTIFICATE))
        elif asked:
            found = await self._all(wire, Or(tuple(Equal("cn", one.encode()) for one in asked)))
        else:
            found = []
        # A second cn, or another attribute in the name, must not make an entry somebody else's.
        pairs = ((standard.server_of(one), one) for one in found)
        return {
            server: one for server, one in pairs
            if server is not None and names.parse(one.name).is_same(self._name(server))
        }  # fmt: skip

    async def _all(self, wire: Wire, wanted: Filter) -> list[Entry]:
        base = str(self._settings.base)
        search = Search(base, Scope.ONE_LEVEL, wanted, standard.ATTRIBUTES)
        async with aclosing(wire.stream(search, timeout=self._timeout)) as entries:
            return [one async for one in entries]

    def _name(self, server: ServerName) -> Name:
        return self._settings.base.child("cn", server)

    async def _in_time(self, work: Callable[[Wire], Awaitable[_Result]]) -> _Result:
        """The result of *work* before the deadline, or DirectoryUnavailable."""
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                return await self._on_a_live_connection(work)
        except TimeoutError as error:
            # A hung server may stay hung on this connection, when others are answered already.
            await self._leave()
            raise DirectoryUnavailable(
                f"{self.url} did not answer within {self._timeout.total_seconds():g} seconds",
                hint="if something was to be written it may have been: look again",
            ) from error
        except DirectoryUnavailable as error:
            if error.hint or isinstance(error, PublishRefused):
                raise
            raise DirectoryUnavailable(error.message, hint="is the server running?") from error.__cause__
        except MailtrustError as error:
            raise DirectoryUnavailable(f"{self.url}: {error.message}", hint=error.hint) from error

    async def _on_a_live_connection(self, work: Callable[[Wire], Awaitable[_Result]]) -> _Result:
        kept, wire = self._wire, await self._connected()
        try:
            return await work(wire)
        except DirectoryUnavailable:
            if wire is not kept or wire.why_ended is None:
                raise
        # A server that was started anew has forgotten us; everything here may be done twice.
        return await work(await self._connected())

    async def _connected(self) -> Wire:
        async with self._opening:
            if self._wire is None or self._wire.why_ended is not None:
                self._wire = await Wire.open(
                    self.url,
                    credentials=self._settings.credentials,
                    ca_file=self._settings.ca_file,
                    timeout=self._timeout * _OF_THE_DEADLINE,
                )
            return self._wire

    async def _leave(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()


async def _itself(wire: Wire) -> Wire:
    return wire


def _also(attempt: int) -> tuple[int, ...]:
    """Which refusals mean that somebody was faster; in the last attempt they are refusals like others."""
    return _OVERTAKEN if attempt < _ATTEMPTS - 1 else ()
