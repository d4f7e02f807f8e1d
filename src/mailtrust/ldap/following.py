"""
A copy of what a search finds, kept up to date by a server that tells its changes (RFC 4533).

`Following` holds what must survive a lost connection: which entries are known, by UUID, and the cookie.
Feed it every answer to a search with its `control`; it says which entries changed and which are gone.
What is known there and named by nobody at the end of a refresh is gone too; only here can that be seen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from mailtrust.errors import NotLdap
from mailtrust.ldap import syncrepl
from mailtrust.ldap.responses import Control, Entry, Intermediate, Reference, Response, Result
from mailtrust.ldap.results import Code
from mailtrust.ldap.syncrepl import Fate, Mode, NewCookie, PhaseEnds, Several


@dataclass(frozen=True, slots=True)
class Changed:
    """This entry is new, or has changed, or has another name: this is how it is now."""

    uuid: UUID
    entry: Entry


@dataclass(frozen=True, slots=True)
class Gone:
    """This entry was deleted, or is found no more."""

    uuid: UUID


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """All that there was has been told; what follows are changes as they happen."""


News = Changed | Gone | CaughtUp


class Following:
    """
    One search that is followed, over as many connections as it takes.

    *known* and *cookie* are what another one left.  They belong together: a cookie whose entries were lost
    would keep them from ever being told again.
    """

    def __init__(self, known: Iterable[UUID] = (), cookie: bytes | None = None) -> None:
        self._known = set(known)
        self._named: set[UUID] = set()
        self._cookie = cookie
        self._caught_up = False

    @property
    def known(self) -> frozenset[UUID]:
        """The entries that there are."""
        return frozenset(self._known)

    @property
    def cookie(self) -> bytes | None:
        """From where to go on; keep it only together with what was told before it."""
        return self._cookie

    def control(self, mode: Mode = Mode.PERSIST) -> Control:
        """What to send the search with, on this connection and on every next one."""
        self._named.clear()
        self._caught_up = False
        return syncrepl.sync(mode, self._cookie)

    def receive(self, response: Response) -> tuple[News, ...]:
        """
        What an answer says, in order.

        Raises NotLdap for one that cannot be followed; then begin again on another connection.  A result
        other than success says nothing, but E_SYNC_REFRESH_REQUIRED makes the cookie forgotten: search
        again, and everything is told.
        """
        match response.answer:
            case Entry() as entry:
                return self._entry(response, entry)
            case Intermediate() as message:
                return self._message(message)
            case Result() as result:
                return self._result(response, result)
            case Reference():
                return ()

    def _entry(self, response: Response, entry: Entry) -> tuple[News, ...]:
        state = syncrepl.state(response)
        if state is None:
            raise NotLdap("an entry without its state, as if nobody had asked to follow")
        self._go_on_from(state.cookie)
        if state.fate is Fate.DELETE:
            return self._gone([state.uuid])
        self._named.add(state.uuid)
        if state.fate is Fate.PRESENT:
            return ()
        self._known.add(state.uuid)
        return (Changed(state.uuid, entry),)

    def _message(self, message: Intermediate) -> tuple[News, ...]:
        match syncrepl.news(message):
            case NewCookie(cookie):
                self._go_on_from(cookie)
                return ()
            case Several(uuids, deleted, cookie):
                self._go_on_from(cookie)
                if deleted:
                    return self._gone(uuids)
                self._named.update(uuids)
                return ()
            case PhaseEnds(deletes, cookie, refreshed):
                return self._phase_ends(deletes=deletes, refreshed=refreshed, cookie=cookie)
            case None:
                return ()

    def _result(self, response: Response, result: Result) -> tuple[News, ...]:
        if result.code == Code.E_SYNC_REFRESH_REQUIRED:
            self._cookie = None
        done = syncrepl.done(response) if result.done else None
        if done is None:
            return ()
        return self._phase_ends(deletes=done.deletes, refreshed=True, cookie=done.cookie)

    def _phase_ends(self, *, deletes: bool, refreshed: bool, cookie: bytes | None) -> tuple[News, ...]:
        if refreshed and not self._named <= self._known:
            # It came by another way than a change of its own, as when the entry above it was moved here.
            self._cookie = None
            raise NotLdap("an entry as known that it never told of; everything has to be told again")
        gone = () if deletes or self._caught_up else self._gone(sorted(self._known - self._named))
        self._go_on_from(cookie)
        if not refreshed or self._caught_up:
            return gone
        self._caught_up = True
        self._named.clear()
        return (*gone, CaughtUp())

    def _gone(self, uuids: Collection[UUID]) -> tuple[News, ...]:
        gone = [uuid for uuid in uuids if uuid in self._known]
        self._known.difference_update(gone)
        self._named.difference_update(uuids)
        return tuple(Gone(uuid) for uuid in gone)

    def _go_on_from(self, cookie: bytes | None) -> None:
        if cookie is not None:
            self._cookie = syncrepl.merged(self._cookie, cookie)
