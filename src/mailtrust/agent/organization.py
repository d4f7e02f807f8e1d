"""Reads an Exchange organization: its servers on every domain controller, and what they present."""

from __future__ import annotations

from mailtrust.agent.audit import Aim
from mailtrust.core.exchange.facts import Organization
from mailtrust.errors import DirectoryUnavailable


async def look(aim: Aim) -> Organization:
    """
    Everything that *aim* points at.  Nothing is written anywhere.

    Raises: DirectoryUnavailable.
    """
    raise DirectoryUnavailable(
        f"{aim.directory.home} cannot be asked: this release does not read Active Directory yet",
        hint="audit what `mailtrust audit collector` collects: mailtrust audit exchange --from FILE",
    )
