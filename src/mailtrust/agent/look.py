"""
Look everywhere at once, then think: from a site to an assessment.

The store, every replica and every listener are looked at side by side; what could not be looked at is
a sighting that says why.  Thinking is `core.checks`; nothing here decides anything.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailtrust import clock
from mailtrust.agent.site import Site
from mailtrust.core.checks import Verdict, diagnose, verdict
from mailtrust.core.events.catalog import KEY_SHARED
from mailtrust.core.model.event import Diagnosis, Finding
from mailtrust.core.model.plan import Plan
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import ReplicaSighting, Sighting, SnapshotSighting, View, WireSighting
from mailtrust.core.model.trust import Snapshot
from mailtrust.core.policy import Policy
from mailtrust.core.succession import asked
from mailtrust.directory import snapshot
from mailtrust.errors import BadInput, StoreUnavailable
from mailtrust.probes.smtp import probe


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom to look at: our own server, one by name, or everybody in the directory."""

    everybody: bool = False
    server: ServerName | None = None
    alone: bool = False
    """True: nobody else's entry is read, as whoever looks every half minute must not read everybody's."""


_OF_OTHERS = (KEY_SHARED,)
"""What can only be judged by whoever knows every entry."""
OWN = Scope()
ALONE = Scope(alone=True)


@dataclass(frozen=True, slots=True)
class Assessment:
    """What we saw, and what it means."""

    checked_at: datetime
    viewpoint: ServerName
    scope: tuple[ServerName, ...]
    """The servers that were asked for, by name."""
    # `asyncio.run` writes out its result (it asks which signal handler stands, and the answer is an error
    # with a task in it): a whole organization in words would take seconds and hundreds of megabytes.
    view: View = field(repr=False)
    plans: Mapping[ServerName, Plan]
    diagnosis: Diagnosis = field(repr=False)
    verdict: Verdict
    policy: Policy
    """The thresholds that it was judged by."""
    acknowledged: tuple[Finding, ...] = ()
    """Findings that an operator silenced, on record; they do not count."""
    notes: tuple[str, ...] = field(default=())
    """What could not be recorded: it costs that line, not the verdict."""


async def look(
    site: Site,
    scope: Scope = OWN,
    *,
    wire: bool = True,
    timeout: timedelta | None = None,
) -> tuple[View, tuple[ServerName, ...]]:
    """
    The view of *scope*, and the names it stands for.

    The whole directory is read whatever the scope, since a key may be shared with anybody; unless *alone*.
    Raises: BadInput for a server that no readable replica knows.
    """
    now = clock.now()
    asked = (site.server,) if scope.alone else None
    store, published = await asyncio.gather(
        asyncio.to_thread(site.store.look, site.server, now), site.directory.look(asked, now)
    )
    published = await _with_own_entry(site, published, now)
    servers = _servers(site, scope, published)
    view = View(history=site.journal.history(own=site.server)).see((*published, store))
    view = view.see(_snapshot(site, now))
    if wire:
        targets = tuple(_targets(site, servers, view))
        view = view.see(await _wires(targets, timeout or site.config.policy.probe_timeout))
    return view, servers


async def assess(site: Site, scope: Scope = OWN, *, timeout: timedelta | None = None) -> Assessment:
    """Look, then think, then write into the journal what opened, changed and closed."""
    view, servers = await look(site, scope, timeout=timeout)
    # Of a whole organization it takes a while, and whoever else is on this loop is not to wait for it.
    return await asyncio.to_thread(judged, site, view, servers, alone=scope.alone)


def judged(site: Site, view: View, servers: tuple[ServerName, ...], *, alone: bool = False) -> Assessment:
    """
    What a look means; what opened, changed and closed is written into the journal.

    Where the look was *alone*, what concerns others as well stays as it was.
    """
    now = clock.now()
    plans = plans_of(site, view, now)
    policy = site.policy
    found = diagnose(view, plans, policy, now, servers, site.server)
    diagnosis, acknowledged = _without_acknowledged(found, site, now)
    return Assessment(
        now, site.server, servers, view, plans, diagnosis, verdict(diagnosis, view, servers), policy,
        acknowledged, _record(site, view, diagnosis, servers, now, alone=alone),
    )  # fmt: skip


async def refuse_unknown(site: Site, server: ServerName) -> None:
    """
    Raises: BadInput for a server that has an entry nowhere.

    Nothing is refused while a replica cannot be read: its entry may stand there.
    """
    if server == site.server:
        return
    now = clock.now()
    looks = await _with_own_entry(site, await site.directory.look(None, now), now)
    known = {look.server for look in looks}
    if server not in known and all(look.found is not None for look in looks):
        raise _unknown(server, known)


def plans_of(site: Site, view: View, now: datetime) -> Mapping[ServerName, Plan]:
    """The rotation under way at our own server, as far as it has come."""
    found = asked(site.server, view, site.policy, now)
    return {site.server: found.plan} if found else {}


def unread_places(server: ServerName, view: View, now: datetime) -> tuple[str, ...]:
    """
    The store and replicas that could not be looked at for *server*.

    One that was declared dead is not meant, nor a far one that is not home: its own servers read it.
    """
    looks = [one for one in view.replicas(server) if one.home or not one.far]
    closed = [one.place for one in looks if one.found is None and not view.history.is_dead(one.place, now)]
    store = view.store(server)
    return (*(() if store is None or store.found is not None else (store.place,)), *closed)


def _servers(site: Site, scope: Scope, published: Iterable[ReplicaSighting]) -> tuple[ServerName, ...]:
    known = {look.server for look in published} | {site.server}
    if scope.everybody:
        return tuple(sorted(known))
    if scope.server is None:
        return (site.server,)
    if scope.server not in known:
        raise _unknown(scope.server, known)
    return (scope.server,)


def _unknown(server: ServerName, known: Collection[ServerName]) -> BadInput:
    near = difflib.get_close_matches(server, sorted(known), 3)
    meant = f"is it {' or '.join(near)}? " if near else ""
    return BadInput(
        f"no replica that could be read has an entry for {server}",
        hint=f"{meant}`mailtrust status --all` lists the servers of the directory",
    )


async def _with_own_entry(
    site: Site, published: tuple[ReplicaSighting, ...], now: datetime
) -> tuple[ReplicaSighting, ...]:
    """A server that nobody has published yet has an empty entry on every replica, not none."""
    if any(look.server == site.server for look in published):
        return published
    return (*published, *await site.directory.look((site.server,), now))


def _targets(
    site: Site, servers: Collection[ServerName], view: View
) -> Iterable[tuple[ServerName, Endpoint]]:
    for server in servers:
        for endpoint in site.config.server.listeners if server == site.server else _listeners(view, server):
            yield server, endpoint


def _listeners(view: View, server: ServerName) -> tuple[Endpoint, ...]:
    """Where a server says that it presents: by the home replica, else by any that knows."""
    looks = sorted(view.replicas(server), key=lambda one: not one.home)
    return next((one.listeners for one in looks if one.listeners), ())


async def _wires(targets: tuple[tuple[ServerName, Endpoint], ...], timeout: timedelta) -> list[WireSighting]:
    seen = [sighting async for sighting in probe(targets, timeout=timeout, now=clock.now)]
    order = {target: place for place, target in enumerate(targets)}
    return sorted(seen, key=lambda one: order[one.server, one.endpoint])


def _snapshot(site: Site, now: datetime) -> Iterable[SnapshotSighting]:
    file = site.config.server.store / snapshot.SNAPSHOT_FILE
    if site.config.transport.kind == "none" or not file.exists():
        return
    try:
        held = snapshot.load(file)
    except StoreUnavailable:
        # The transport would start with it as with none at all.
        held = Snapshot()
    yield SnapshotSighting(
        site.server, str(file), now, held.taken_at, held.replica, held.kept_of, held.kept_until
    )


def _without_acknowledged(
    found: Diagnosis, site: Site, now: datetime
) -> tuple[Diagnosis, tuple[Finding, ...]]:
    acks = site.journal.acks(now)
    silent = tuple(
        finding
        for finding in found.findings
        if any(ack.event == finding.event.code and ack.server in (None, finding.server) for ack in acks)
    )
    heard = tuple(finding for finding in found.findings if finding not in silent)
    return Diagnosis(heard, found.silenced), silent


def _record(
    site: Site,
    view: View,
    diagnosis: Diagnosis,
    servers: Collection[ServerName],
    now: datetime,
    *,
    alone: bool,
) -> tuple[str, ...]:
    try:
        site.journal.record_seen(places(view, servers), now)
        site.journal.record_diagnosis(diagnosis, servers, now, unjudged=_OF_OTHERS if alone else ())
    except StoreUnavailable as error:
        return (error.message,)
    return ()


def places(view: View, servers: Collection[ServerName]) -> list[Sighting]:
    """The looks at whatever holds a copy: what a journal remembers the time of."""
    found: list[Sighting] = []
    for server in servers:
        store = view.store(server)
        found += (*view.replicas(server), *view.wires(server), *([store] if store is not None else []))
    return found
