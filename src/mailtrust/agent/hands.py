"""
What a rotation needs of this site's transport: whom to ask beforehand, and who has to be told afterwards.
"""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress

from mailtrust import clock
from mailtrust.agent.postfix import hands_of
from mailtrust.agent.rehearse import rehearse_with_everybody
from mailtrust.agent.rotate import Hands
from mailtrust.agent.site import Site
from mailtrust.core.events.catalog import PRESENTED_NOT_CURRENT
from mailtrust.core.model.certificate import short
from mailtrust.core.model.sighting import Act
from mailtrust.errors import StoreUnavailable
from mailtrust.transports.base import Raised
from mailtrust.transports.postfix.chain import CHAIN_FILE
from mailtrust.transports.postfix.present import present

_REPLACED = "…"
"""Which one an old process presents is not known: what it read may be older than the last one."""


def hands(site: Site) -> Hands:
    """
    The hub needs no telling: it presents what is current from its next session on.  Postfix gets its chain
    file, and is reloaded.
    """
    tell = present_in_postfix if site.config.transport.kind == "postfix" else None
    return Hands(rehearse=rehearse_with_everybody, present=tell)


async def present_in_postfix(site: Site) -> None:
    """
    Let Postfix present the current certificate, and look until its listeners do, or a look's time is over.

    Raises: Refused, TransportUnavailable where it was not installed or not reloaded; StoreUnavailable,
    KeyMismatch, NotACertificate where the certificate cannot be had.
    """
    credential = await asyncio.to_thread(site.store.credential)
    if credential is None:
        return
    timeout = site.config.policy.probe_timeout
    with closing(hands_of(site.config)) as ours:
        shown = await present(
            ours, credential, site.server, site.config.server.listeners, timeout=timeout, now=clock.now
        )
    file = str(site.config.transport.tables / CHAIN_FILE)
    act = Act("chain", site.server, credential.certificate.fingerprint, clock.now(), file)
    with suppress(StoreUnavailable):
        site.journal.record_act(act)
        for one in shown.older or ():
            # What it presents cannot be seen, but that it read the file before it changed.
            place, current = f"{one.name} {one.pid}", short(credential.certificate.fingerprint)
            values = {"fingerprint": _REPLACED, "current": current, "endpoint": place}
            raised = Raised(PRESENTED_NOT_CURRENT, site.server, place, values)
            site.journal.record_raised(raised, clock.now())
