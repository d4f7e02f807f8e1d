"""
Gathers what advice is given by: from everything that looks already.

Nothing here judges, and nothing is changed: a look by `analyze` leaves no trace in the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from mailtrust.agent.doctor import Examined, examine
from mailtrust.agent.journal import Entry, EntryKind, Journal
from mailtrust.agent.look import Assessment, Scope, assess
from mailtrust.agent.site import Site
from mailtrust.config import Config
from mailtrust.core.advice.facts import Facts, Hub, Incident, Past, Postfix, Settings
from mailtrust.core.checks import Verdict
from mailtrust.core.exchange.case import some
from mailtrust.core.exchange.judgement import Unseen
from mailtrust.core.model.certificate import short
from mailtrust.core.model.event import Said
from mailtrust.core.model.sighting import View
from mailtrust.core.sessions import Withdrawn, reports
from mailtrust.errors import StoreUnavailable, TransportUnavailable

_ROTATED = "rotation done"


@dataclass(frozen=True, slots=True)
class Gathered:
    """The facts, and whether what matters most could be seen."""

    facts: Facts
    essential: bool = True
    """False where home, a store of our own, or everything asked for could not be looked at."""


async def gather(
    site: Site, scope: Scope, instance: Path | None, timeout: timedelta | None = None
) -> Gathered:
    """
    The facts about our own servers: *instance* is the Postfix to look at, if any.

    Raises: BadInput for a server that nobody knows.
    """
    seen = await assess(site, scope, timeout=timeout)
    doctor, dark = await _examined(site, instance)
    past, forgotten = await asyncio.to_thread(_past, site.journal, site.config)
    unseen = (*_unseen(seen), *dark, *forgotten)
    facts = Facts(
        seen.checked_at,
        seen.policy,
        seen.scope,
        (*seen.diagnosis.findings, *seen.acknowledged),
        _settings(site, seen),
        seen.view,
        _postfix(site, doctor),
        past,
        unseen=unseen,
        blind=frozenset(_blind(seen, doctor, instance)),
    )
    # An error outranks what could not be seen: then it is known that something is wrong.
    postfix_seen = instance is None or (doctor is not None and doctor.verdict is not Verdict.UNKNOWN)
    return Gathered(facts, seen.verdict is not Verdict.UNKNOWN and postfix_seen)


async def _examined(site: Site, instance: Path | None) -> tuple[Examined | None, tuple[Unseen, ...]]:
    if instance is None:
        return None, ()
    try:
        found = await examine(site, instance, _current(site))
    except TransportUnavailable as error:
        why = ": ".join(filter(None, (error.message, str(error.__cause__ or ""))))
        return None, (Unseen(Said("analysis.postfix", {"folder": str(instance), "why": why})),)
    notes = [Unseen(Said("analysis.postfix-note", {"why": note})) for note in found.notes]
    deaf = [] if found.seen.endpoints else [Unseen(Said("analysis.no-listeners"))]
    return found, (*notes, *deaf)


def _current(site: Site) -> str:
    try:
        held = site.store.current()
    except StoreUnavailable:
        return ""
    return short(held.certificate.fingerprint) if held else ""


def _postfix(site: Site, doctor: Examined | None) -> Postfix | None:
    if doctor is None:
        return None
    seen = doctor.seen
    hubs = tuple(
        Hub(one.key, str(seen.instance.folder), seen.instance.holds(one, "smtp_tls_connection_reuse"))
        for one in seen.hubs()
    )
    return Postfix(site.server, doctor.diagnosis.findings, hubs)


def _settings(site: Site, seen: Assessment) -> Settings:
    config = site.config
    return Settings(
        config.server.name,
        config.transport.kind,
        config.transport.mode,
        config.policy.rotate == "planned",
        config.policy.expires_soon,
        config.policy.snapshot_max_age,
        config.directory.latency,
        tuple(dict.fromkeys(look.place for look in seen.view.replicas(site.server)))
        or config.directory.replicas,
        bool(config.server.listeners),
    )


def _unseen(seen: Assessment) -> Iterator[Unseen]:
    """Each replica and reason once, whatever the number of servers that it concerns."""
    replicas: dict[tuple[str, str], None] = {}
    wires: dict[str, list[str]] = {}
    elsewhere = []
    for server in seen.scope:
        replicas |= {(one.place, one.why): None for one in seen.view.replicas(server) if one.found is None}
        for wire in seen.view.wires(server):
            if wire.found is None:
                wires.setdefault(wire.why, []).append(f"{server} {wire.place}")
        store = seen.view.store(server)
        if store is None:
            elsewhere.append(server)
        elif store.found is None:
            yield Unseen(Said("analysis.store", {"store": store.place, "why": store.why}))
    for place, why in replicas:
        yield Unseen(Said("analysis.replica", {"replica": place, "why": why}), ("mailtrust directory show",))
    for why, endpoints in wires.items():
        yield Unseen(Said("analysis.wire", {"endpoints": some(endpoints), "why": why}))
    if elsewhere:
        yield Unseen(Said("analysis.stores", {"servers": some(elsewhere)}), ("mailtrust analyze",))


def _blind(seen: Assessment, doctor: Examined | None, instance: Path | None) -> Iterator[str]:
    view: View = seen.view
    for server in seen.scope:
        store = view.store(server)
        dark = [look.place for look in view.replicas(server) if look.found is None]
        dark += [look.place for look in view.wires(server) if look.found is None]
        if dark or (store is not None and store.found is None):
            yield server
    if instance is not None and (doctor is None or doctor.notes):
        yield seen.viewpoint


def _past(journal: Journal, config: Config) -> tuple[Past | None, tuple[Unseen, ...]]:
    try:
        entries = journal.entries()
        standing = journal.open_findings()
        counts = journal.sessions()
    except StoreUnavailable:
        return None, (Unseen(Said("analysis.journal")),)
    damaged = [one.at for one in entries if one.kind is EntryKind.DAMAGED]
    modes = config.transport.peer_modes
    clean = {
        one.peer: one.clean_days
        for one in reports(counts, Withdrawn())
        if one.clean and modes.get(one.peer, config.transport.mode) == "report"
    }
    past = Past(
        tuple(_incidents(one for one in entries if one.kind is EntryKind.OPENED)),
        tuple(_incidents(standing)),
        max(damaged, default=None),
        any(one.action == _ROTATED for one in entries),
        entries[0].at if entries else None,
        journal.latencies(),
        clean,
    )
    return past, ()


def _incidents(entries: Iterable[Entry]) -> Iterator[Incident]:
    for one in entries:
        if one.event is not None and one.server is not None:
            severity = one.severity or one.event.severity
            yield Incident(one.event, one.server, one.place or "", severity, one.at)
