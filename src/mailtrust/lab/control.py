"""
The lab's switches: empty files in its folder `control`, so that a hand in another terminal can use them.

A file `cut-dc2` cuts the link of that replica for as long as it is there, and `damage-dc2` makes it
unreadable; `stop-hub3` stops a server, and `freeze-hub1` keeps its process on the certificate that it has.
`strip-hub2` puts a device before a server that takes STARTTLS out, and `slow-hub2` one that is late with each
answer.  Taking the file away mends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path

from mailtrust.lab.middlebox import TLS_VERBS, Conduct
from mailtrust.lab.organization import Organization

_LOOK_EVERY_SECONDS = 0.2

# Behind TLS two answers of a server may be waited for, one after the other: together less than the lab's
# `probe_timeout`, or a slow device would be taken for a silent server.
_DEVICES = {"strip": Conduct(TLS_VERBS), "slow": Conduct(delay=timedelta(seconds=1.2))}

Switch = Callable[[], Awaitable[None]]


def switches(organization: Organization) -> dict[str, tuple[Switch, Switch]]:
    """What breaks and what mends, by the name of the file."""
    found: dict[str, tuple[Switch, Switch]] = {}
    replicas = organization.replicas
    for url in replicas.urls:
        name = replicas.name(url)
        found[f"cut-{name}"] = (partial(replicas.cut, url), partial(replicas.heal, url))
        found[f"damage-{name}"] = (partial(replicas.damage, url), partial(replicas.repair, url))
    for member in organization.members:
        restart = partial(organization.restart, member)
        found[f"stop-{member.short_name}"] = (partial(organization.stop_server, member), restart)
        found[f"freeze-{member.short_name}"] = (partial(organization.freeze, member), restart)
        for name, conduct in _DEVICES.items():
            found[f"{name}-{member.short_name}"] = (
                partial(organization.put_before, member, conduct), restart
            )  # fmt: skip
    return found


async def obey(organization: Organization, folder: Path) -> None:
    """Throw the switches as their files come and go, until cancelled."""
    known, thrown = switches(organization), set[str]()
    while True:
        there = {name for name in known if (folder / name).exists()}
        await turn(known, thrown, there)
        thrown = there
        await asyncio.sleep(_LOOK_EVERY_SECONDS)


async def turn(known: Mapping[str, tuple[Switch, Switch]], thrown: set[str], there: set[str]) -> None:
    """Mend what was *thrown* and is no longer *there*, then break what is new."""
    # In this order: starting a server anew would also take away what was just put before it.
    for name in sorted(thrown - there):
        await known[name][1]()
    for name in sorted(there - thrown):
        await known[name][0]()
