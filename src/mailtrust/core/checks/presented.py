"""What the wire shows, beside what the directory publishes and what the store means to present."""

from __future__ import annotations

from collections.abc import Iterator

from mailtrust.core.checks.case import Case, enable_command
from mailtrust.core.checks.older import behind_journal, why_old
from mailtrust.core.events import catalog
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.event import Finding, Said, kept_values, when
from mailtrust.core.model.sighting import WireFailure, WireSighting


def presented_not_published(case: Case) -> Iterator[Finding]:
    """The wire shows a key that no replica publishes for this server: peers will refuse it."""
    if not case.readable:
        return
    for wire, leaf in _shown(case):
        if case.publishing(leaf.pin):
            continue
        values = _values(wire, leaf)
        evidence = [Said("wire.shows", {**values, "seen": when(wire.seen_at), "protocol": wire.protocol})]
        counts = {"count": str(len(case.readable)), "total": str(len(case.replicas))}
        evidence.append(Said("wire.published-nowhere", {**values, **counts}))
        withdrawn_at = case.withdrawals.get(leaf.fingerprint)
        if withdrawn_at is not None:
            evidence.append(Said("wire.was-withdrawn", {**values, "at": when(withdrawn_at)}))
        old = why_old(case, leaf)
        # A replaced one is not enabled again: its process has to take the current one.
        may_enable = leaf.fingerprint in case.enableable and withdrawn_at is None
        enable = enable_command(leaf.fingerprint) if may_enable and old.cause is None else None
        yield Finding(
            catalog.PRESENTED_NOT_PUBLISHED,
            case.server,
            wire.place,
            old.cause,
            values,
            (*evidence, *old.evidence),
            old.ruled_out,
            old.action or enable,
            since=case.history.first_seen.get((case.server, wire.place, leaf.fingerprint)),
        )


def presented_not_current(case: Case) -> Iterator[Finding]:
    """
    The wire shows a certificate that is published, and is not the one the store calls current; or the store
    does, and the journal knows a later one.
    """
    current = case.current.certificate if case.current else None
    if current is None:
        return
    yield from _presented_after_a_restore(case, current)
    for wire, leaf in _shown(case):
        if leaf != current and case.publishing(leaf.pin):
            values = {**_values(wire, leaf), "current": short(current.fingerprint)}
            same = "wire.same-key" if leaf.pin == current.pin else "wire.other-key"
            since = case.history.last("present", case.server, current.fingerprint)
            evidence = [Said("wire.shows", {**values, "seen": when(wire.seen_at), "protocol": wire.protocol})]
            if since is not None:
                evidence.append(Said("wire.current-since", {**values, "at": when(since.done_at)}))
            old = why_old(case, leaf)
            yield Finding(
                catalog.PRESENTED_NOT_CURRENT,
                case.server,
                wire.place,
                old.cause,
                values,
                (*evidence, *old.evidence, Said(same, values)),
                old.ruled_out,
                since=since.done_at if since else None,
            )


def _presented_after_a_restore(case: Case, current: Certificate) -> Iterator[Finding]:
    act = behind_journal(case)
    for wire, leaf in _shown(case) if act is not None else ():
        if act is not None and leaf == current and case.publishing(leaf.pin):
            values = {**_values(wire, leaf), "current": short(act.fingerprint)}
            old = why_old(case, leaf)
            shows = Said("wire.shows", {**values, "seen": when(wire.seen_at), "protocol": wire.protocol})
            yield Finding(
                catalog.PRESENTED_NOT_CURRENT, case.server, wire.place, old.cause, values,
                (shows, *old.evidence), old.ruled_out, old.action, act.done_at,
            )  # fmt: skip


def server_unreachable(case: Case) -> Iterator[Finding]:
    """No SMTP conversation came to a certificate: nothing answers, or the handshake does not finish."""
    for wire in case.wires:
        if wire.failure in (WireFailure.UNREACHABLE, WireFailure.HANDSHAKE):
            values = {"endpoint": wire.place, "why": wire.why}
            said = Said("wire.stopped-at", {**values, "phase": wire.phase, "seen": when(wire.seen_at)})
            yield Finding(
                catalog.SERVER_UNREACHABLE, case.server, wire.place, values=values, evidence=(said,)
            )


def tls_not_offered(case: Case) -> Iterator[Finding]:
    """SMTP answers there, and offers neither STARTTLS nor X-ANONYMOUSTLS."""
    for wire in case.wires:
        if wire.failure is WireFailure.NOT_OFFERED:
            values = {"endpoint": wire.place, "why": wire.why}
            yield Finding(
                catalog.TLS_NOT_OFFERED, case.server, wire.place, values=values,
                evidence=(Said("wire.not-offered", values),),
            )  # fmt: skip


def client_certificate_not_asked(case: Case) -> Iterator[Finding]:
    """The server never asks who is calling, so that direct trust cannot work inbound."""
    for wire in case.wires:
        if wire.asks_client_certificate is False:
            values = {"endpoint": wire.place, "verb": wire.verb}
            yield Finding(
                catalog.CLIENT_CERTIFICATE_NOT_ASKED, case.server, wire.place, values=values,
                evidence=(Said("wire.not-asked", values),),
            )  # fmt: skip


def snapshot_stale(case: Case) -> Iterator[Finding]:
    """The transport decides by a snapshot that is older than its limit."""
    look = case.view.snapshot(case.server)
    if look is None or (look.taken_at and case.now - look.taken_at <= case.policy.snapshot_max_age):
        return
    taken = when(look.taken_at) if look.taken_at else "-"
    values = {"replica": look.replica or "-", "taken_at": taken}
    yield Finding(
        catalog.SNAPSHOT_STALE, case.server, look.place, values=values,
        evidence=(Said("snapshot.taken", {**values, "file": look.place}),), since=look.taken_at,
    )  # fmt: skip


def keys_kept(case: Case) -> Iterator[Finding]:
    """The transport believes keys that its replica shows no longer and has not proved withdrawn."""
    look = case.view.snapshot(case.server)
    if look is None or look.kept_until is None or look.kept_until <= case.now:
        return
    values = kept_values(look.replica, look.kept, look.kept_until)
    yield Finding(
        catalog.KEYS_KEPT, case.server, look.replica, values=values,
        evidence=(Said("snapshot.keeps", {**values, "file": look.place}),), until=look.kept_until,
    )  # fmt: skip


def _shown(case: Case) -> Iterator[tuple[WireSighting, Certificate]]:
    return ((wire, leaf) for wire in case.wires for leaf in wire.found or ())


def _values(wire: WireSighting, leaf: Certificate) -> dict[str, str]:
    return {"fingerprint": short(leaf.fingerprint), "endpoint": wire.place}
