"""The lab's dashboard: up as long as the organization is; a story waits a little for whoever watches it."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from mailtrust import texts as shelf
from mailtrust.core.model.server import Endpoint
from mailtrust.lab.organization import Organization
from mailtrust.lab.stage import Pause

_LISTEN = Endpoint("127.0.0.1", 12012)
_EVERY = timedelta(seconds=1)
_TIME_TO_READ_SECONDS = 8.0


@asynccontextmanager
async def dashboard_beside(
    organization: Organization, told: Callable[[str, str], None]
) -> AsyncIterator[Pause]:
    """
    The dashboard of that organization; *told* gets its address, or why there is none.

    Its usual port, or any that is free: a second lab has its own.
    """
    try:
        from mailtrust.web.organization import LabSource
        from mailtrust.web.security import Access
        from mailtrust.web.serve import serving
    except ImportError:
        told("", "there is no dashboard without the extra `web`: pip install 'mailtrust[web]'")
        yield _go_on
        return
    source = LabSource(organization, lambda member: _typed(organization.folder / member.config_name))
    language = shelf.language(None, os.environ)
    async with serving(source, _LISTEN, Access(), every=_EVERY, language=language, or_any_port=True) as up:

        async def pause() -> None:
            if up.live.is_watched:
                await asyncio.sleep(_TIME_TO_READ_SECONDS)

        told(up.address, "")
        yield pause


async def _go_on() -> None:
    """Nobody can watch."""


def _typed(config: Path) -> Callable[[str], str]:
    # Whoever opens another terminal is in no particular folder there.
    program = "mailtrust" if shutil.which("mailtrust") else str(Path(sys.executable).with_name("mailtrust"))

    def typed(action: str) -> str:
        return shlex.join((program, "--config", str(config), *shlex.split(action)[1:]))

    return typed
