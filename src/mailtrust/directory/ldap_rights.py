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
from mailtrust.ldap.requests import Change, How, Scope, Search
from mailtrust.ldap.responses import Response, Result
from mailtrust.ldap.results import Code

_NOT_THERE = (Code.NO_SUCH_OBJECT,)


def no_server() -> ServerName:
    """A name that no server can have (RFC 2606)."""
    return ServerName(f"mailtrust-check-{secrets.token_hex(4)}.invalid")


async def try_value(
    wire: Wire, deed: Deed, entry: Name, attribute: str, value: bytes, timeout: timedelta
) -> Trial:
    """Add a value to an entry and delete it, at one stroke."""

    async def work() -> str:
        add, delete = Change(How.ADD, attribute, (value,)), Change(How.DELETE, attribute, (value,))
        done = await wire.modify(str(entry), add, delete, timeout=timeout, also=_NOT_THERE)
        return "the entry is not there, or this account may not see it" if _is_missing(done) else ""

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
            answered = (Code.NO_SUCH_OBJECT, Code.SIZE_LIMIT_EXCEEDED)
            found = await wire.search(search, timeout=timeout, also=answered)
    except DirectoryUnavailable as error:
        # Some refuse to let nobody in, some to let nobody read: to us it is the same.
        return Trial(deed, str(base), allowed=False, why=error.message)
    shown = any(one.attributes for one in found)
    return Trial(deed, str(base), allowed=shown, why="" if shown else "it shows nothing")


def _is_missing(done: Response) -> bool:
    return isinstance(done.answer, Result) and done.answer.code == Code.NO_SUCH_OBJECT


async def _tried(deed: Deed, entry: Name, work: Callable[[], Awaitable[str]]) -> Trial:
    try:
        untried = await work()
    except PublishRefused as error:
        return Trial(deed, str(entry), allowed=False, why=error.message)
    return Trial(deed, str(entry), allowed=None if untried else True, why=untried)
