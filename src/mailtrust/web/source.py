"""
Where a dashboard's knowledge comes from: the look of `check` and `status`, through every configuration we
have.

Each configuration is one server's corner, seen with its own store and home; the first also tells of everybody
else in the directory, as they are seen from outside. A server that is seen twice counts as its own corner has
it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from mailtrust import clock
from mailtrust.agent.look import OWN, Assessment, Scope, assess
from mailtrust.agent.mail_flow import MailFlow
from mailtrust.agent.metrics import local
from mailtrust.agent.site import Site
from mailtrust.core.checks import Verdict
from mailtrust.core.metrics.facts import Local
from mailtrust.core.model.event import Finding
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import View
from mailtrust.core.punctuality import Arrival
from mailtrust.web.watch import Watch

_WORST_FIRST = (Verdict.ERROR, Verdict.UNKNOWN, Verdict.WARNING, Verdict.OK)

Typed = Callable[[str], str]
"""Turns an action of a finding into the command as it has to be typed on that server."""


@dataclass(frozen=True, slots=True)
class Corner:
    """One configuration, and what was seen through it."""

    site: Site
    seen: Assessment
    typed: Typed
    where: str
    """The server on which that is typed; empty for the machine that the dashboard runs on."""
    arrivals: tuple[Arrival, ...] = ()
    """What was seen to arrive at a replica since we look."""
    mail: MailFlow | None = None
    """None: nobody asked after the mail."""
    local: Local = field(default_factory=Local)
    """What its own queue and journal count, for metrics."""


class Source(Protocol):
    """Looks everywhere, once."""

    async def look(self) -> tuple[Corner, ...]:
        """What is seen now, corner by corner.  Raises: MailtrustError where nothing could be looked at."""
        ...


class Sites:
    """The source of open sites: the first one looks at everybody, the others at themselves."""

    def __init__(self, sites: Sequence[tuple[Site, Typed]]) -> None:
        self._sites = tuple(sites)
        self._watches = tuple(Watch(site) for site, _ in self._sites)

    async def look(self) -> tuple[Corner, ...]:
        """All of them side by side."""
        scopes = (Scope(everybody=True), *(OWN for _ in self._sites[1:]))
        seen = await asyncio.gather(
            *(assess(site, scope) for (site, _), scope in zip(self._sites, scopes, strict=True))
        )
        looked = [(site, typed, one) for (site, typed), one in zip(self._sites, seen, strict=True)]
        return await noticed(
            self._watches, [Corner(site, one, typed, site.server) for site, typed, one in looked]
        )


async def noticed(watches: Sequence[Watch], corners: Sequence[Corner]) -> tuple[Corner, ...]:
    """Those corners, each with what its watch has noticed up to this look, and what is counted there."""
    counted = await asyncio.gather(*(asyncio.to_thread(local, one.site, one.seen) for one in corners))
    mail = await asyncio.gather(*(watch.mail(one.seen) for watch, one in zip(watches, corners, strict=True)))
    return tuple(
        replace(one, arrivals=watch.arrivals(one.seen), mail=flow, local=here)
        for one, watch, flow, here in zip(corners, watches, mail, counted, strict=True)
    )


@dataclass(frozen=True, slots=True, eq=False)
class Present:
    """What is known at one moment, of every server once; it is equal to itself alone."""

    looked_at: datetime | None
    """None: nobody has looked yet."""
    corners: Mapping[ServerName, Corner]
    """By server, in alphabetical order."""
    version: str
    """The same as long as nothing that a page shows is different, also after a restart."""
    trouble: str = ""
    """Why the last look failed, so that all this is of an earlier one; empty where it did not."""
    is_old: bool = False
    """Nobody has looked since for so long that it no longer counts as known."""

    @property
    def servers(self) -> tuple[ServerName, ...]:
        """Their names, in alphabetical order."""
        return tuple(self.corners)

    def view(self, server: ServerName) -> View:
        """The view in which that server is seen best."""
        return self.corners[server].seen.view

    def findings(self, server: ServerName | None = None) -> tuple[Finding, ...]:
        """What is wrong, errors first; of one server or of all."""
        found = [
            one
            for name, corner in self.corners.items()
            if server in (None, name)
            for one in corner.seen.diagnosis.findings
            if one.server == name
        ]
        return tuple(sorted(found, key=lambda one: one.severity.rank))

    @property
    def arrivals(self) -> tuple[Arrival, ...]:
        """What was seen to arrive at a replica, of each server as its own corner saw it."""
        return tuple(
            one
            for corner in self.viewpoints
            for one in corner.arrivals
            if self.corners[one.server].seen.viewpoint == corner.seen.viewpoint
        )

    @property
    def blocked(self) -> int:
        """On how many routes mail waits that will not go by itself."""
        return sum(corner.mail.blocked for corner in self.viewpoints if corner.mail is not None)

    @property
    def viewpoints(self) -> tuple[Corner, ...]:
        """Each configuration once."""
        return tuple({corner.seen.viewpoint: corner for corner in self.corners.values()}.values())

    @property
    def verdict(self) -> Verdict:
        """The worst of all; unknown where nobody looked, or not for long, or the last look failed."""
        found = {corner.seen.verdict for corner in self.corners.values()}
        if not found or self.trouble or self.is_old:
            found |= {Verdict.UNKNOWN}
        return next(one for one in _WORST_FIRST if one in found)


NOTHING_YET = Present(None, {}, "nothing-yet")


def present(looked: Iterable[Corner], trouble: str = "") -> Present:
    """Those corners as one: each server as its own corner sees it, else as the first that does."""
    corners: dict[ServerName, Corner] = {}
    for corner in looked:
        for server in corner.seen.scope:
            if server not in corners or server == corner.seen.viewpoint:
                corners[server] = corner
    moments = [corner.seen.checked_at for corner in corners.values()]
    ordered = dict(sorted(corners.items()))
    return Present(min(moments, default=clock.now()), ordered, _version(ordered, trouble), trouble)


def failed(before: Present, why: str) -> Present:
    """What was known, after a look that failed."""
    return Present(before.looked_at, before.corners, _version(before.corners, why), why)


def aged(known: Present, now: datetime, limit: timedelta) -> Present:
    """The same; marked as old where it is older than that."""
    if known.is_old or known.looked_at is None or now - known.looked_at <= limit:
        return known
    # Another version: the next look is another page, also where it finds the same.
    return Present(known.looked_at, known.corners, f"{known.version}-old", known.trouble, is_old=True)


def _version(corners: Mapping[ServerName, Corner], trouble: str) -> str:
    digest = hashlib.sha256(trouble.encode())
    for server, corner in corners.items():
        digest.update("\0".join((server, corner.seen.verdict.value, *_copies(server, corner))).encode())
    for corner in {id(one): one for one in corners.values()}.values():
        for one in (*corner.seen.diagnosis.findings, *corner.seen.acknowledged):
            digest.update(f"{one.incident}{one.cause}{one.severity}{one.action}".encode())
        for plan in corner.seen.plans.values():
            waits = [one.said.phrase + one.place for one in plan.obstacles]
            digest.update(f"{plan.phase}{plan.rotation.new}{waits}".encode())
        for told in corner.mail.told if corner.mail is not None else ():
            digest.update(told.encode())
    return digest.hexdigest()[:16]


def _copies(server: ServerName, corner: Corner) -> Iterator[str]:
    """Where which certificate stands, and where nobody could look; not when that was."""
    view = corner.seen.view
    store = view.store(server)
    if store is not None:
        yield store.why
        for held in store.found or ():
            yield f"{held.certificate.fingerprint}{held.slot}{held.has_key}"
    for wire in view.wires(server):
        yield f"{wire.place}{wire.why}{[one.fingerprint for one in wire.found or ()]}{wire.found is None}"
    for look in view.replicas(server):
        held_there = sorted(one.certificate.fingerprint for one in look.found or ())
        garbage = [one.digest for one in look.unparsable]
        yield f"{look.place}{look.why}{held_there}{garbage}{sorted(look.withdrawn)}{look.found is None}"
