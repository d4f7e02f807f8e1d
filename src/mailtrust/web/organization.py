"""The lab's organization as a source: every server as it sees itself, and commands for another terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from mailtrust.agent.look import assess
from mailtrust.lab.member import Member
from mailtrust.lab.organization import Organization
from mailtrust.web.source import Corner, Typed

_TIMEOUT = timedelta(seconds=1)


class LabSource:
    """The source of a running organization; *typed* says how a command is typed for one of its servers."""

    def __init__(self, organization: Organization, typed: Callable[[Member], Typed]) -> None:
        self._members = organization.members
        self._typed = typed

    async def look(self) -> tuple[Corner, ...]:
        """All of them side by side."""
        seen = await asyncio.gather(*(assess(one.site, timeout=_TIMEOUT) for one in self._members))
        return tuple(
            Corner(member.site, one, self._typed(member), "")
            for member, one in zip(self._members, seen, strict=True)
        )
