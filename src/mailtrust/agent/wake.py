"""
What wakes the agent before its time: a directory that changed, or somebody who did or asked for something.

A directory that changes all the time must not wake us all the time: whoever sleeps is woken at most once a
second, and while something fails a change of the directory does not wake at all.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import aclosing, suppress
from datetime import timedelta

from mailtrust.agent.site import Site
from mailtrust.directory.base import Replica

LOOK_AGAIN_AFTER = timedelta(seconds=1)
"""The shortest time between two rounds, and between two questions to a file."""


class Wake:
    """Why to look before it is time."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        """Something may have changed in the directory."""
        self.asked = asyncio.Event()
        """Somebody did or asked for something here."""

    def clear(self) -> None:
        """A look begins now."""
        self.changed.clear()
        self.asked.clear()

    async def watch(self, site: Site, replica: Replica) -> None:
        """
        Listen to a replica for what concerns our server.

        Where it has to be asked, that is done more rarely than by a transport, which needs to know sooner.
        Raises: DirectoryUnavailable.
        """
        poll = max(LOOK_AGAIN_AFTER, site.config.agent.every / 6)
        async with aclosing(replica.watch(poll)) as changes:  # type: ignore[type-var]
            async for changed in changes:
                if changed is None or site.server in changed:
                    self.changed.set()

    async def attend(self, site: Site) -> None:
        """Look again and again whether the store or the journal says something new."""
        known = site.store.stamp(), site.journal.asked(site.server)
        file = file_stamp(site)
        while True:
            await asyncio.sleep(LOOK_AGAIN_AFTER.total_seconds())
            before, file = file, file_stamp(site)
            asked = known[1] if file == before else await asyncio.to_thread(site.journal.asked, site.server)
            found = site.store.stamp(), asked
            if found != known:
                known = found
                self.asked.set()


def file_stamp(site: Site) -> tuple[int, int] | None:
    """Differs from what it was once the journal was written; None where there is none."""
    with suppress(OSError):
        found = os.stat(site.journal.path)  # noqa: PTH116  # a question a second: as cheap as can be
        return found.st_mtime_ns, found.st_size
    return None
