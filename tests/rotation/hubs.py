"""Three hubs and three SQLite replicas, of which one is late, rotating under load."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from mailtrust.lab.organization import Organization, open_organization
from mailtrust.transports.hub.settings import RelayLimits
from tests.rotation.load import HubLoad
from tests.rotation.pace import Pace
from tests.rotation.servers import Server
from tests.rotation.story import Told, rotate_under_load


@asynccontextmanager
async def hubs(folder: Path, pace: Pace, *, messages_per_session: int) -> AsyncIterator[Organization]:
    """The organization, with hubs that open a new session after so many messages."""
    async with open_organization(
        folder, "embedded", servers=3, replicas=3, lag=timedelta(seconds=0.1), latency=pace.latency,
        lengths={"policy": pace.policy, "agent": {"every": timedelta(seconds=1)}},
    ) as organization:  # fmt: skip
        organization.relay = RelayLimits(messages_per_session=messages_per_session)
        for one in organization.members:
            await organization.restart(one)
        organization.replicas.delay(organization.replicas.urls[-1], pace.lag)
        yield organization


async def rotate_hubs(organization: Organization, *, a_second: float, at_least: int) -> Told:
    """Rotate all, one after the other, while they send each other mail."""
    servers = [Server(one.site, organization.folder / one.config_name) for one in organization.members]
    load = HubLoad(organization, a_second)
    try:
        told = await rotate_under_load(servers, load.sent, at_least)
        return replace(told, mail=await load.settled())
    finally:
        load.stop()
