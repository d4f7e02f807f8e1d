"""One server of the organization."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from mailtrust.agent.site import Site
from mailtrust.core.model.server import ServerName
from mailtrust.transports.hub import Hub, queue_view


@dataclass(slots=True)
class Member:
    """One server of the organization."""

    name: ServerName
    config_name: str
    """Its configuration file, relative to the lab's folder."""
    port: int
    home: str
    site: Site = field(init=False)
    hub: Hub | None = None
    way_in: AsyncExitStack = field(default_factory=AsyncExitStack)
    """A device that stands before it, if any."""

    @property
    def short_name(self) -> str:
        """``hub1``."""
        return self.name.partition(".")[0]

    async def waiting(self) -> int:
        """How many messages are in its queue, whether it runs or not."""
        if self.hub is not None:
            return self.hub.waiting()
        rows = await asyncio.to_thread(queue_view, self.site.config.server.store)
        return len({row.id for row in rows})
