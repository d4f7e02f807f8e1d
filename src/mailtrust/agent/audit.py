"""
Look at an Exchange organization, join what was collected on its servers, and judge it.

Reading a forest is somebody else's work: whoever calls hands in the function that does it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from mailtrust import clock
from mailtrust.config import Directory
from mailtrust.core.exchange.facts import Collected, Organization
from mailtrust.core.exchange.judge import judge
from mailtrust.core.exchange.judgement import Audit
from mailtrust.core.exchange.offline import joined
from mailtrust.core.model.server import Endpoint
from mailtrust.core.policy import Policy


class Controllers(StrEnum):
    """Which domain controllers are to be read, beside those that are listed by name."""

    IN_SITE = "in-site"
    """Those of sites with Exchange servers in them."""
    ALL = "all"
    LISTED = "listed"


@dataclass(frozen=True, slots=True)
class Aim:
    """What to look at, and how."""

    directory: Directory
    """*replicas* are the controllers to begin with: any that answers names the others."""
    controllers: Controllers = Controllers.IN_SITE
    listed: tuple[str, ...] = ()
    """The controllers to read, by name or URL, where *controllers* is LISTED."""
    servers: tuple[str, ...] = ()
    """The servers whose endpoints to look at, by name or full name; empty: all."""
    at: Mapping[str, tuple[Endpoint, ...]] = field(default_factory=dict)
    """Where a server is reached from here, by its name in lower case; else its full name, on 25 and 2525."""
    timeout: timedelta = timedelta(seconds=10)


Look = Callable[[Aim], Awaitable[Organization]]
"""Reads the forest and looks at the endpoints.  Raises: DirectoryUnavailable where no controller answers."""


async def audit(
    aim: Aim | None, look: Look, collected: Sequence[Collected] = (), policy: Policy | None = None
) -> Audit:
    """
    The audit of what *aim* points at, and of what was collected; without an aim, of the latter alone.

    Raises: DirectoryUnavailable.
    """
    organization = await look(aim) if aim is not None else None
    whole = joined(organization, collected)
    return judge(whole, clock.now(), policy or Policy(), (aim.servers if aim else ()) or None)


def saw_nothing(audit: Audit) -> bool:
    """True where no controller answered and nothing was collected: there is no page to make."""
    organization = audit.organization
    return not any(one.readable for one in organization.controllers) and not any(
        one.collected for one in organization.servers
    )
