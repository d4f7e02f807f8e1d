"""
From the stuck mail to what has to be looked at, and from there to an answer: `mailtrust why`.

Everything is looked at side by side: the queue, the store, every replica, and each peer on the address that
its mail takes.  Nothing is written, not even into the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from mailtrust import clock
from mailtrust.agent.look import look, plans_of
from mailtrust.agent.site import Site
from mailtrust.core.checks import diagnose
from mailtrust.core.model.event import Said
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import View, WireSighting
from mailtrust.core.why import Facts, Stuck, Waiting, Why, stuck, why
from mailtrust.core.why.peers import endpoint_of, means, owner_of, server_at, stand_in
from mailtrust.core.why.stuck import LOCAL_HOP
from mailtrust.errors import BadInput, MailtrustError, TransportUnavailable
from mailtrust.probes.smtp import probe
from mailtrust.transports.hub import QueueRow, queue_view
from mailtrust.transports.postfix.queue_read import postfix_queue


@dataclass(frozen=True, slots=True)
class Answers:
    """Every answer, the one that matters most first; none where nothing waits and nobody was asked about."""

    # As in `look`: `asyncio.run` would write out a whole organization in words.
    view: View = field(repr=False)
    found: tuple[Why, ...] = field(repr=False)
    unseen: tuple[Said, ...] = ()
    """What keeps "nothing waits" from being said."""
    fine: tuple[str, ...] = ()
    """Next hops for which nothing waits."""


@dataclass(frozen=True, slots=True)
class _Way:
    """A next hop, what waits for it, and who is there."""

    hop: str
    domains: tuple[str, ...]
    endpoints: tuple[Endpoint, ...]
    server: ServerName | None
    stuck: Stuck | None = None

    @property
    def key(self) -> ServerName:
        """The name that its looks are kept under."""
        return self.server or stand_in(self.hop, self.endpoints[0] if self.endpoints else None)


async def ask(
    site: Site,
    peer: str | None,
    *,
    postfix: Path | None = None,
    timeout: timedelta | None = None,
    seen: View | None = None,
    on_its_way: bool = True,
) -> Answers:
    """
    Why mail for *peer* does not go; None: whatever waits in the queue.

    *postfix* is the configuration directory of the Postfix whose queue is meant; None: the transport's.
    *seen* is a look at everybody's entry that was made a moment ago, so that none need be made.  Without
    *on_its_way* what was accepted a moment ago and not tried yet is left out.
    Raises: BadInput for a peer that neither the directory, nor a route, nor the queue knows;
    TransportUnavailable where the queue is asked about and cannot be read.
    """
    view, read = await asyncio.gather(_seen(site, seen), asyncio.to_thread(queue, site, postfix))
    if isinstance(read, MailtrustError) and peer is None:
        raise read
    waiting = () if isinstance(read, MailtrustError) else read
    unseen = (Said("unlooked.queue", {"why": read.message}),) if isinstance(read, MailtrustError) else ()
    now = clock.now()
    ways = _ways(site, view, (one for one in stuck(waiting) if on_its_way or not one.is_on_its_way(now)))
    asked = [way for way in ways if way.stuck] if peer is None else _asked(peer, ways, site, view)
    # A server may be waited for by one next hop and not by another: it is not fine.
    held = {way.server for way in ways if way.stuck and way.server}
    idle = (way for way in ways if way.stuck is None and way.hop and way not in asked)
    fine = tuple(_title(way) for way in idle if way.server not in held)
    view, asked = await _called(site, view, asked, timeout)
    answers = _judged(site, view, asked, peer, fine, postfix, unseen)
    return Answers(view, _by_weight(answers), unseen, fine)


async def _seen(site: Site, seen: View | None) -> View:
    return seen if seen is not None else (await look(site, wire=False))[0]


def queue(site: Site, postfix: Path | None = None) -> tuple[Waiting, ...] | MailtrustError:
    """What waits in the transport's queue, or why that cannot be seen.  Blocking: call it from a thread."""
    try:
        if postfix is not None or site.config.transport.kind == "postfix":
            return postfix_queue(postfix or site.config.transport.postfix)
        if site.config.transport.kind == "hub":
            lifetime = site.config.transport.queue_lifetime
            return tuple(_of_hub(row, lifetime) for row in queue_view(site.config.server.store))
    except TransportUnavailable as error:
        return error
    return TransportUnavailable(
        'transport.kind is "none", and so no queue is ours', hint="for Postfix's: --postfix /etc/postfix"
    )


def _of_hub(row: QueueRow, lifetime: timedelta) -> Waiting:
    domains = tuple(sorted({one.rpartition("@")[2].lower() for one in row.recipients}))
    return Waiting(
        row.id, row.hop, domains, row.accepted_at, row.last_reply, row.why, row.next_try,
        row.accepted_at + lifetime,
    )  # fmt: skip


def _ways(site: Site, view: View, held: Iterable[Stuck]) -> list[_Way]:
    """Every next hop of a route or of the queue, what waits for most first."""
    transport = site.config.transport
    routes: dict[str, list[str]] = {hop: [] for hop in transport.next_hops if transport.kind == "postfix"}
    for domain, where in transport.routes.items() if transport.kind == "hub" else ():
        routes.setdefault(str(where), []).append(domain)
    ways = []
    for one in held:
        domains = tuple(sorted({*one.domains, *routes.pop(one.hop, ())}))
        ways.append(_way(site, view, one.hop, domains, one))
    return [*ways, *(_way(site, view, hop, tuple(domains)) for hop, domains in routes.items())]


def _way(site: Site, view: View, hop: str, domains: tuple[str, ...], held: Stuck | None = None) -> _Way:
    where = None if hop in ("", LOCAL_HOP) else endpoint_of(hop)
    if where is None:
        return _Way(hop, domains, (), None, held)
    # An administrator who says who is there knows it best.
    listed = site.config.transport.next_hops.get(hop, ())
    server = listed[0] if len(listed) == 1 else server_at(view, where, domains)
    return _Way(hop, domains, (where,), server, held)


def _asked(peer: str, ways: list[_Way], site: Site, view: View) -> list[_Way]:
    found = [way for way in ways if means(peer, way.hop, way.domains, way.server)]
    found += (
        [] if found else [way for way in ways if "*" in way.domains and means(peer, way.hop, (), way.server)]
    )
    name = ServerName(peer.strip().rstrip(".").lower())
    if name == site.server:
        raise BadInput(f"{name} is this server itself", hint="mailtrust check, or mailtrust why --queue")
    if not found and name in view.servers():
        looks = sorted(view.replicas(name), key=lambda one: not one.home)
        listeners = next((one.listeners for one in looks if one.listeners), ())
        found = [_Way(name, (), listeners, name)]
    if not found:
        raise BadInput(
            f"neither the directory nor a route nor the queue knows {peer!r}",
            hint="`mailtrust why --queue` shows what waits, `mailtrust status --all` the servers",
        )
    return [way for way in found if way.stuck] or found[:1]


async def _called(
    site: Site, view: View, ways: list[_Way], timeout: timedelta | None
) -> tuple[View, list[_Way]]:
    """The view with a look at each peer; whom nobody knew may be known by its key."""
    own = ((site.server, where) for where in site.config.server.listeners)
    targets = dict.fromkeys((*own, *((way.key, where) for way in ways for where in way.endpoints)))
    limit = timeout or site.config.policy.probe_timeout
    # Of a few servers the directory is asked once more: then it tells who wrote, where it knows.
    few = (site.server, *(way.server for way in ways if way.server))
    seen, again = await asyncio.gather(_probed(targets, limit), site.directory.look(few, clock.now()))
    renamed: dict[ServerName, ServerName] = {}
    looks: list[WireSighting] = []
    for one in sorted(seen, key=lambda one: (one.server, one.endpoint)):
        owner = owner_of(view, one.found[0]) if one.found and one.server not in view.servers() else None
        renamed |= {one.server: owner} if owner is not None else {}
        looks.append(replace(one, server=owner or one.server))
    known = [replace(way, server=way.server or renamed.get(way.key)) for way in ways]
    return view.see((*again, *looks)), known


async def _probed(targets: Iterable[tuple[ServerName, Endpoint]], limit: timedelta) -> list[WireSighting]:
    return [one async for one in probe(targets, timeout=limit, now=clock.now)]


def _judged(
    site: Site,
    view: View,
    ways: list[_Way],
    asked: str | None,
    fine: tuple[str, ...],
    postfix: Path | None,
    unseen: tuple[Said, ...],
) -> list[Why]:
    now = clock.now()
    servers = tuple(sorted({site.server, *(way.key for way in ways)}))
    diagnosis = diagnose(view, plans_of(site, view, now), site.policy, now, servers, site.server)
    answers = []
    # The tables of another instance are not made by our configuration.
    ours = postfix is None and site.config.transport.kind == "postfix"
    instance = site.config.transport.postfix if ours else postfix
    for way in ways:
        known = way.server is not None and bool(view.replicas(way.server))
        facts = Facts(
            view, diagnosis, site.policy, now, site.server, way.key, known, way.hop or "-", way.stuck,
            restart=_restart(site, instance), unseen=unseen,
            one_process=instance is None,
            compile="mailtrust postfix compile" if ours else "",
            listed=way.hop in site.config.transport.next_hops or not ours,
        )  # fmt: skip
        answers.append(why(asked or way.hop or "-", facts, fine))
    return answers


def _restart(site: Site, postfix: Path | None) -> str:
    if postfix is not None:
        return f"postfix -c {postfix} reload"
    return "mailtrust hub" if site.config.transport.kind == "hub" else ""


def _by_weight(answers: list[Why]) -> tuple[Why, ...]:
    """Whatever holds up most messages first, all next hops together; what is no trouble last."""
    weight: dict[str, int] = {}
    for one in answers:
        weight[one.reason] = weight.get(one.reason, 0) + (one.blocked.count if one.blocked else 0)
    return tuple(
        sorted(
            answers,
            key=lambda one: (
                not one.conclusion.is_trouble, -weight[one.reason], one.reason,
                -(one.blocked.count if one.blocked else 0),
            ),
        )
    )  # fmt: skip


def _title(way: _Way) -> str:
    return way.server or way.hop
