"""Controllers that could not be asked: what stands there is not known, and not taken for nothing."""

from __future__ import annotations

from collections.abc import Iterator

from mailtrust.core.events import catalog
from mailtrust.core.exchange import elsewhere
from mailtrust.core.exchange.facts import Controller, Organization
from mailtrust.core.exchange.judgement import Judgement, concluded
from mailtrust.core.model.event import Finding, Said
from mailtrust.core.model.server import ServerName


def unreadable(organization: Organization) -> Iterator[Judgement]:
    """One that Exchange servers may read, and we could not.  A far one is only a note (see `unseen`)."""
    for one in organization.controllers:
        if one.asked and one.why and one.in_site:
            yield _unreadable(one)


def _unreadable(one: Controller) -> Judgement:
    values = {"controller": one.name, "site": one.site or "-", "replica": one.url, "why": one.why}
    finding = Finding(
        catalog.REPLICA_UNREADABLE,
        ServerName(one.name.lower()),
        one.url,
        values=values,
        evidence=(Said("proof.controller-unread", values),),
    )
    steps = (elsewhere.reach_controller(one),)
    return concluded(finding, Said("finding.controller-unread", values), (), steps)
