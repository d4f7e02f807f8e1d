"""
The certificates of STARTTLS, which strangers see.

They have nothing to do with what the directory publishes for the server.  A connector takes its own by the
issuer and subject that it names, or by the name that it announces.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from mailtrust.core.events import catalog
from mailtrust.core.exchange import elsewhere, proof, routes
from mailtrust.core.exchange.case import Case, shown
from mailtrust.core.exchange.facts import STARTTLS, Connector
from mailtrust.core.exchange.judgement import Judgement, Step, concluded
from mailtrust.core.exchange.risks import naming
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Event, Finding, Severity
from mailtrust.core.model.sighting import WireSighting

EXCHANGE_WARNS = timedelta(days=90)
"""So long before the end of a certificate Exchange itself begins to log it."""


def ends(case: Case) -> Iterator[Judgement]:
    """What it presents by STARTTLS has expired, or ends soon."""
    for leaf, look in {leaf: look for look, leaf in shown(case.public)}.items():
        if leaf.expired(case.now):
            yield _ends(case, leaf, look, catalog.STARTTLS_EXPIRED, None)
        elif leaf.not_after - case.now <= EXCHANGE_WARNS:
            yield _ends(case, leaf, look, catalog.STARTTLS_EXPIRES_SOON, _how_soon(case, leaf))


def _how_soon(case: Case, leaf: Certificate) -> Severity | None:
    """
    Information for one that lives so short that it is always within Exchange's 90 days.

    A certificate for 90 days, renewed after 60 by a program, is no reason to get up at night.
    """
    is_late = leaf.not_after - case.now <= case.policy.soon(leaf.not_after - leaf.not_before)
    return None if is_late else Severity.INFORMATION


def _ends(
    case: Case, leaf: Certificate, look: WireSighting, event: Event, milder: Severity | None
) -> Judgement:
    hours = round((leaf.not_after - case.now).total_seconds() / 3600)
    values = {
        **proof.described(leaf),
        "name": leaf.names[0] if leaf.names else "-",
        "hours": str(hours),
        "days": str(abs(hours) // 24),
    }
    finding = Finding(
        event,
        case.name,
        f"{look.place} {leaf.thumbprint}",
        values=values,
        evidence=(*proof.presented(case, (leaf,)), *proof.logged(case, event.code)),
        since=leaf.not_after if event is catalog.STARTTLS_EXPIRED else None,
        until=None if event is catalog.STARTTLS_EXPIRED else leaf.not_after,
        severity_here=milder,
    )
    phrase = "finding.starttls-expired" if event is catalog.STARTTLS_EXPIRED else "finding.starttls-ends"
    them = routes.when_starttls_is_bad(case) if event is catalog.STARTTLS_EXPIRED else ()
    return concluded(finding, case.say(phrase, **values), them, _renew(case, leaf))


def _renew(case: Case, leaf: Certificate) -> tuple[Step, ...]:
    return (elsewhere.import_public(case, naming(case.connectors, leaf)),)


def carries_no_name_of_its_connector(case: Case) -> Iterator[Judgement]:
    """It presents a certificate that does not carry the name that the answering connector announces."""
    told: set[Certificate] = set()
    for look, leaf in shown(case.public):
        connector = case.answering(look).certain
        if connector is None or connector.tls_certificate_name or leaf in told:
            continue
        name = announced(case, connector)
        if name and not leaf.covers(name):
            told.add(leaf)
            yield _another_name(case, leaf, look, connector, name)


def _another_name(
    case: Case, leaf: Certificate, look: WireSighting, connector: Connector, name: str
) -> Judgement:
    values = {
        **proof.described(leaf),
        "names": ", ".join(leaf.names) or "-",
        "connector": connector.name,
        "name": name,
        "verb": STARTTLS,
    }
    finding = Finding(
        catalog.NAMES_DIFFER,
        case.name,
        f"{look.place} {leaf.thumbprint}",
        values=values,
        evidence=proof.presented(case, (leaf,)),
        severity_here=Severity.INFORMATION,
    )
    steps = (elsewhere.look_at_connectors(case),)
    return concluded(finding, case.say("finding.starttls-names", **values), (), steps)


def announced(case: Case, connector: Connector) -> str:
    """The name by which a connector's certificate is chosen; empty where that is not known."""
    return connector.fqdn or case.server.fqdn
