"""hub1, from which mail is followed, and whatever a test puts in the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

import mailtrust.cli
from mailtrust import clock
from mailtrust.agent import act
from mailtrust.agent.flow import Flow, flow, open_desk
from mailtrust.agent.site import Site, open_site
from mailtrust.config import load
from mailtrust.core.flow import Hop, State, Verdict
from mailtrust.core.flow.stages import Stage
from mailtrust.core.model.plan import Install
from mailtrust.core.model.server import Endpoint, ServerName
from tests.hub.organization import Held, Organization, Running
from tests.loopback import LOOPBACK, free_port
from tests.make import HUB1, HUB2

HUB3 = "hub3.example.test"


@dataclass
class Desk:
    """hub1, enabled, with a route to hub2; and whatever a test puts in the way."""

    organization: Organization
    site: Site
    port: int
    """Where the route to hub2 leads."""
    hubs: list[Running] = field(default_factory=list)

    @property
    def route(self) -> Endpoint:
        return Endpoint(LOOPBACK, self.port)

    async def publish(self, one: Held, server: str, *listeners: Endpoint) -> None:
        der = one.certificate.der
        await self.organization.replica.publish(ServerName(server), der, clock.now(), listeners or None)

    async def follow(self, to: str = HUB2, sender: str | None = None, seconds: float = 3) -> Flow:
        desk = await open_desk(self.site, timedelta(seconds=seconds))
        return await flow(desk, sender, to)

    async def type(self, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
        capsys.readouterr()
        config = str(self.organization.folder / "hub1.toml")
        code = await asyncio.to_thread(mailtrust.cli.run, ["--config", config, "flow", *words])
        return code, "".join(capsys.readouterr())


@asynccontextmanager
async def desk(
    folder: Path, *, enabled: bool = True, more: str = "", routes: str = ""
) -> AsyncIterator[Desk]:
    organization, port = Organization(folder), free_port()
    file = folder / "hub1.toml"
    file.write_text(
        f"""\
[server]
name = "{HUB1}"
store = "{folder / "store"}"
listeners = []

[directory]
home = "{organization.replica.url}"

[policy]
key = "p256"
probe_timeout = "3s"

[transport]
kind = "hub"
bind = ["{LOOPBACK}:{free_port()}"]

[transport.routes]
"{HUB2}" = "{LOOPBACK}:{port}"
{routes}
"""
    )
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(open_site(load(file, {}, default_name=lambda: HUB1)))
        await act.perform(site, Install(ServerName(HUB1)))
        [made] = site.store.installed()
        if enabled:
            await act.enable(site, made.certificate.fingerprint)
        yield Desk(organization, site, port)


def failing(told: Flow) -> tuple[Stage, int, Verdict]:
    """The first failing stage with its event; everything behind it was not reached."""
    [hop] = told.hops
    assert hop.trouble is not None
    stages = [one.stage for one in hop.lines]
    behind = hop.lines[stages.index(hop.trouble.stage) + 1 :]
    assert hop.line(hop.trouble.stage).state is State.FAILED
    assert all(one.state is not State.FAILED for one in behind)
    return hop.trouble.stage, hop.trouble.event.code, hop.verdict


def not_reached(hop: Hop) -> list[Stage]:
    return [one.stage for one in hop.lines if one.state is State.NOT_REACHED]
