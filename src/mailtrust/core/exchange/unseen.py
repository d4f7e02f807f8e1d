"""What was not looked at, and how to: a page that is silent about something must not seem to have seen it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mailtrust.core.exchange.case import Case, some
from mailtrust.core.exchange.facts import Direction, Organization
from mailtrust.core.exchange.judgement import Unseen
from mailtrust.core.exchange.selection import ports
from mailtrust.core.model.event import Said
from mailtrust.core.model.sighting import WireFailure

_ALL = "mailtrust audit exchange --replicas all"
_COLLECT = "mailtrust audit collector --output collect.ps1"
_FROM = "mailtrust audit exchange --from collected.json"


def unseen(organization: Organization, cases: Sequence[Case]) -> tuple[Unseen, ...]:
    """One entry per kind of place, with the names of those that it concerns."""
    return (
        *(Unseen(said) for said in organization.notes),
        *_controllers(organization),
        *_stamps(cases),
        *_endpoints(cases),
        *_ports(cases),
        *_connectors(cases),
        *_edges(cases),
        *_stores(cases),
        *_no_transport(organization),
        Unseen(Said("unseen.auth-certificate"), ("Get-AuthConfig | Format-List *Thumbprint,*EffectiveDate",)),
    )


def _controllers(organization: Organization) -> Iterator[Unseen]:
    unasked = [one.name for one in organization.controllers if not one.asked]
    if unasked:
        yield Unseen(Said("unseen.controllers-unasked", {"controllers": some(unasked)}), (_ALL,))
    for one in organization.controllers:
        if one.asked and one.why and not one.in_site:
            values = {"controller": one.name, "site": one.site or "-", "why": one.why}
            yield Unseen(Said("unseen.controller-far", values))
    if not organization.controllers:
        yield Unseen(Said("unseen.directory"))


def _stamps(cases: Iterable[Case]) -> Iterator[Unseen]:
    silent = [one.controller.name for case in cases for one in case.standings if not one.told]
    if silent:
        yield Unseen(Said("unseen.stamps", {"controllers": some(silent)}))


def _endpoints(cases: Iterable[Case]) -> Iterator[Unseen]:
    for case in cases:
        looks = case.server.wires
        answered = any(look.failure is not WireFailure.UNREACHABLE for look in looks)
        closed = {look.place: look.why for look in looks if look.failure is WireFailure.UNREACHABLE}
        for place, why in closed.items() if answered else ():
            yield Unseen(case.say("unseen.endpoint-closed", endpoint=place, why=why))
        for look in looks:
            if look.failure is WireFailure.NO_ANSWER:
                yield Unseen(case.say("unseen.endpoint", endpoint=look.place, verb=look.verb, why=look.why))
    blind = [case.server.name for case in cases if not case.server.wires]
    if blind:
        yield Unseen(Said("unseen.wires", {"servers": some(blind)}))


def _ports(cases: Iterable[Case]) -> Iterator[Unseen]:
    """Ports where a connector listens and nobody looked, and the certificates that are shown there."""
    found: dict[int, list[str]] = {}
    for case in cases:
        looked = {look.endpoint.port for look in case.server.wires}
        for connector in case.connectors:
            receives = connector.direction is Direction.RECEIVE and connector.enabled is not False
            for port in ports(connector) - looked if receives and looked else ():
                found.setdefault(port, []).append(case.server.name)
    for port, servers in sorted(found.items()):
        yield Unseen(Said("unseen.port", {"port": str(port), "servers": some(servers)}))


def _connectors(cases: Iterable[Case]) -> Iterator[Unseen]:
    """Receive connectors that name a certificate, and answer others than us."""
    for case in cases:
        met = {one for look in case.public for one in case.answering(look).connectors}
        unmet = [
            one.name
            for one in case.connectors
            if one.tls_certificate_name and one.direction is Direction.RECEIVE and one not in met
        ]
        if unmet and case.public and case.store is None:
            yield Unseen(case.say("unseen.connectors", connectors=some(unmet)))


def _edges(cases: Iterable[Case]) -> Iterator[Unseen]:
    edges = [case.server.name for case in cases if case.server.is_edge]
    if edges:
        yield Unseen(Said("unseen.ad-lds", {"edges": some(edges)}), ("Test-EdgeSynchronization",))


def _stores(cases: Iterable[Case]) -> Iterator[Unseen]:
    closed = [case.server.name for case in cases if case.store is None]
    if closed:
        yield Unseen(Said("unseen.stores", {"servers": some(closed)}), (_COLLECT, _FROM))


def _no_transport(organization: Organization) -> Iterator[Unseen]:
    without = [one.name for one in organization.servers if not one.has_transport]
    if without:
        yield Unseen(Said("unseen.no-transport", {"servers": some(without)}))
