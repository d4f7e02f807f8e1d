"""
A Postfix on its doctor's table: looked at with what the directory knows of its pins, and judged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mailtrust import clock
from mailtrust.agent.site import Site
from mailtrust.core.checks import Verdict
from mailtrust.core.model.certificate import Certificate, Pin
from mailtrust.core.model.event import Diagnosis, Severity
from mailtrust.core.model.server import ServerName
from mailtrust.probes.smtp import probe
from mailtrust.transports.postfix.doctor import diagnose
from mailtrust.transports.postfix.doctor.seen import Seen
from mailtrust.transports.postfix.look import look
from mailtrust.transports.postfix.ours import Places

Published = Mapping[Pin, tuple[tuple[ServerName, Certificate], ...]]


@dataclass(frozen=True, slots=True)
class Examined:
    """What was seen of an instance, and what is wrong with it."""

    seen: Seen
    diagnosis: Diagnosis
    verdict: Verdict
    notes: tuple[str, ...]
    """What could not be looked at, in a sentence each."""


async def examine(site: Site, folder: Path, current: str, *, wire: bool = False) -> Examined:
    """
    Examine the instance in *folder*; *current* is what this server presents, by its short fingerprint.

    With *wire* its listeners are gone to, as a peer would; else what is written is all that is judged.

    Raises: TransportUnavailable where the instance itself cannot be read.
    """
    published, unread = await _published(site)
    config = site.config
    places, listeners = Places(config.transport.tables), config.server.listeners
    seen = await asyncio.to_thread(
        look, folder, config.server.name, listeners, places, clock.now(), published, current
    )
    if wire:
        unheard = frozenset(seen.unheard())
        targets = [(seen.server, one) for one in listeners if one not in unheard]
        looks = probe(targets, timeout=config.policy.probe_timeout, now=clock.now)
        seen = replace(seen, wires=tuple([look_ async for look_ in looks]))
    found = diagnose(seen)
    return Examined(seen, found, judged(seen, found), (*seen.notes, *unread, *_unseen(seen)))


def blind(seen: Seen) -> tuple[str, ...]:
    """Why there is no verdict: what matters most, and could not be looked at, in a sentence each."""
    ours = (seen.table(name) for name in (seen.places.relay_clientcerts, seen.places.tls_policy))
    return (*(one.why for one in ours if one.rows is None and not one.missing), *_unseen(seen))


def _unseen(seen: Seen) -> tuple[str, ...]:
    return tuple(f"{one.place} was not looked at: {one.why}" for one in seen.unseen_wires())


async def _published(site: Site) -> tuple[Published, tuple[str, ...]]:
    """Every certificate that home publishes, by key; and why it could not be asked."""
    found: dict[Pin, tuple[tuple[ServerName, Certificate], ...]] = {}
    home = site.directory.home
    state = await home.state()
    if not state.readable:
        return found, (f"whether pins have expired cannot be told: {home.url} cannot be read: {state.why}",)
    for look_ in await home.look(None, clock.now()):
        for one in look_.found or ():
            leaf = one.certificate
            found[leaf.pin] = (*found.get(leaf.pin, ()), (look_.server, leaf))
    return found, ()


def judged(seen: Seen, found: Diagnosis) -> Verdict:
    """Error for any error; else unknown where we are blind; else warning; else ok."""
    severities = {one.severity for one in found.findings}
    if Severity.ERROR in severities:
        return Verdict.ERROR
    if blind(seen):
        return Verdict.UNKNOWN
    return Verdict.WARNING if Severity.WARNING in severities else Verdict.OK
