"""
An Exchange organization, as each domain controller shows it.

Exchange servers read their own and each other's certificates from a controller in their site.  So each of
those is read by itself, side by side, and what they show is laid out server by server.  Nothing is judged
here, and nothing is ever written.

One controller to begin with names the others and their sites, and shows the connectors, which nobody compares
between controllers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from mailtrust.core.exchange.facts import Controller, Organization
from mailtrust.core.sites import Forest
from mailtrust.directory.ad_forest import Root, read_forest, read_root
from mailtrust.directory.exchange_layout import Choice, Look, Start, controllers, laid_out
from mailtrust.directory.exchange_read import Contents, read_contents
from mailtrust.directory.ldap_session import LdapSettings, Session
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import BadInput, DirectoryUnavailable

_AT_ONCE = 50


async def read_organization(
    starts: Sequence[str],
    settings: LdapSettings,
    choice: Choice,
    *,
    timeout: timedelta,
    now: Callable[[], datetime],
) -> Organization:
    """
    The organization, without a look at any server's endpoints.

    *starts*: URLs of controllers to begin with; the first that answers is enough.  *timeout* is for each
    controller, and twice that for the one to begin with.  Raises: DirectoryUnavailable where none of *starts*
    answers, or no organization is to be seen; BadInput for what is no URL.
    """
    start = await _begin(starts, settings, timeout)
    if start.contents.organization is None:
        raise DirectoryUnavailable(
            f"{start.url}: no Exchange organization is to be seen: there is none,"
            " or this account may not see it",
            hint="ask a controller of the forest with Exchange in it, as an account of that forest",
        )
    places = asyncio.Semaphore(_AT_ONCE)

    async def look(one: Controller) -> Look:
        if not one.asked or one.why:
            return Look(one, None, now())
        if one.url == start.url:
            return _seen(one, start.contents, now())
        async with places:
            try:
                contents = await _contents(one.url, settings, timeout, with_connectors=False)
            except (DirectoryUnavailable, BadInput) as error:
                return Look(replace(one, why=error.message), None, now())
        return _seen(one, contents, now())

    looks = await asyncio.gather(*map(look, controllers(start, choice)))
    return laid_out(start, looks)


async def _begin(starts: Sequence[str], settings: LdapSettings, timeout: timedelta) -> Start:
    in_vain: dict[str, DirectoryUnavailable] = {}
    for url in starts:
        try:
            return await _start(url, settings, timeout, tuple(_reasons(in_vain)))
        except DirectoryUnavailable as error:
            in_vain[url] = error
    if len(in_vain) == 1:
        raise next(iter(in_vain.values()))
    raise DirectoryUnavailable(
        f"no domain controller answers: {'; '.join(why for _, why in _reasons(in_vain))}",
        hint=next((error.hint for error in in_vain.values()), ""),
    )


def _reasons(in_vain: dict[str, DirectoryUnavailable]) -> Iterator[tuple[str, str]]:
    return ((url, error.message) for url, error in in_vain.items())


async def _start(
    url: str, settings: LdapSettings, timeout: timedelta, in_vain: tuple[tuple[str, str], ...]
) -> Start:
    session = Session(url, settings, timeout)

    async def introduction(wire: Wire) -> tuple[str, Root, Forest]:
        account = ""
        # Samba does not tell.
        with suppress(DirectoryUnavailable):
            account = (await wire.who_am_i(timeout=timeout)).removeprefix("u:")
        root = await read_root(wire, timeout)
        return account, root, await read_forest(wire, root, timeout)

    try:
        account, root, forest = await session.do(introduction)
        contents = await session.do(lambda wire: read_contents(wire, timeout, with_connectors=True))
        return Start(url, root, forest, contents, account, in_vain)
    finally:
        await session.leave()


async def _contents(
    url: str, settings: LdapSettings, timeout: timedelta, *, with_connectors: bool
) -> Contents:
    session = Session(url, settings, timeout)
    try:
        return await session.do(lambda wire: read_contents(wire, timeout, with_connectors=with_connectors))
    finally:
        await session.leave()


def _seen(controller: Controller, contents: Contents, seen_at: datetime) -> Look:
    """A controller that answered.  It may be another one, or blind."""
    host = contents.root.host
    # One controller under two names would be two witnesses that always agree.
    why = f"{controller.url} is {host}: list it under that name" if host != controller.name else ""
    why = why or contents.why_blind
    if why:
        return Look(replace(controller, why=why), None, seen_at)
    known = replace(controller, writer=contents.writer or controller.writer, seen=contents.seen)
    return Look(known, contents, seen_at)
