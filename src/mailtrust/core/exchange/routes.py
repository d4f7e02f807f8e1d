"""
What a wrong certificate does to mail, by route.

Between mailbox servers the certificate only encrypts: each proves itself by Kerberos, bound to the TLS
session, and goes on with whatever key the other presents.  An Edge server belongs to no domain.  It and the
mailbox servers of its site believe each other only by keys that were published (direct trust), either way:
who connects breaks off and logs 2018, who is called lets the other in as a stranger and logs 1036.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailtrust.core.events import catalog
from mailtrust.core.exchange.case import Case, some
from mailtrust.core.exchange.facts import ExchangeServer
from mailtrust.core.exchange.judgement import Outcome, Route
from mailtrust.core.model.event import Said
from mailtrust.core.model.server import ServerName

UNTRUSTED, UNABLE, STRANGER = "454 4.7.5", "451 5.7.3", "530 5.7.1"
"""Not the key that is published; no Exchange authentication to be had; not authenticated."""


def when_unpublished(case: Case) -> tuple[Route, ...]:
    """It presents a key that nobody publishes."""
    return (*_by_kerberos(case), *_with_edges(case), *_edgesync(case))


def when_silent(case: Case) -> tuple[Route, ...]:
    """It has no certificate to present, and so offers no X-ANONYMOUSTLS, as far as we could see."""
    seen = case.was_seen_silent
    outcome = Outcome.REFUSED if seen else Outcome.UNSURE
    values = _values(case)
    routes = []
    if case.mailbox_servers:
        phrase = "route.silent-in" if seen else "route.silent-in-unseen"
        routes += [
            Route(outcome, Said(phrase, values), reply=UNABLE),
            Route(Outcome.FLOWS, Said("route.silent-out", values)),
        ]
    if case.trusting:
        routes.append(Route(outcome, Said("route.silent-edge", values), reply=UNABLE))
    return (*routes, *_no_edge(case), *_edgesync(case))


def when_edge_is_out_of_step(case: Case) -> tuple[Route, ...]:
    """An Edge presents another key than the one that stands for it in Active Directory, if any does."""
    values = _values(case)
    return (
        Route(
            Outcome.REFUSED,
            Said("route.to-edge", values),
            catalog.PEER_NOT_TRUSTED_OUTBOUND,
            _servers(case.trusting),
            UNTRUSTED,
        ),
        Route(
            Outcome.ANONYMOUS,
            Said("route.from-edge", values),
            catalog.PEER_NOT_TRUSTED_INBOUND,
            _servers(case.trusting),
            STRANGER,
        ),
        Route(Outcome.REFUSED, Said("route.edgesync-to-edge", values)),
    )


def when_corrupted(case: Case) -> tuple[Route, ...]:
    """A value that does not parse costs every server its next refresh of whom to believe."""
    edges = some(one.name for one in case.organization.servers if one.is_edge)
    if not edges:
        return ()
    return (Route(Outcome.UNSURE, case.say("route.refresh-discarded", edges=edges)),)


def when_shared(case: Case, others: Iterable[ExchangeServer]) -> tuple[Route, ...]:
    """One key for several servers: whoever was read first is who it is taken for."""
    others = tuple(others)
    values = {**_values(case), "others": some(one.name for one in others)}
    if all(one.is_edge is case.server.is_edge for one in others):
        return (Route(Outcome.FLOWS, Said("route.shared", values)),)
    return (Route(Outcome.UNSURE, Said("route.shared-with-edge", values)),)


def when_behind(case: Case, *, far: bool) -> tuple[Route, ...]:
    """Some controller still has another state of it; *far*: one that neither it nor its own peers read."""
    if far:
        return (Route(Outcome.FLOWS, case.say("route.behind-far")),)
    return (Route(Outcome.UNSURE, case.say("route.behind-edge" if case.server.is_edge else "route.behind")),)


def when_expired(case: Case) -> tuple[Route, ...]:
    """Nobody looks at its dates but setup."""
    return (Route(Outcome.FLOWS, Said("route.expired", _values(case))),)


def when_no_verb(case: Case) -> tuple[Route, ...]:
    """X-ANONYMOUSTLS is not offered to us; to others it may be."""
    return (Route(Outcome.UNSURE, Said("route.no-verb", _values(case)), reply=UNABLE),)


def when_unreachable(case: Case) -> tuple[Route, ...]:
    """Nobody answers us; others may be answered."""
    return (Route(Outcome.UNSURE, Said("route.unreachable", _values(case))),)


def when_starttls_is_gone(case: Case, connector: str) -> tuple[Route, ...]:
    """A Receive connector that finds no certificate offers no STARTTLS; our own servers do not need it."""
    return (
        Route(Outcome.UNSURE, case.say("route.no-starttls", connector=connector)),
        Route(Outcome.FLOWS, case.say("route.own")),
    )


def when_starttls_is_bad(case: Case) -> tuple[Route, ...]:
    """Strangers who validate certificates refuse this one; our own servers do not look at it."""
    return (
        Route(Outcome.UNSURE, case.say("route.bad-starttls")),
        Route(Outcome.FLOWS, case.say("route.own")),
    )


def when_nothing_can_be_sent(case: Case, connector: str) -> tuple[Route, ...]:
    """A Send connector lacks the certificate that it names: its sessions fail."""
    values = {**_values(case), "connector": connector}
    return (
        Route(Outcome.REFUSED, Said("route.sends-nothing", values)),
        Route(Outcome.FLOWS, Said("route.own", values)),
    )


def _by_kerberos(case: Case) -> Iterator[Route]:
    if case.mailbox_servers and not case.server.is_edge:
        yield Route(Outcome.FLOWS, Said("route.kerberos", _values(case)))


def _with_edges(case: Case) -> Iterator[Route]:
    edges, values = case.trusting, _values(case)
    if edges:
        yield Route(
            Outcome.REFUSED,
            Said("route.edge-in", values),
            catalog.PEER_NOT_TRUSTED_OUTBOUND,
            _servers(edges),
            UNTRUSTED,
        )
        yield Route(
            Outcome.ANONYMOUS,
            Said("route.edge-out", values),
            catalog.PEER_NOT_TRUSTED_INBOUND,
            _servers(edges),
            STRANGER,
        )
    yield from _no_edge(case)


def _no_edge(case: Case) -> Iterator[Route]:
    if not case.trusting and case.knows_edges:
        yield Route(Outcome.FLOWS, Said("route.no-edge", _values(case)))


def _edgesync(case: Case) -> Iterator[Route]:
    """It reads its credentials with the key of what is published, which it does not have."""
    if case.trusting and case.server.takes_part_in_edgesync:
        yield Route(Outcome.REFUSED, Said("route.edgesync", _values(case)))


def _servers(them: Iterable[ExchangeServer]) -> tuple[ServerName, ...]:
    return tuple(one.server for one in them)


def _values(case: Case) -> dict[str, str]:
    return {
        "server": case.server.name,
        "peers": some(one.name for one in case.mailbox_servers),
        "edges": some(one.name for one in case.trusting),
        "hubs": some(one.name for one in case.trusting) or "-",
        "site": case.server.site or "-",
    }
