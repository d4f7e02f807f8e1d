"""What a rotation needs beside the store and the directory, as this site's configuration has it."""

from __future__ import annotations

from mailtrust import clock
from mailtrust.agent.rotate import Hands
from mailtrust.agent.site import Site
from mailtrust.core.model.certificate import Fingerprint
from mailtrust.core.model.sighting import RehearsalSighting, View


def hands_of(site: Site) -> Hands:  # noqa: ARG001  # every transport of this release presents by itself
    """The hub sees by itself that something else is current."""
    return Hands(rehearse=_rehearse)


async def _rehearse(site: Site, view: View, fingerprint: Fingerprint) -> tuple[RehearsalSighting, ...]:  # noqa: ARG001
    why = "peers are not asked by this release"
    return (RehearsalSighting(site.server, "", fingerprint, None, clock.now(), why),)
