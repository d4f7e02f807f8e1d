"""
Which way mail takes from here: the hub's routes, Postfix's own tables, or what a server publishes of itself.

What another server does with it then is known only where its configuration lies beside ours, as in the lab.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from mailtrust.agent.site import Site
from mailtrust.config import Config, load
from mailtrust.core.model.event import Said
from mailtrust.core.model.server import Endpoint, ServerName, endpoint
from mailtrust.core.model.sighting import View
from mailtrust.core.why.peers import endpoint_of, server_at, stand_in
from mailtrust.errors import BadInput, MailtrustError, TransportUnavailable
from mailtrust.smtp.envelope import domain_of, sendable
from mailtrust.transports.postfix.queue_read import next_hops

_MOST_HOPS = 8


@dataclass(frozen=True, slots=True)
class Target:
    """What was asked for: a mailbox, or the mailbox that stands for a domain or a server."""

    text: str
    recipient: str
    domain: str
    """Empty where an endpoint was named."""
    where: Endpoint | None = None
    """The endpoint that was named."""
    is_server: bool = False
    """True where a server is meant, whichever mailboxes it has."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One hop of the way."""

    sender: ServerName
    receiver: ServerName
    """Where nobody is known there, a name that stands for it."""
    where: Endpoint | None
    route: Said
    known: bool
    hop: str = ""
    """As the transport writes it."""


@dataclass(frozen=True, slots=True)
class Way:
    """All hops, as far as they are known from here."""

    target: Target
    legs: tuple[Leg, ...]
    ends: Said | None = None
    """How it goes on where the last hop is not the end of it; None: it is."""
    no_route: bool = False
    """True where our transport would not know where to send it."""


def target(text: str, view: View) -> Target:
    """
    Read a server (its first label will do), a domain, an address, or ``HOST:PORT``.

    Raises: BadInput.
    """
    bare = text.strip()
    if "@" in bare:
        if not sendable(bare):
            raise BadInput(f"{text!r} is not an address", hint="write it like ann@example.test")
        return Target(bare, bare, domain_of(bare))
    try:
        where = endpoint(bare)
    except BadInput:
        pass
    else:
        server = server_at(view, where)
        # Every server takes mail for its own postmaster without a domain, from anybody: that proves nothing.
        return Target(
            bare, f"postmaster@{server}" if server is not None else "postmaster", "", where, is_server=True
        )
    name = named(bare, view)
    if not sendable(f"postmaster@{name}"):
        raise BadInput(
            f"{text!r} is neither a server, a domain, an address nor an endpoint",
            hint="mailtrust flow hub1.example.test hub2.example.test",
        )
    return Target(name, f"postmaster@{name}", name, is_server=name in view.servers())


def named(text: str, view: View) -> ServerName:
    """A server's full name, for which its first label will do where only one has it."""
    bare = text.strip().rstrip(".").lower()
    alike = [one for one in view.servers() if one.partition(".")[0] == bare]
    return alike[0] if len(alike) == 1 else ServerName(bare)


def way(site: Site, view: View, wanted: Target) -> Way:
    """The hops to *wanted*.  Blocking: call it from a thread.  Raises: BadInput for this server itself."""
    if wanted.domain == site.server:
        raise BadInput(
            f"{site.server} is this server itself", hint="mailtrust check says how it is; name another one"
        )
    first = _first(site, view, wanted, _postfix_hops(site, [wanted.recipient]))
    if first is None:
        return Way(wanted, (), no_route=True)
    legs = [first, *_further(site, view, wanted, first)]
    last = legs[-1].receiver
    unfinished = wanted.domain in view.servers() and last != wanted.domain
    ends = Said("flow.goes-on-unseen", {"server": last, "to": wanted.text}) if unfinished else None
    return Way(wanted, tuple(legs), ends, _has_no_route(site, wanted))


def first_legs(site: Site, view: View, servers: Iterable[ServerName]) -> dict[ServerName, Leg]:
    """The first hop to each of these servers that has one, asked for together.  Blocking."""
    wanted = {one: target(one, view) for one in servers}
    hops = _postfix_hops(site, [one.recipient for one in wanted.values()])
    found = {name: _first(site, view, one, hops) for name, one in wanted.items()}
    return {name: leg for name, leg in found.items() if leg is not None}


def listeners(view: View, server: ServerName) -> tuple[Endpoint, ...]:
    """Where a server says that it presents: by home, else by whichever replica knows."""
    looks = sorted(view.replicas(server), key=lambda one: not one.home)
    return next((one.listeners for one in looks if one.listeners), ())


def neighbours(site: Site) -> Mapping[ServerName, Config]:
    """The configurations of other servers that lie beside ours and that we may read."""
    own = site.config.file
    found: dict[ServerName, Config] = {}
    for file in sorted(own.parent.glob("*.toml")) if own is not None else ():
        if file == own or not os.access(file, os.R_OK):
            continue
        try:
            config = load(file, {}, default_name=lambda: "")
        except (MailtrustError, OSError):
            # Some other program's file, or one that is not for us.
            continue
        if config.server.name != site.server:
            found[config.server.name] = config
    return found


def _first(site: Site, view: View, wanted: Target, hops: Mapping[str, str]) -> Leg | None:
    """*hops*: where Postfix would send mail for each recipient."""
    where, domain = wanted.where, wanted.domain
    if where is not None:
        return _leg(site, view, site.server, where, (), Said("flow.route-named", {"endpoint": str(where)}))
    transport = site.config.transport
    if transport.kind == "hub":
        route = _hub_route(site.config, domain)
        if route is not None:
            said = Said("flow.route-hub", {"domain": domain, "endpoint": str(route)})
            return _leg(site, view, site.server, route, (domain,), said)
    if transport.kind == "postfix":
        hop = hops.get(wanted.recipient, "")
        there = endpoint_of(hop) if hop else None
        if there is not None and (hop.startswith("[") or domain not in view.servers()):
            said = Said("flow.route-postfix", {"domain": domain, "hop": hop})
            return _leg(site, view, site.server, there, (domain,), said, hop)
    if domain in view.servers():
        server = ServerName(domain)
        found = listeners(view, server)
        said = Said("flow.route-published" if found else "flow.route-none", {"server": server})
        return Leg(site.server, server, found[0] if found else None, said, known=True)
    return None


def _has_no_route(site: Site, wanted: Target) -> bool:
    """True where the hub would keep it: a listener that is published is no route."""
    config = site.config
    return (
        config.transport.kind == "hub"
        and wanted.where is None
        and wanted.domain not in config.transport.local_domains
        and _hub_route(config, wanted.domain) is None
    )


def _hub_route(config: Config, domain: str) -> Endpoint | None:
    return config.transport.routes.get(domain) or config.transport.routes.get("*")


def _postfix_hops(site: Site, recipients: list[str]) -> Mapping[str, str]:
    if site.config.transport.kind != "postfix" or not recipients:
        return {}
    try:
        return next_hops(site.config.transport.postfix, recipients)
    except TransportUnavailable:
        # Its tools are not here, or we may not ask: then what the directory says has to do.
        return {}


def _leg(
    site: Site,
    view: View,
    sender: ServerName,
    where: Endpoint,
    domains: tuple[str, ...],
    route: Said,
    hop: str = "",
) -> Leg:
    told = site.config.transport.next_hops.get(hop, ()) if hop else ()
    server = told[0] if len(told) == 1 else server_at(view, where, domains)
    receiver = server or stand_in(hop or str(where), where)
    return Leg(sender, receiver, where, route, server is not None, hop or str(where))


def _further(site: Site, view: View, wanted: Target, first: Leg) -> Iterator[Leg]:
    """The hops behind the first, by the routes of servers whose configuration lies beside ours."""
    beside = neighbours(site)
    at, passed = first.receiver, {site.server, first.receiver}
    while len(passed) < _MOST_HOPS and wanted.domain:
        config = beside.get(at)
        if config is None or at == wanted.domain or wanted.domain in config.transport.local_domains:
            return
        route = _hub_route(config, wanted.domain) if config.transport.kind == "hub" else None
        if route is None:
            return
        said = Said("flow.route-hub-of", {"server": at, "domain": wanted.domain, "endpoint": str(route)})
        leg = _leg(site, view, at, route, (wanted.domain,), said)
        if leg.receiver in passed:
            return
        yield leg
        passed.add(leg.receiver)
        at = leg.receiver
