"""
What was collected on Exchange servers themselves, joined with what was read of the forest, or alone.

A collector's file is about one server.  Where the forest was read the server is there already, and gets its
store; where it was not, the page is about these servers alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mailtrust.core.exchange.facts import Collected, ExchangeServer, Organization


def joined(organization: Organization | None, collected: Iterable[Collected]) -> Organization:
    """*organization* with what was collected; of two files about one server the later one."""
    latest = {one.server.lower(): one for one in sorted(collected, key=lambda one: one.collected_at)}
    known = organization or _of_these(latest.values())
    servers = [_with(one, latest.pop(one.name.lower(), None)) for one in known.servers]
    return replace(known, servers=(*servers, *map(_server, latest.values())))


def _of_these(collected: Iterable[Collected]) -> Organization:
    names = dict.fromkeys(one.organization for one in collected if one.organization)
    return Organization(", ".join(names))


def _with(server: ExchangeServer, collected: Collected | None) -> ExchangeServer:
    return server if collected is None else replace(server, collected=collected)


def _server(collected: Collected) -> ExchangeServer:
    return ExchangeServer(
        collected.server,
        collected.fqdn,
        "",
        collected.roles,
        collected.version,
        collected.site,
        collected=collected,
    )
