"""What tests write into a journal, and how they read it."""

from __future__ import annotations

from mailtrust.agent.journal import EntryKind, Journal
from mailtrust.core.events import catalog
from mailtrust.core.model.event import Diagnosis, Event, Finding, Silenced
from mailtrust.transports.base import Raised
from tests.make import DC1, HUB1, NOON, minutes

MISSING = Finding(
    catalog.CERTIFICATE_MISSING, HUB1, DC1, "not-enabled", {"replica": DC1}, action="mailtrust enable"
)


def met(place: str = "127.0.0.1", event: Event = catalog.PEER_NOT_TRUSTED_INBOUND) -> Raised:
    return Raised(event, HUB1, place)


def kinds(journal: Journal) -> list[EntryKind]:
    return [entry.kind for entry in journal.entries()]


def diagnosed(journal: Journal, *findings: Finding, at: int = 0, silenced: tuple[Silenced, ...] = ()) -> None:
    journal.record_diagnosis(Diagnosis(findings, silenced), [HUB1], NOON + minutes(at))
