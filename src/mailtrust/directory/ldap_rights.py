"""Trying the rights of an account in an LDAP directory, in either layout; nothing is left behind."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from mailtrust.core.model.server import ServerName
from mailtrust.directory.ldap_session import LdapSettings
from mailtrust.directory.ldap_wire import Attributes, Wire
from mailtrust.directory.rights import Deed, Trial
from mailtrust.errors import DirectoryUnavailable, PublishRefused
from mailtrust.ldap.filters import Filter
from mailtrust.ldap.names import Name
from mailtrust.ldap.requests import NO_ATTRIBUTES, Change, How, Scope, Search
from mailtrust.ldap.responses import Entry, Response, Result
from mailtrust.ldap.results import Code

_NOT_THERE = (Code.NO_SUCH_OBJECT,)
_ANSWERED = (Code.NO_SUCH_OBJECT, Code.SIZE_LIMIT_EXCEEDED, Code.ADMIN_LIMIT_EXCEEDED)
_UNSEEN = "the entry is not there, or this account may not see it"


def no_server() -> ServerName:
    """A name that no server can have (RFC 2606)."""
    return ServerName(f"mailtrust-check-{secrets.token_hex(4)}.invalid")


async def is_shown(wire: Wire, entry: Name, timeout: timedelta) -> bool:
    """
    True if the entry is there and this account may see it.

    A server may say "no such entry" of another one, or give an empty answer (389 DS).
    Raises: DirectoryUnavailable.
    """
    search = Search(str(entry), Scope.BASE, attributes=(NO_ATTRIBUTES,))
    return bool(await wire.search(search, timeout=timeout, also=_NOT_THERE))


async def try_value(
    wire: Wire, deed: Deed, entry: Name, attribute: str, value: bytes, timeout: timedelta
) -> Trial:
    """Add a value to an entry and delete it, at one stroke."""

    async def work() -> str:
        add, delete = Change(How.ADD, attribute, (value,)), Change(How.DELETE, attribute, (value,))
        try:
            done = await wire.modify(str(entry), add, delete, timeout=timeout, also=_NOT_THERE)
        except PublishRefused:
            # 389 DS refuses what is not there in the same words as what is forbidden.
            if not await is_shown(wire, entry, timeout):
                return _UNSEEN
            raise
        return _UNSEEN if _is_missing(done) else ""

    return await _tried(deed, entry, work)


async def try_entry(wire: Wire, deed: Deed, entry: Name, held: Attributes, timeout: timedelta) -> Trial:
    """Make an entry, and delete it."""

    async def work() -> str:
        done = await wire.add(str(entry), held, timeout=timeout, also=_NOT_THERE)
        if _is_missing(done):
            return "what it would stand below is not there, or this account may not see it"
        try:
            await wire.delete(str(entry), timeout=timeout)
        except PublishRefused as error:
            left.append(f"and it cannot be deleted again, so delete it by hand: {error.message}")
        return ""

    left: list[str] = []
    trial = await _tried(deed, entry, work)
    return replace(trial, why=left[0]) if left else trial


async def try_anonymously(
    url: str, settings: LdapSettings, base: Name, wanted: Filter, attribute: str, timeout: timedelta
) -> Trial:
    """Read the certificates as nobody."""
    deed = Deed.ANONYMOUS
    try:
        async with await Wire.open(url, ca_file=settings.ca_file, timeout=timeout) as wire:
            search = Search(str(base), Scope.SUBTREE, wanted, (attribute,), size_limit=1)
            *found, done = await wire.ask(search, timeout=timeout, also=_ANSWERED)
    except DirectoryUnavailable as error:
        # Some refuse to let nobody in, some to let nobody read: to us it is the same.
        return Trial(deed, str(base), allowed=False, why=error.message)
    shown = any(isinstance(one.answer, Entry) and one.answer.attributes for one in found)
    if not shown and isinstance(done.answer, Result) and done.answer.code == Code.ADMIN_LIMIT_EXCEEDED:
        # 389 DS looked through too many entries to find the first one that nobody may read.
        return Trial(deed, str(base), allowed=None, why=f"the directory answered {done.answer}")
    return Trial(deed, str(base), allowed=shown, why="" if shown else "it shows nothing")


def _is_missing(done: Response) -> bool:
    return isinstance(done.answer, Result) and done.answer.code == Code.NO_SUCH_OBJECT


async def _tried(deed: Deed, entry: Name, work: Callable[[], Awaitable[str]]) -> Trial:
    try:
        untried = await work()
    except PublishRefused as error:
        return Trial(deed, str(entry), allowed=False, why=error.message)
    return Trial(deed, str(entry), allowed=None if untried else True, why=untried)
