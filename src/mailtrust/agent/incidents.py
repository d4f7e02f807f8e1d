"""
What a new diagnosis changes: findings that open, change and close under their incident's key.

"We could not look" closes nothing: a finding stays open until a look says that it is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from mailtrust.agent.journal_rows import Ack, Entry, EntryKind
from mailtrust.core.events import catalog
from mailtrust.core.model.event import Diagnosis, Event, Finding
from mailtrust.core.model.server import ServerName

Change = tuple[EntryKind, str, Finding]
"""What happens, the incident's key, and the finding as it is now, or as it was when it closes."""

_BLIND_AT_A_PLACE = (catalog.REPLICA_UNREADABLE, catalog.SERVER_UNREACHABLE, catalog.TLS_NOT_OFFERED)
_JUDGED_ON_EVERY_REPLICA = (catalog.CERTIFICATE_MISSING, catalog.PRESENTED_NOT_PUBLISHED, catalog.KEY_SHARED)


def changes(
    before: Mapping[str, Entry],
    diagnosis: Diagnosis,
    scope: Collection[ServerName],
    acks: Collection[Ack] = (),
    unjudged: Collection[Event] = (),
) -> Iterator[Change]:
    """
    What opened, changed and closed at the servers of *scope*, against what was open *before*.

    A finding that another one explains, or that an operator acknowledged, neither opens nor closes; one whose
    event is *unjudged* does not close.
    """
    for finding in diagnosis.findings:
        held = before.get(finding.incident)
        if held is None:
            yield EntryKind.OPENED, finding.incident, finding
        elif (held.cause, held.severity, held.action) != (finding.cause, finding.severity, finding.action):
            yield EntryKind.CHANGED, finding.incident, finding
    still = {one.incident for one in diagnosis.findings}
    still |= {one.finding.incident for one in diagnosis.silenced}
    for key, entry in before.items():
        was = entry.finding
        if was is None or was.server not in scope or key in still or was.event in unjudged:
            continue
        if not _unseen(was, diagnosis) and not any(ack.covers(was.event.code, was.server) for ack in acks):
            yield EntryKind.CLOSED, key, was


def _unseen(was: Finding, diagnosis: Diagnosis) -> bool:
    holding = (*diagnosis.findings, *(one.finding for one in diagnosis.silenced))
    blind = [one for one in holding if one.event in _BLIND_AT_A_PLACE]
    if was.event in _BLIND_AT_A_PLACE:
        return False
    if was.event in _JUDGED_ON_EVERY_REPLICA and any(
        one.event is catalog.REPLICA_UNREADABLE for one in blind
    ):
        return True
    return was.place is not None and any(one.place == was.place for one in blind)
