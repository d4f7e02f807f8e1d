"""
What the coming renewal will break, while there is time to think of it.

Within ninety days it is a warning, before that a line to know.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from mailtrust.core.advice.facts import Facts
from mailtrust.core.advice.value import Area, Need, Profile, Remedy, Rule, Told, Where
from mailtrust.core.events import catalog
from mailtrust.core.exchange import advice, elsewhere
from mailtrust.core.exchange.case import Case, shown, some, thumb
from mailtrust.core.exchange.choice import at_connector
from mailtrust.core.exchange.facts import Connector
from mailtrust.core.exchange.judgement import Step
from mailtrust.core.exchange.public import announced
from mailtrust.core.exchange.risks import naming
from mailtrust.core.exchange.shell import cmdlet
from mailtrust.core.exchange.tls_name import written_value
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Severity, when

_SOON = timedelta(days=90)


def edges_must_learn(facts: Facts) -> Iterator[Told]:
    """An Edge believes what is published for a mailbox server, and hears of a new one by EdgeSync alone."""
    for case, leaf in _internal(facts):
        if not case.server.is_edge and case.trusting:
            values = {"edges": some(one.name for one in case.trusting)}
            yield _told(case, leaf, values, steps=advice.tell_edges(case))


def edge_subscribes_again(facts: Facts) -> Iterator[Told]:
    """What an Edge changes never comes back by itself: Active Directory keeps the old certificate."""
    for case, leaf in _internal(facts):
        if case.server.is_edge:
            yield _told(case, leaf, steps=elsewhere.subscribe(case))


def edgesync_needs_the_old_key(facts: Facts) -> Iterator[Told]:
    """Its passwords are encrypted with the key that is about to go."""
    for case, leaf in _internal(facts):
        if case.server.takes_part_in_edgesync and not case.server.is_edge:
            yield _told(case, leaf, steps=(advice.make_new(case, leaf, old_is_lost=False),))


def connectors_name_it(facts: Facts) -> Iterator[Told]:
    """A connector that names issuer and subject goes on naming the old ones."""
    for case, leaf in _of_all(facts):
        them = tuple(one for one in naming(case.connectors, leaf) if _may_use(case, one, leaf))
        if them:
            values = {"connectors": some(one.name for one in them)}
            steps = (elsewhere.import_public(case, them),)
            yield _told(case, leaf, values, leaf.thumbprint, steps=steps)


def names_it_must_carry(facts: Facts) -> Iterator[Told]:
    """The new one has to carry every name by which a connector finds the old one."""
    for case, leaf in _of_all(facts):
        by_name = [one for one in case.connectors if _finds(case, one, leaf)]
        names = sorted({announced(case, one).lower() for one in by_name})
        if names and not leaf.self_signed:
            values = {"names": ", ".join(names), "connectors": some(one.name for one in by_name)}
            subject = f"CN={written_value(names[0])}"
            request = cmdlet(
                "New-ExchangeCertificate", Server=case.server.name, SubjectName=subject, DomainName=names
            )
            remedy = Remedy((f"{request} -GenerateRequest",), Where.EXCHANGE)
            yield _told(case, leaf, values, leaf.thumbprint, remedies=(remedy,))


def _internal(facts: Facts) -> Iterator[tuple[Case, Certificate]]:
    for case in facts.cases or ():
        leaf = case.internal_certificate
        if leaf is not None:
            yield case, leaf


def _of_all(facts: Facts) -> Iterator[tuple[Case, Certificate]]:
    """What each has in use or shows, each once."""
    for case in facts.cases or ():
        stored = [one.certificate for one in case.store or () if one.certificate is not None and one.is_bound]
        for leaf in dict.fromkeys((*(leaf for _, leaf in shown(case.server.wires)), *stored)):
            yield case, leaf


def _finds(case: Case, connector: Connector, leaf: Certificate) -> bool:
    name = announced(case, connector)
    by_name = connector.enabled is not False and not connector.tls_certificate_name
    return by_name and bool(name) and leaf.covers(name) and _may_use(case, connector, leaf)


def _may_use(case: Case, connector: Connector, leaf: Certificate) -> bool:
    """False where its store was seen, and another certificate is chosen."""
    choice = at_connector(case, connector)
    return not choice.known or choice.chosen == leaf


def _told(
    case: Case,
    leaf: Certificate,
    values: dict[str, str] | None = None,
    place: str = "",
    *,
    remedies: tuple[Remedy, ...] = (),
    steps: tuple[Step, ...] = (),
) -> Told:
    severity = Severity.WARNING if leaf.not_after - case.now <= _SOON else Severity.INFORMATION
    ends = {"thumbprint": thumb(leaf), "at": when(leaf.not_after)[:10]}
    return Told(
        case.name, {**ends, **(values or {})}, place, severity, remedies=remedies, steps=steps,
        until=leaf.not_after,
    )  # fmt: skip


_FOR_ALL = frozenset({Profile.DEFAULT, Profile.EXCHANGE})
_W, _X = Severity.WARNING, Need.EXCHANGE

RULES = (
    Rule(701, Area.RENEWAL, _W, _X, edges_must_learn, _FOR_ALL, (catalog.PEER_NOT_TRUSTED_INBOUND,)),
    Rule(702, Area.RENEWAL, _W, _X, edge_subscribes_again, _FOR_ALL, (catalog.PEER_NOT_TRUSTED_OUTBOUND,)),
    Rule(703, Area.RENEWAL, _W, _X, edgesync_needs_the_old_key, _FOR_ALL),
    Rule(704, Area.RENEWAL, _W, _X, connectors_name_it, _FOR_ALL, (catalog.STARTTLS_NOT_IN_STORE,)),
    Rule(705, Area.RENEWAL, _W, _X, names_it_must_carry, _FOR_ALL, (catalog.STARTTLS_NOT_IN_STORE,)),
)
