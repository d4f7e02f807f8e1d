"""
Connectors that want a certificate which is not there.

What is in a store we know from its collector alone.  Else what a server presents stands for it: a certificate
that is named and shown nowhere is missing, as far as can be seen; and a Receive connector that did not answer
us may show another one to those whom it answers, so of that one nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailtrust.core.events import catalog
from mailtrust.core.exchange import elsewhere, proof, routes
from mailtrust.core.exchange.case import Case, shown, some, thumb
from mailtrust.core.exchange.facts import STARTTLS, Connector, Direction, ExchangeServer
from mailtrust.core.exchange.judgement import Judgement, Step, concluded
from mailtrust.core.exchange.public import announced
from mailtrust.core.exchange.selection import fitting_by_name
from mailtrust.core.exchange.tls_name import TlsName, tls_name
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Finding, Said
from mailtrust.core.model.sighting import WireFailure


def named_and_not_there(case: Case) -> Iterator[Judgement]:
    """A connector names a certificate by issuer and subject, and no server of it has such a one to show."""
    for connector in case.connectors:
        if not connector.tls_certificate_name or not _uses_tls(connector) or not _speaks(case, connector):
            continue
        wanted = tls_name(connector.tls_certificate_name)
        if isinstance(wanted, Said):
            yield _not_there(case, connector, (wanted,), malformed=True)
            continue
        held = _choice(case, connector)
        if held is not None and not any(wanted.names(leaf) for leaf in held):
            yield _not_there(case, connector, _proof(case, connector, wanted, held), malformed=False)


def fits_no_name(case: Case) -> Iterator[Judgement]:
    """A connector that is to offer TLS announces a name that no certificate in the store carries."""
    held = _usable(case.server)
    for connector in case.connectors if held is not None else ():
        name = announced(case, connector)
        if not name or not _chooses_by_name(connector) or fitting_by_name(name, held or (), case.now):
            continue
        values = {"name": name, "connector": connector.name}
        finding = Finding(
            catalog.STARTTLS_NOT_IN_STORE,
            case.name,
            connector.name,
            values=values,
            evidence=(
                case.say("proof.no-name", **values, count=str(len(held or ()))),
                *proof.logged(case, 12014),
            ),
        )
        steps = (elsewhere.import_public(case, ()),)
        said = case.say("finding.fits-no-name", **values)
        yield concluded(finding, said, routes.when_starttls_is_gone(case, connector.name), steps)


def _uses_tls(connector: Connector) -> bool:
    offers = connector.direction is Direction.SEND or connector.auth is None or "Tls" in connector.auth
    return offers and connector.enabled is not False


def _chooses_by_name(connector: Connector) -> bool:
    is_known = connector.direction is Direction.RECEIVE and connector.auth is not None
    return is_known and _uses_tls(connector) and not connector.tls_certificate_name


def _speaks(case: Case, connector: Connector) -> bool:
    """A Send connector of several servers is told once, under the first of them."""
    return next(iter(_owners(case, connector)), case.server).server == case.name


def _owners(case: Case, connector: Connector) -> list[ExchangeServer]:
    names = {name.lower() for name in connector.servers}
    return [one for one in case.organization.servers if one.name.lower() in names]


def _usable(server: ExchangeServer) -> list[Certificate] | None:
    """What is in a server's store with its key; None where the store is not known."""
    store = server.collected.certificates if server.collected else None
    if store is None:
        return None
    return [one.certificate for one in store if one.certificate and one.has_key is not False]


def _choice(case: Case, connector: Connector) -> list[Certificate] | None:
    """What the connector can choose from; None where what was seen does not tell."""
    owners = _owners(case, connector) or [case.server]
    stores = [_usable(one) for one in owners]
    if all(store is not None for store in stores):
        return [leaf for store in stores for leaf in store or ()]
    receives = connector.direction is Direction.RECEIVE
    looks = [look for one in owners for look in one.wires if not receives or look.verb == STARTTLS]
    met = [look for look in looks if not receives or connector in case.answering(look).connectors]
    if not any(look.found or look.failure is WireFailure.NOT_OFFERED for look in met):
        return None
    # Whatever it presents it has in its store, be it for another connector or verb.
    return [leaf for one in owners for _, leaf in shown(one.wires)]


def _proof(case: Case, connector: Connector, wanted: TlsName, held: list[Certificate]) -> tuple[Said, ...]:
    if case.store is not None:
        first = case.say("proof.name-not-stored", count=str(len(held)))
    else:
        leaves = dict.fromkeys(f"{thumb(leaf)} (<I>{leaf.issuer}<S>{leaf.subject})" for leaf in held)
        first = case.say("proof.name-not-presented", connector=connector.name, leaves=some(leaves) or "-")
    renewed = [leaf for leaf in held if wanted.names_subject_of(leaf)]
    again = [Said("proof.name-renewed", {**proof.described(leaf), "issuer": leaf.issuer}) for leaf in renewed]
    return first, *again[:1]


def _not_there(case: Case, connector: Connector, evidence: tuple[Said, ...], *, malformed: bool) -> Judgement:
    values = {"name": connector.tls_certificate_name, "connector": connector.name}
    finding = Finding(
        catalog.STARTTLS_NOT_IN_STORE,
        case.name,
        connector.name,
        values=values,
        evidence=(*evidence, *proof.wire(case, case.public), *proof.logged(case, 12014)),
    )
    sends = connector.direction is Direction.SEND
    if malformed:
        said = case.say("finding.name-malformed", **values)
    else:
        said = case.say("finding.name-not-there-send" if sends else "finding.name-not-there", **values)
    if sends:
        them = routes.when_nothing_can_be_sent(case, connector.name)
    else:
        them = routes.when_starttls_is_gone(case, connector.name)
    return concluded(finding, said, them, _let_it_name(case, connector))


def _let_it_name(case: Case, connector: Connector) -> tuple[Step, ...]:
    """What is there for its name; where nothing is, import first."""
    owners = _owners(case, connector) or [case.server]
    there = [leaf for one in owners for leaf in (*_shown_or_stored(one),)]
    name = announced(case, connector)
    fit = fitting_by_name(name, (leaf for leaf in there if not leaf.self_signed), case.now) if name else None
    if fit is not None and not fit.expired(case.now):
        return (elsewhere.set_name(case, connector, fit),)
    return elsewhere.import_public(case, (connector,)), elsewhere.set_name(case, connector, None)


def _shown_or_stored(server: ExchangeServer) -> Iterator[Certificate]:
    yield from (leaf for _, leaf in shown(server.wires))
    yield from _usable(server) or ()
