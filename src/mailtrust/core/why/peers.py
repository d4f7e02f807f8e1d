"""Who stands behind a next hop: by the directory, by its name, or by the key that it presents."""

from __future__ import annotations

import re
from collections.abc import Collection

from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.server import Endpoint, ServerName, endpoint, server_name
from mailtrust.core.model.sighting import View
from mailtrust.errors import BadInput

SMTP_PORT = 25
# `hub:[host]` and `smtp:host:25` have a transport in front, `host:25` has none.
_TRANSPORT = re.compile(r"\A[A-Za-z0-9_-]+:(?!\d+\Z)")
_BRACKETS = re.compile(r"\[([^\]]*)\](?::(\d+))?\Z")


def endpoint_of(hop: str) -> Endpoint | None:
    """
    Where a next hop is: ``HOST:PORT``, or Postfix's ``transport:[host]:port``, ``[host]`` or ``domain``.

    None for what is no address, such as ``local``.
    """
    bare = _TRANSPORT.sub("", hop, count=1)
    found = _BRACKETS.match(bare)
    if found:
        host, port = found[1], found[2] or str(SMTP_PORT)
        bare = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    elif "." in bare and ":" not in bare:
        bare = f"{bare}:{SMTP_PORT}"
    try:
        return endpoint(bare)
    except BadInput:
        return None


def server_at(view: View, where: Endpoint | None, domains: Collection[str] = ()) -> ServerName | None:
    """The server that says it listens there; else one of that name; else the one of the only domain."""
    servers = view.servers()
    if where is not None:
        listening = (one for one in servers if any(where in look.listeners for look in view.replicas(one)))
        known = next(listening, None) or next((one for one in servers if one == where.host), None)
        if known is not None:
            return known
    return next((one for one in servers if len(domains) == 1 and one in domains), None)


def owner_of(view: View, leaf: Certificate) -> ServerName | None:
    """The server that publishes that key somewhere."""
    return next(
        (one for one in view.servers() if any(leaf.pin in look.pins for look in view.replicas(one))), None
    )


def stand_in(hop: str, where: Endpoint | None) -> ServerName:
    """A name to keep looks under, for a next hop that nobody knows."""
    try:
        return server_name(where.host if where is not None else hop)
    except BadInput:
        return ServerName(str(where) if where is not None else hop)


def means(asked: str, hop: str, domains: Collection[str], server: ServerName | None) -> bool:
    """True if *asked* is this next hop, its host, its server, or a domain whose mail goes there."""
    wanted = asked.strip().rstrip(".").lower()
    where, same = endpoint_of(hop), endpoint_of(wanted)
    if wanted in (hop.lower(), server, *domains) or (where is not None and same == where):
        return bool(wanted)
    return where is not None and wanted.strip("[]") == where.host
