"""
The doctor of a Postfix: what defeats direct trust there, although mail may well flow.

A check is one function from `Seen` to findings, listed in CHECKS.  What nobody could look at is said by none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from mailtrust.core.events import catalog
from mailtrust.core.model.event import Diagnosis, Event, Finding, Said, Silenced
from mailtrust.transports.postfix.doctor import files, receiving, running, sending
from mailtrust.transports.postfix.doctor.seen import Seen

__all__ = ["CHECKS", "PRECEDENCE", "diagnose"]

CHECKS: tuple[Callable[[Seen], Iterator[Finding]], ...] = (
    receiving.listener_missing,
    sending.hub_missing,
    running.listener_silent,
    receiving.tls_not_offered,
    running.listener_without_tls,
    receiving.certificate_not_asked,
    receiving.asks_authority,
    receiving.does_not_decide,
    receiving.takes_postmaster,
    receiving.gap_bounces,
    receiving.plain_bounces,
    receiving.reads_elsewhere,
    sending.hub_fails_open,
    sending.reads_elsewhere,
    sending.next_hops,
    files.table_unusable,
    files.table_exposed,
    files.digest_differs,
    files.chain_unusable,
    files.chain_exposed,
    sending.session_cache_keeps,
    receiving.authorities_hinted,
    files.expired_pins,
)

PRECEDENCE: tuple[tuple[Event, Event], ...] = (
    # Without TLS nobody can be asked, and whoever is let in by something else is not told to come again.
    (catalog.TLS_NOT_OFFERED, catalog.CLIENT_CERTIFICATE_NOT_ASKED),
    (catalog.POSTFIX_ASKS_AUTHORITY, catalog.AUTHORITIES_HINTED),
)
"""The first of each pair silences the second at the same place."""

_MOST_EVIDENCE = 5


def diagnose(seen: Seen) -> Diagnosis:
    """What is wrong with the instance, worst first, and what another finding explains."""
    found = list(_once(finding for check in CHECKS for finding in check(seen)))
    silenced = [
        Silenced(finding, cause)
        for finding in found
        for cause in found
        if (cause.event, finding.event) in PRECEDENCE and cause.place == finding.place
    ]
    quiet = {id(one.finding) for one in silenced}
    told = sorted((one for one in found if id(one) not in quiet), key=lambda one: one.severity.rank)
    return Diagnosis(tuple(told), tuple(silenced))


def _once(findings: Iterable[Finding]) -> Iterator[Finding]:
    """What holds of one place for several reasons, as many domains with one next hop, is said once."""
    groups: dict[tuple[str, str | None], list[Finding]] = {}
    for one in findings:
        groups.setdefault((one.incident, one.cause), []).append(one)
    for first, *others in groups.values():
        evidence = dict.fromkeys((one.phrase, tuple(one.values.items())) for one in first.evidence)
        more = (said for other in others for said in other.evidence)
        evidence |= dict.fromkeys((said.phrase, tuple(said.values.items())) for said in more)
        told = tuple(Said(phrase, dict(values)) for phrase, values in evidence)
        yield replace(first, evidence=told[:_MOST_EVIDENCE]) if others else first
