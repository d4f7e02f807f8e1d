"""What `analyze` looks at where no Exchange organization was asked for: our own servers."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from mailtrust.agent.analysis import Gathered, gather
from mailtrust.agent.journal import Ack
from mailtrust.agent.look import Scope
from mailtrust.agent.site import open_site
from mailtrust.cli import loop
from mailtrust.config import Config
from mailtrust.core.advice.facts import Facts
from mailtrust.core.model.server import server_name


def facts_here(
    config: Config,
    servers: tuple[str, ...],
    instance: Path | None,
    timeout: timedelta | None,
    *,
    everybody: bool = False,
) -> tuple[Facts, bool, tuple[Ack, ...]]:
    """
    The facts, whether what matters most was seen, and the acknowledgements that hold.

    Raises: BadInput.
    """
    scope = Scope(everybody, server_name(servers[0]) if servers else None)
    is_ours = config.transport.kind == "postfix"
    folder = instance.absolute() if instance else config.transport.postfix if is_ours else None
    work = _gathered(config, scope, folder, timeout)
    found, acks = loop.run(work) if everybody else asyncio.run(work)
    return found.facts, found.essential, acks


async def _gathered(
    config: Config, scope: Scope, instance: Path | None, timeout: timedelta | None
) -> tuple[Gathered, tuple[Ack, ...]]:
    async with open_site(config, looking_only=True) as site:
        found = await gather(site, scope, instance, timeout)
        return found, site.journal.acks(found.facts.now)
