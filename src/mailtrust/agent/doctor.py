"""
A Postfix on its doctor's table: looked at with what the directory knows of its pins, and judged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mailtrust import clock
from mailtrust.agent.site import Site
from mailtrust.core.checks import Verdict
from mailtrust.core.model.certificate import Certificate, Pin
from mailtrust.core.model.event import Diagnosis, Severity
from mailtrust.core.model.server import ServerName
from mailtrust.transports.postfix.doctor import diagnose
from mailtrust.transports.postfix.doctor.seen import Seen, Table
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


async def examine(site: Site, folder: Path, current: str) -> Examined:
    """
    Examine the instance in *folder*; *current* is what this server presents, by its short fingerprint.

    Raises: TransportUnavailable where the instance itself cannot be read.
    """
    published, unread = await _published(site)
    config = site.config
    places, listeners = Places(config.transport.tables), config.server.listeners
    seen = await asyncio.to_thread(
        look, folder, config.server.name, listeners, places, clock.now(), published, current
    )
    found = diagnose(seen)
    return Examined(seen, found, _verdict(seen, found), (*seen.notes, *unread))


def our_tables(seen: Seen) -> tuple[Table, ...]:
    """The two tables that are compiled from the directory."""
    return tuple(seen.table(name) for name in (seen.places.relay_clientcerts, seen.places.tls_policy))


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


def _verdict(seen: Seen, found: Diagnosis) -> Verdict:
    severities = {one.severity for one in found.findings}
    if Severity.ERROR in severities:
        return Verdict.ERROR
    if any(one.rows is None and not one.missing for one in our_tables(seen)):
        return Verdict.UNKNOWN
    return Verdict.WARNING if Severity.WARNING in severities else Verdict.OK
