"""
The lab's switches: empty files in its folder `control`, so that a hand in another terminal can use them.

A file `cut-dc2` cuts the link of that replica for as long as it is there; `stop-hub3` stops a server, and
`freeze-hub1` keeps its process on the certificate that it has.  Taking the file away mends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from mailtrust.lab.member import Member
from mailtrust.lab.organization import Organization

_LOOK_EVERY_SECONDS = 0.2

Switch = Callable[[], Awaitable[None]]


def switches(organization: Organization) -> dict[str, tuple[Switch, Switch]]:
    """What breaks and what mends, by the name of the file."""
    found: dict[str, tuple[Switch, Switch]] = {}
    for url in organization.replicas:
        found[f"cut-{Path(url).stem}"] = (_cut(organization, url), _heal(organization, url))
    for member in organization.members:
        found[f"stop-{member.short_name}"] = (_stop(organization, member), _restart(organization, member))
        found[f"freeze-{member.short_name}"] = (_freeze(organization, member), _restart(organization, member))
    return found


async def obey(organization: Organization, folder: Path) -> None:
    """Throw the switches as their files come and go, until cancelled."""
    known, thrown = switches(organization), set[str]()
    while True:
        there = {name for name in known if (folder / name).exists()}
        for name in sorted(there - thrown):
            await known[name][0]()
        for name in sorted(thrown - there):
            await known[name][1]()
        thrown = there
        await asyncio.sleep(_LOOK_EVERY_SECONDS)


def _cut(organization: Organization, url: str) -> Switch:
    async def switch() -> None:
        organization.cut(url)

    return switch


def _heal(organization: Organization, url: str) -> Switch:
    async def switch() -> None:
        organization.heal(url)

    return switch


def _stop(organization: Organization, member: Member) -> Switch:
    async def switch() -> None:
        await organization.stop_server(member)

    return switch


def _restart(organization: Organization, member: Member) -> Switch:
    async def switch() -> None:
        await organization.restart(member)

    return switch


def _freeze(organization: Organization, member: Member) -> Switch:
    async def switch() -> None:
        organization.freeze(member)

    return switch
