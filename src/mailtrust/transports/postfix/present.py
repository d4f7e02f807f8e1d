"""
Letting Postfix present another certificate, and looking whether it does.

The chain file is replaced at one stroke, Postfix is reloaded, and then its own listeners are asked as any
peer would ask them.  Sessions that are open go on with what they began with; their processes are named.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailtrust.certificates.store import Credential
from mailtrust.core.model.certificate import Pin
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import WireSighting
from mailtrust.probes.smtp import probe
from mailtrust.transports.postfix.chain import chain_pem
from mailtrust.transports.postfix.instance import Hands, Reloaded
from mailtrust.transports.postfix.processes import Daemon

_LOOK_AGAIN_SECONDS = 0.1
_IDLE_ENDS_SECONDS = 1.0
"""An idle process ends within milliseconds of a reload; what is there after this has a session."""


@dataclass(frozen=True, slots=True)
class Presenting:
    """What was seen after a reload."""

    pin: Pin
    """The key that is to be presented."""
    looks: tuple[WireSighting, ...]
    """The last one at each listener."""
    reloaded: Reloaded

    @property
    def not_yet(self) -> tuple[WireSighting, ...]:
        """The listeners that present another one, or that could not be asked."""
        return tuple(one for one in self.looks if not _shows(one, self.pin))

    @property
    def older(self) -> tuple[Daemon, ...] | None:
        """
        The processes that read the chain file before it changed and still run: 12105, if they stay.

        None: we could not look.  They are seen by their age; what one of them presents is not.
        """
        before = self.reloaded.older
        return None if before is None else tuple(one for one in before if one.still_runs())


async def present(
    hands: Hands,
    credential: Credential,
    server: ServerName,
    listeners: Sequence[Endpoint],
    *,
    timeout: timedelta,
    now: Callable[[], datetime],
) -> Presenting:
    """
    Install, reload, and look at *listeners* until each presents it or *timeout* is over.

    Raises: TransportUnavailable where it was not installed or not reloaded.
    """
    await asyncio.to_thread(hands.install, chain_pem(credential))
    reloaded = await asyncio.to_thread(hands.reload)
    pin, deadline = credential.certificate.pin, asyncio.get_running_loop().time() + timeout.total_seconds()
    seen: dict[Endpoint, WireSighting] = {}
    while waiting := [one for one in listeners if one not in seen or not _shows(seen[one], pin)]:
        targets = [(server, one) for one in waiting]
        seen |= {look.endpoint: look async for look in probe(targets, timeout=timeout, now=now)}
        if asyncio.get_running_loop().time() > deadline or all(_shows(one, pin) for one in seen.values()):
            break
        # Nobody tells when the new processes listen.
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    shown = Presenting(pin, tuple(seen[one] for one in listeners), reloaded)
    with suppress(TimeoutError):
        async with asyncio.timeout(_IDLE_ENDS_SECONDS):
            while shown.older:  # noqa: ASYNC110  # a process that ends tells its parent alone
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    return shown


def _shows(look: WireSighting, pin: Pin) -> bool:
    return bool(look.found) and all(leaf.pin == pin for leaf in look.found or ())
