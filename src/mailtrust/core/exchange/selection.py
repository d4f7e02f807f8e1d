"""
Which Receive connector answers a caller, and which certificate is chosen for a name.

Exchange takes the connector by the caller's address: among those that listen there, the one with the smallest
range around it.  So what a jump host is shown need not be what another mail server is shown.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from mailtrust.core.exchange.facts import Connector, Direction
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.server import Endpoint

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  # as bindings say it, and not a place of ours to listen


@dataclass(frozen=True, slots=True)
class Answering:
    """Who may have answered.  One connector where the facts decide; several where some are not known."""

    connectors: tuple[Connector, ...]

    @property
    def certain(self) -> Connector | None:
        """The one that answered; None where that cannot be said."""
        return self.connectors[0] if len(self.connectors) == 1 else None


def answering(connectors: Iterable[Connector], caller: str | None, endpoint: Endpoint) -> Answering:
    """
    The Receive connectors, of one server's, that may have answered *caller* at *endpoint*.

    A connector whose bindings or ranges are not known may always be the one.
    """
    listening = [one for one in connectors if may_listen(one, endpoint)]
    address = _address(caller or "")
    if address is None:
        return Answering(tuple(listening))
    widths = {one: _width(one, address) for one in listening if one.remote_ranges is not None}
    narrowest = min((width for width in widths.values() if width is not None), default=None)
    known = {one for one, width in widths.items() if width is not None and width == narrowest}
    return Answering(tuple(one for one in listening if one.remote_ranges is None or one in known))


def may_listen(connector: Connector, endpoint: Endpoint) -> bool:
    """True unless it is known not to listen there."""
    if connector.direction is not Direction.RECEIVE or connector.enabled is False:
        return False
    return connector.bindings is None or any(_listens(one, endpoint) for one in connector.bindings)


def ports(connector: Connector) -> frozenset[int]:
    """The ports of its bindings, as far as they are known."""
    found = (one.rpartition(":")[2] for one in connector.bindings or ())
    return frozenset(int(port) for port in found if port.isascii() and port.isdigit())


def fitting_by_name(name: str, held: Iterable[Certificate], now: datetime) -> Certificate | None:
    """
    What Exchange would choose out of *held* for a name; None where none carries it.

    The newest that somebody else issued, else the newest that was signed by itself; an expired one last.
    """
    newest = sorted(held, key=lambda leaf: leaf.not_before, reverse=True)
    carrying = [leaf for leaf in newest if leaf.covers(name)]
    return min(carrying, key=lambda leaf: (leaf.expired(now), leaf.self_signed), default=None)


def _listens(binding: str, endpoint: Endpoint) -> bool:
    host, _, port = binding.rpartition(":")
    if port != str(endpoint.port):
        return False
    bound, called = _address(host), _address(endpoint.host)
    # A name may stand for any address of the server.
    return bound is None or called is None or bound == called or str(bound) in _EVERYWHERE


def _width(connector: Connector, address: Address) -> int | None:
    """How many addresses the narrowest of its ranges around *address* has; None where none is around it."""
    spans = (_span(one) for one in connector.remote_ranges or ())
    around = [
        span
        for span in spans
        if span and span[0].version == address.version and int(span[0]) <= int(address) <= int(span[1])
    ]
    return min((int(last) - int(first) for first, last in around), default=None)


def _span(text: str) -> tuple[Address, Address] | None:
    """First and last of ``a-b``, ``a/16``, ``a(255.255.0.0)`` or ``a``; None for what is none of these."""
    first, dash, last = text.partition("-")
    if dash:
        ends = _address(first), _address(last)
        return (ends[0], ends[1]) if ends[0] is not None and ends[1] is not None else None
    try:
        network = ipaddress.ip_network(text.strip().replace("(", "/").rstrip(")"), strict=False)
    except ValueError:
        return None
    return network[0], network[-1]


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text.strip().strip("[]"))
    except ValueError:
        return None
