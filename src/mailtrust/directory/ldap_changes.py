"""
Whether anything changed below an entry of an LDAP directory.

A *mark* is what a look is compared with later.  An OpenLDAP server with the overlay ``syncprov`` keeps one
by itself: ``contextCSN``, the number of the latest change by each writer; from there it tells every change
as it happens (RFC 4533).  Elsewhere the mark is each entry's name and number, read again and again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

from mailtrust.core.model.replication import Seen
from mailtrust.directory import ldap_standard as standard
from mailtrust.directory.base import Changed
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import BadInput
from mailtrust.ldap import names, syncrepl
from mailtrust.ldap.names import Name
from mailtrust.ldap.requests import Scope, Search
from mailtrust.ldap.responses import Entry, Intermediate, Response, Result
from mailtrust.ldap.results import Code
from mailtrust.ldap.syncrepl import Fate, NewCookie, PhaseEnds, Several

_STAMPS = ("entryUUID", "entryCSN", "modifyTimestamp")


@dataclass(frozen=True, slots=True)
class Cookie:
    """The mark of a server that tells changes."""

    value: bytes


Numbers = frozenset[tuple[object, ...]]
Mark = Cookie | Numbers | str
"""A text says why there is none."""


async def mark(wire: Wire, base: Name, timeout: timedelta, *, tells: bool = True) -> Mark:
    """
    How things stand below *base*; without *tells*, by each entry whatever the server offers.

    Raises: DirectoryUnavailable.
    """
    told = await cookie(wire, base, timeout) if tells else None
    if told is not None:
        return told
    search = Search(str(base), Scope.ONE_LEVEL, attributes=_STAMPS)
    async with aclosing(wire.stream(search, timeout=timeout)) as entries:
        return frozenset([(one.name, *map(one.values, _STAMPS)) async for one in entries])


def seen_by(mark: Mark | None) -> Seen:
    """How far a server with that mark has seen of each writer; empty where it does not tell."""
    return syncrepl.seen(mark.value) if isinstance(mark, Cookie) else {}


async def told(wire: Wire, base: Name, known: Mark) -> AsyncGenerator[tuple[Mark, Changed], None]:
    """
    The mark after each change since *known*, and whose entry changed, as the server tells it; nobody's where
    something changed elsewhere in its tree, and only the mark moves.

    Ends at once where it tells none.  Raises: DirectoryUnavailable.
    """
    if not isinstance(known, Cookie):
        return
    value, names_present = known.value, False
    search = Search(str(base), Scope.ONE_LEVEL, attributes=("entryCSN",))
    watch = wire.watch(search, [syncrepl.sync(cookie=value)], also=(Code.E_SYNC_REFRESH_REQUIRED,))
    async with aclosing(watch) as responses:
        async for response in responses:
            new, changed, names_present = _news(response, names_present=names_present)
            value = syncrepl.merged(value, new) if new else value
            if changed or new:
                yield Cookie(value), _whose(response) if changed else frozenset()


def _whose(response: Response) -> Changed:
    entry = response.answer
    server = standard.server_of(entry) if isinstance(entry, Entry) else None
    return frozenset([server]) if server is not None else None


def _news(response: Response, *, names_present: bool) -> tuple[bytes | None, bool, bool]:
    """The cookie it brings, whether something changed, and whether it has named what is still there."""
    match response.answer:
        case Entry():
            state = syncrepl.state(response)
            is_present = state is not None and state.fate is Fate.PRESENT
            return state.cookie if state else None, not is_present, names_present or is_present
        case Intermediate() as message:
            match syncrepl.news(message):
                case NewCookie(cookie):
                    return cookie, False, names_present
                case Several() as several:
                    return several.cookie, several.deleted, names_present or not several.deleted
                case PhaseEnds() as phase:
                    # Whatever was not named is gone, and we do not know what that is: better look.
                    return phase.cookie, names_present and not phase.deletes, False
        case Result():
            return None, not response.answer.done, False
    return None, False, names_present


async def cookie(wire: Wire, base: Name, timeout: timedelta) -> Cookie | None:
    """The mark of a server that tells changes; None of another one.  Raises: DirectoryUnavailable."""
    root = await _read(wire, Name(), ("namingContexts", "supportedControl"), timeout)
    if root is None or syncrepl.SYNC_REQUEST.encode() not in root.values("supportedControl"):
        return None
    for context in root.values("namingContexts"):
        try:
            suffix = names.parse(context.decode("utf-8", "replace"))
        except BadInput:
            continue
        if base.is_under(suffix):
            head = await _read(wire, suffix, ("contextCSN",), timeout)
            numbers = head.values("contextCSN") if head else ()
            return Cookie(syncrepl.cookie_of(numbers)) if numbers else None
    return None


async def _read(wire: Wire, name: Name, attributes: tuple[str, ...], timeout: timedelta) -> Entry | None:
    search = Search(str(name), Scope.BASE, attributes=attributes)
    found = await wire.search(search, timeout=timeout, also=(Code.NO_SUCH_OBJECT,))
    return found[0] if found else None
