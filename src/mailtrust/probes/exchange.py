"""
Looks at Exchange servers: what does each present, by each of its two verbs?

Behind X-ANONYMOUSTLS stands the internal transport certificate, behind STARTTLS the one for everybody else,
so each is a look of its own.  Since Exchange 2013 two services listen, at 25 and at 2525; an Edge server, and
what is older, has 25 alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from mailtrust.core.exchange.facts import STARTTLS, X_ANONYMOUSTLS, ExchangeServer, Version
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import WireFailure, WireSighting
from mailtrust.probes.smtp import AT_ONCE, probe

_VERBS = (X_ANONYMOUSTLS, STARTTLS)
_PORTS, _OLD_PORTS = (25, 2525), (25,)
_EXCHANGE_2013 = Version(15, 0, 0)
_Look = tuple[ServerName, Endpoint, str]
"""The last is the verb."""
_NAMELESS = "the directory tells no name by which it can be reached (networkAddress)"


async def look_at(
    servers: Collection[ExchangeServer],
    at: Mapping[str, tuple[Endpoint, ...]],
    *,
    timeout: timedelta,
    now: Callable[[], datetime],
) -> tuple[ExchangeServer, ...]:
    """
    The *servers* with the looks at them: one per endpoint and verb, all at the same time.

    *at*: where a server is reached from here, by its name or full name in lower case, instead of by its full
    name.  Never raises.
    """
    places = {one.dn: _places(one, at) for one in servers}
    named = (one for one in servers if _can_be_found(one, at))
    targets = dict.fromkeys((one.server, place) for one in named for place in places[one.dn])
    found: dict[_Look, WireSighting] = {}

    async def look_by(verb: str) -> None:
        # Both verbs at once, so that a crowd of dead servers costs one time-out and not two.
        looks = probe(targets, timeout=timeout, now=now, concurrency=AT_ONCE // len(_VERBS), verb=verb)
        async for look in looks:
            found[look.server, look.endpoint, verb] = replace(look, verb=verb)

    await asyncio.gather(*map(look_by, _VERBS))
    looks_at = (
        (one, [(one.server, place, verb) for place in places[one.dn] for verb in _VERBS]) for one in servers
    )
    return tuple(
        replace(one, wires=tuple(found.get(look) or _not_looked(look, now()) for look in looks))
        for one, looks in looks_at
    )


def sources(servers: Iterable[ExchangeServer]) -> Mapping[Endpoint, str]:
    """By endpoint, the address of ours that the looks at it came from."""
    return {look.endpoint: look.source for one in servers for look in one.wires if look.source}


def _places(server: ExchangeServer, at: Mapping[str, tuple[Endpoint, ...]]) -> tuple[Endpoint, ...]:
    if (told := _told(server, at)) is not None:
        return told
    is_old = server.version is not None and server.version < _EXCHANGE_2013
    ports = _OLD_PORTS if server.is_edge or is_old else _PORTS
    return tuple(Endpoint(server.server, port) for port in ports)


def _can_be_found(server: ExchangeServer, at: Mapping[str, tuple[Endpoint, ...]]) -> bool:
    return bool(server.fqdn) or _told(server, at) is not None


def _told(server: ExchangeServer, at: Mapping[str, tuple[Endpoint, ...]]) -> tuple[Endpoint, ...] | None:
    return at.get(server.name.lower()) or at.get(server.server)


def _not_looked(look: _Look, now: datetime) -> WireSighting:
    server, place, verb = look
    return WireSighting(server, place, None, now, _NAMELESS, WireFailure.NO_ANSWER, "resolve", verb)
