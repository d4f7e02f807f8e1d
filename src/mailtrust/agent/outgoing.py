"""What the agent does for those who do not look into the journal: it ships as entries come."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from mailtrust import clock
from mailtrust.agent.shipping import is_journal, opened, ship_or_say_why
from mailtrust.agent.site import Site
from mailtrust.agent.wake import LOOK_AGAIN_AFTER, file_stamp
from mailtrust.config import Config
from mailtrust.directory.pauses import pauses
from mailtrust.errors import LogUnavailable
from mailtrust.logs.journald import Journald
from mailtrust.logs.lines import JsonLines
from mailtrust.texts import Texts, load

_AT_LEAST_EVERY = timedelta(seconds=15)
"""A log that was busy is asked again then."""


@dataclass(frozen=True, slots=True)
class Out:
    """How what leaves is said."""

    language: str = "en"
    log_here: bool = False
    """Whether standard error may stand in for a log, where the machine has none."""

    @property
    def shelf(self) -> Texts:
        """Its words."""
        return load(self.language)


def told_by_log(config: Config, out: Out, environment: Mapping[str, str]) -> bool:
    """True where the log holds what our output would say once more: in the same place."""
    try:
        log = opened(config, may_write_here=out.log_here)
    except LogUnavailable:
        return False
    if log is None:
        return False
    log.close()
    match log:
        case JsonLines():
            return out.log_here and config.log.file is None
        case Journald():
            return is_journal(sys.stdout.fileno(), environment)
        case _:
            return False


async def keep_shipping(site: Site, out: Out) -> None:
    """Ship what comes into the journal, whoever writes it; for ever."""
    waits, known = pauses(LOOK_AGAIN_AFTER), None
    loop = asyncio.get_running_loop()
    shipped_at = float("-inf")
    while True:
        stamp = file_stamp(site)
        if stamp != known or loop.time() - shipped_at > _AT_LEAST_EVERY.total_seconds():
            why = await asyncio.to_thread(
                ship_or_say_why, site.config, out.shelf, clock.now(), may_write_here=out.log_here
            )
            # Taken before: what was written meanwhile is looked at next time.
            known, shipped_at = stamp, loop.time()
            if why:
                await asyncio.sleep(next(waits).total_seconds())
                continue
            waits = pauses(LOOK_AGAIN_AFTER)
        await asyncio.sleep(LOOK_AGAIN_AFTER.total_seconds())
