"""
An organization in, one page's worth of judgements out.

A check is one function from a `Case` to judgements, listed in CHECKS.  What another judgement of the same
server explains is set apart, by the one table PRECEDENCE: who mends the cause is rid of both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from mailtrust.core.checks import Verdict
from mailtrust.core.events import catalog
from mailtrust.core.exchange import (
    ahead,
    controllers,
    edge,
    endpoints,
    keys,
    named,
    presented,
    public,
    published,
    spread,
)
from mailtrust.core.exchange.case import Case
from mailtrust.core.exchange.facts import X_ANONYMOUSTLS, ExchangeServer, Organization
from mailtrust.core.exchange.grid import row
from mailtrust.core.exchange.judgement import RANK, Audit, Explained, Judgement
from mailtrust.core.exchange.unseen import unseen
from mailtrust.core.model.certificate import Pin
from mailtrust.core.model.event import Event, Severity
from mailtrust.core.policy import Policy

Check = Callable[[Case], Iterator[Judgement]]

# Causes stand before what they explain.
CHECKS: tuple[Check, ...] = (
    published.missing,
    published.corrupted,
    edge.out_of_step,
    spread.spread,
    published.key_shared,
    keys.not_in_store,
    presented.fallen_back,
    endpoints.unreachable,
    endpoints.verb_missing,
    endpoints.no_handshake,
    named.named_and_not_there,
    named.fits_no_name,
    public.ends,
    keys.ends,
    keys.weak,
    keys.names_differ,
    public.carries_no_name_of_its_connector,
)


@dataclass(frozen=True, slots=True)
class Precedence:
    """*explains* sets *explained* of the same server apart, where *applies* (if there is one) says so."""

    explains: Event
    explained: tuple[Event, ...]
    applies: Callable[[Judgement, Judgement], bool] | None = None


def _of_x_anonymoustls(_: Judgement, consequence: Judgement) -> bool:
    """What is said of STARTTLS has another cause."""
    return consequence.finding.values.get("verb", X_ANONYMOUSTLS) == X_ANONYMOUSTLS


def _of_starttls(_: Judgement, consequence: Judgement) -> bool:
    return not _of_x_anonymoustls(_, consequence)


def _is_a_theft(cause: Judgement, _: Judgement) -> bool:
    """It publishes another server's certificate, rather than lending its own."""
    return cause.finding.severity is Severity.ERROR


def _same_certificate(cause: Judgement, consequence: Judgement) -> bool:
    return cause.finding.values["fingerprint"] == consequence.finding.values["fingerprint"]


_FALLBACKS = (catalog.FALLBACK_TO_NAME, catalog.FALLBACK_TO_EPHEMERAL)
_WEAKNESSES = (catalog.EXPIRED, catalog.EXPIRES_SOON, catalog.WEAK_KEY, catalog.NAMES_DIFFER)
_PRESENTING = (catalog.NOT_IN_STORE, *_FALLBACKS, catalog.TLS_NOT_OFFERED)

PRECEDENCE: tuple[Precedence, ...] = (
    Precedence(catalog.CORRUPTED, (*_PRESENTING, *_WEAKNESSES), _of_x_anonymoustls),
    Precedence(catalog.CERTIFICATE_MISSING, (*_PRESENTING, *_WEAKNESSES), _of_x_anonymoustls),
    Precedence(catalog.KEY_SHARED, (*_FALLBACKS, *_WEAKNESSES), _is_a_theft),
    Precedence(catalog.PEER_NOT_TRUSTED_OUTBOUND, _WEAKNESSES),
    Precedence(catalog.NOT_IN_STORE, (catalog.TLS_NOT_OFFERED,), _of_x_anonymoustls),
    # The certificate that it cannot use is replaced in any case.
    *(Precedence(one, _WEAKNESSES) for one in _FALLBACKS),
    Precedence(catalog.STARTTLS_NOT_IN_STORE, (catalog.TLS_NOT_OFFERED,), _of_starttls),
    Precedence(catalog.EXPIRED, (catalog.STARTTLS_EXPIRED, catalog.STARTTLS_EXPIRES_SOON), _same_certificate),
    Precedence(
        catalog.EXPIRES_SOON, (catalog.STARTTLS_EXPIRED, catalog.STARTTLS_EXPIRES_SOON), _same_certificate
    ),
)


def judge(
    organization: Organization,
    now: datetime,
    policy: Policy,
    scope: Collection[str] | None = None,
) -> Audit:
    """
    What is wrong in *organization*, causes first, what ends soon, and what nobody looked at.

    *scope*: the servers to judge, by name or full name, in any case; None: all.  Keys are compared with
    everybody's whatever the scope.
    """
    them = cases(organization, now, policy, scope)
    judgements = list(controllers.unreadable(organization))
    explained: list[Explained] = []
    for case in them:
        found = [one for check in CHECKS for one in check(case)]
        apart = {id(one.judgement): one for one in _explained(found)}
        explained += apart.values()
        judgements += (one for one in found if id(one) not in apart)
    judgements.sort(key=lambda one: (-RANK[one.worst], -RANK[one.finding.severity]))
    return Audit(
        organization,
        now,
        _verdict(judgements, them),
        tuple(judgements),
        tuple(explained),
        ahead.endings(them),
        unseen(organization, them),
        tuple(row(case) for case in them),
    )


def cases(
    organization: Organization, now: datetime, policy: Policy, scope: Collection[str] | None = None
) -> tuple[Case, ...]:
    """One case per server of *scope* that carries mail, in the organization's order."""
    holders = _holders(organization, now, policy)
    wanted = None if scope is None else {name.lower() for name in scope}
    return tuple(
        Case(one, organization, policy, now, holders)
        for one in organization.servers
        if one.has_transport and (wanted is None or {one.name.lower(), one.server} & wanted)
    )


def _holders(
    organization: Organization, now: datetime, policy: Policy
) -> Mapping[Pin, tuple[ExchangeServer, ...]]:
    holders: dict[Pin, tuple[ExchangeServer, ...]] = {}
    for one in organization.servers:
        published_ = Case(one, organization, policy, now).published
        if published_ is not None:
            holders[published_.pin] = (*holders.get(published_.pin, ()), one)
    return holders


def _explained(found: list[Judgement]) -> Iterator[Explained]:
    for consequence in found:
        cause = next((one for one in found if _explains(one, consequence)), None)
        if cause is not None:
            yield Explained(consequence, cause)


def _explains(cause: Judgement, consequence: Judgement) -> bool:
    return any(
        rule.explains is cause.finding.event
        and consequence.finding.event in rule.explained
        and (rule.applies is None or rule.applies(cause, consequence))
        for rule in PRECEDENCE
    )


def _verdict(judgements: list[Judgement], them: tuple[Case, ...]) -> Verdict:
    """
    Error for any error on any route; else unknown where a server was looked for at no place that answered;
    else warning for any; else ok.
    """
    worst = max((RANK[one.worst] for one in judgements), default=0)
    if worst == RANK[Severity.ERROR]:
        return Verdict.ERROR
    if not them or any(not case.standings and case.own_view is None for case in them):
        return Verdict.UNKNOWN
    return Verdict.WARNING if worst == RANK[Severity.WARNING] else Verdict.OK
