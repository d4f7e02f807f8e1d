"""
Whether anything changed below an entry of an LDAP directory.

A *mark* is what a look is compared with later.  An OpenLDAP server with the overlay ``syncprov`` keeps one
by itself: ``contextCSN``, the number of the latest change by each writer.  Elsewhere the mark is what was
seen, whole: a stamp of whole seconds, as 389 DS has it, is the same after two changes in one second.

A server that knows RFC 4533 tells every change as it happens: OpenLDAP from its mark on, another one after it
has told once more what there is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

from mailtrust.core.model.replication import Seen
from mailtrust.directory import ldap_standard as standard
from mailtrust.directory.base import Changed
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import BadInput, DirectoryUnavailable
from mailtrust.ldap import names, syncrepl
from mailtrust.ldap.names import Name
from mailtrust.ldap.requests import Scope, Search
from mailtrust.ldap.responses import Entry, Intermediate, Response, Result
from mailtrust.ldap.results import Code
from mailtrust.ldap.syncrepl import Fate, NewCookie, PhaseEnds, Several


@dataclass(frozen=True, slots=True)
class Cookie:
    """The mark of a server that numbers its changes."""

    value: bytes


Shown = frozenset[int]
"""The mark of another one: of each entry that publishes a number, which holds in this process."""
Mark = Cookie | Shown | str | None
"""A text says why there is none; None: only another look makes one."""


def shown(entries: Iterable[Entry]) -> Shown:
    """The mark that these entries make together."""
    return frozenset(_number(one) for one in entries if standard.values(one))


def _number(entry: Entry) -> int:
    held = ((attribute, frozenset(values)) for attribute, values in entry.attributes.items())
    return hash((entry.name, frozenset(held)))


def seen_by(mark: Mark) -> Seen:
    """How far a server with that mark has seen of each writer; empty where it does not tell."""
    return syncrepl.seen(mark.value) if isinstance(mark, Cookie) else {}


async def told(
    wire: Wire, base: Name, known: Mark, timeout: timedelta
) -> AsyncGenerator[tuple[Mark, Changed], None]:
    """
    The mark after each change since *known*, and whose entry changed, as the server tells it; nobody's where
    something changed elsewhere in its tree, and only the mark moves.

    Ends at once where *known* is no mark of what is there; *timeout* is for telling once more what
    there is.  Raises: DirectoryUnavailable, also where the server tells no changes.
    """
    match known:
        case Cookie():
            changes = _told_since(wire, base, known.value)
        case frozenset():
            changes = _told_anew(wire, base, known, timeout)
        case _:
            return
    async with aclosing(changes):
        async for change in changes:
            yield change


async def _told_since(wire: Wire, base: Name, value: bytes) -> AsyncGenerator[tuple[Mark, Changed], None]:
    names_present = False
    search = Search(str(base), Scope.ONE_LEVEL, attributes=("entryCSN",))
    watch = wire.watch(search, [syncrepl.sync(cookie=value)], also=(Code.E_SYNC_REFRESH_REQUIRED,))
    async with aclosing(watch) as responses:
        async for response in responses:
            new, changed, names_present = _news(response, names_present=names_present)
            value = syncrepl.merged(value, new) if new else value
            if changed or new:
                yield Cookie(value), _whose(response) if changed else frozenset()


async def _told_anew(
    wire: Wire, base: Name, known: Shown, timeout: timedelta
) -> AsyncGenerator[tuple[Mark, Changed], None]:
    # The cookies of 389 DS are not kept: version 2.3 sends ones that it refuses itself.
    search = Search(str(base), Scope.ONE_LEVEL, attributes=standard.ATTRIBUTES)
    async with aclosing(wire.watch(search, [syncrepl.sync()])) as responses:
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                entries = await _all_there_is(responses)
        except TimeoutError as error:
            # 389 DS says nothing more, not even that there was more than its limit.
            raise DirectoryUnavailable(f"{wire.url} does not come to the end of what there is") from error
        if shown(standard.by_server(entries, str(base)).values()) != known:
            yield None, None
        async for response in responses:
            if _news(response, names_present=False)[1]:
                yield None, _whose(response)


async def _all_there_is(responses: AsyncIterator[Response]) -> list[Entry]:
    entries: list[Entry] = []
    async for response in responses:
        match response.answer:
            case Entry() as entry:
                entries.append(entry)
            case Intermediate() as message:
                match syncrepl.news(message):
                    case PhaseEnds(refreshed=True):
                        break
    return entries


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
    """The mark of a server that numbers its changes; None of another one.  Raises: DirectoryUnavailable."""
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
