"""Reads an Exchange organization: its servers on every domain controller, and what they present."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import replace

from mailtrust import clock
from mailtrust.agent.audit import Aim, Controllers
from mailtrust.agent.sign_in import ldap_settings
from mailtrust.core.exchange.facts import ExchangeServer, Organization
from mailtrust.directory.exchange import read_organization
from mailtrust.directory.exchange_layout import Choice
from mailtrust.errors import BadInput
from mailtrust.probes.exchange import look_at, sources

_MOST_NAMES = 10


async def look(aim: Aim) -> Organization:
    """
    Everything that *aim* points at.  Nothing is written anywhere.

    Raises: DirectoryUnavailable; BadInput for a server that is not there.
    """
    directory = aim.directory
    organization = await read_organization(
        directory.replicas,
        ldap_settings(directory),
        Choice(aim.listed, everywhere=aim.controllers is Controllers.ALL),
        timeout=aim.timeout,
        now=clock.now,
    )
    wanted = _wanted(organization.servers, aim.servers)
    looked = await look_at(
        [one for one in organization.servers if one.dn in wanted],
        aim.at,
        timeout=aim.timeout,
        now=clock.now,
    )
    by_dn = {one.dn: one for one in looked}
    return replace(
        organization,
        seen_from=socket.gethostname(),
        account=organization.account or directory.bind_dn or directory.principal,
        servers=tuple(by_dn.get(one.dn, one) for one in organization.servers),
        sources=sources(looked),
    )


def _wanted(servers: Sequence[ExchangeServer], names: Sequence[str]) -> frozenset[str]:
    """The entries of those with a transport that were asked for; without *names* of all."""
    for name in names:
        if not any(_is_called(one, name) for one in servers):
            there = ", ".join(one.name for one in servers[:_MOST_NAMES])
            raise BadInput(
                f"no Exchange server is called {name!r}", hint=f"there are {there}" if there else ""
            )
    asked = (one for one in servers if not names or any(_is_called(one, name) for name in names))
    return frozenset(one.dn for one in asked if one.has_transport)


def _is_called(server: ExchangeServer, name: str) -> bool:
    return name.lower() in (server.name.lower(), server.server)
