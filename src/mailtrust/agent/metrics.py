"""
What metrics are taken from: an assessment, and what this host's own queue and journal tell at the same time.

All of it is read when somebody looks.  Whoever scrapes is given what is known, and waits for nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from mailtrust.agent import why
from mailtrust.agent.incidents import changes
from mailtrust.agent.journal import EntryKind
from mailtrust.agent.look import Assessment
from mailtrust.agent.site import Site
from mailtrust.core.metrics.facts import Known, Local
from mailtrust.core.model.event import Finding
from mailtrust.core.sessions import Reason, Way
from mailtrust.errors import MailtrustError, StoreUnavailable

_WITH_A_QUEUE = ("hub", "postfix")


def known(seen: Assessment, local: Local) -> Known:
    """That look, as metrics are taken from it."""
    return Known(
        seen.checked_at, seen.viewpoint, seen.scope, seen.view, seen.plans, seen.diagnosis, seen.verdict,
        seen.policy, seen.acknowledged, local,
    )  # fmt: skip


def local(site: Site, seen: Assessment) -> Local:
    """
    What is counted on this host.  Blocking: call it from a thread.

    Never raises: what cannot be read is None.
    """
    has_queue = site.config.transport.kind in _WITH_A_QUEUE
    queue = why.queue(site) if has_queue else ()
    midnight = seen.checked_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Local(
        has_queue,
        None if isinstance(queue, MailtrustError) else queue,
        _handshakes(site, midnight),
        _raised(site, midnight),
        _arrivals(site),
        tuple(_still_open(site, seen)),
    )


def _handshakes(site: Site, midnight: datetime) -> Mapping[tuple[Way, Reason], int] | None:
    met: Counter[tuple[Way, Reason]] = Counter()
    try:
        for one in site.journal.sessions(midnight.date()):
            met[one.met.way, one.met.reason] += one.sessions
    except StoreUnavailable:
        return None
    return met


def _raised(site: Site, midnight: datetime) -> Mapping[int, int] | None:
    times: Counter[int] = Counter()
    try:
        for entry in site.journal.entries(since=midnight):
            if entry.kind is EntryKind.RAISED and entry.event is not None:
                times[entry.event.code] += 1 + entry.suppressed
    except StoreUnavailable:
        return None
    return times


def _arrivals(site: Site) -> Mapping[str, timedelta]:
    return {url: took[-1] for url, took in site.journal.latencies().items()}


def _still_open(site: Site, seen: Assessment) -> Iterator[Finding]:
    """What an earlier look opened, and this one could neither see nor close, had it written the journal."""
    diagnosis = seen.diagnosis
    told = (*diagnosis.findings, *(one.finding for one in diagnosis.silenced), *seen.acknowledged)
    told_of = {one.incident for one in told}
    acks = site.journal.acks(seen.checked_at)
    try:
        opened = {entry.finding.incident: entry for entry in site.journal.open_findings() if entry.finding}
    except StoreUnavailable:
        return
    closing = {
        key for kind, key, _ in changes(opened, diagnosis, seen.scope, acks) if kind is EntryKind.CLOSED
    }
    for key, entry in opened.items():
        one = entry.finding
        if one is None or key in told_of | closing or one.server not in seen.scope:
            continue
        if not any(ack.covers(one.event.code, one.server) for ack in acks):
            yield one
