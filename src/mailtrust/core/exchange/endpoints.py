"""
Endpoints that show nothing: nobody answers, a verb is missing, or TLS does not come to its end.

All of it is "as seen from here".  A Receive connector is chosen by the caller's address, and a device on the
way may take verbs out, so that other mail servers may be shown more than we are.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailtrust.core.events import catalog
from mailtrust.core.exchange import elsewhere, proof, routes
from mailtrust.core.exchange.case import Case, some
from mailtrust.core.exchange.facts import STARTTLS, X_ANONYMOUSTLS
from mailtrust.core.exchange.judgement import Judgement, Step, concluded
from mailtrust.core.model.event import Finding, Said, Severity
from mailtrust.core.model.sighting import WireFailure, WireSighting

_NEEDS = {X_ANONYMOUSTLS: "ExchangeServer", STARTTLS: "Tls"}
"""What a Receive connector's AuthMechanism has to have for each verb."""


def verb_missing(case: Case) -> Iterator[Judgement]:
    """SMTP answers, and does not offer the verb to us."""
    for verb, looks in ((X_ANONYMOUSTLS, case.internal), (STARTTLS, case.public)):
        lacking = [look for look in looks if look.failure is WireFailure.NOT_OFFERED]
        if lacking:
            yield _verb_missing(case, verb, lacking)


def _verb_missing(case: Case, verb: str, lacking: list[WireSighting]) -> Judgement:
    first = lacking[0]
    values = {
        "verb": verb,
        "endpoint": some(look.place for look in lacking),
        "source": case.source(first) or "-",
    }
    # STARTTLS is for strangers: where nobody set it up, nothing of ours waits for it.
    wanted = verb == X_ANONYMOUSTLS or any(_wants_tls(case, look) for look in lacking)
    finding = Finding(
        catalog.TLS_NOT_OFFERED,
        case.name,
        f"{first.place} {verb}",
        values=values,
        evidence=(*proof.wire(case, lacking), _who_answered(case, first, _NEEDS[verb])),
        severity_here=Severity.WARNING if wanted else Severity.INFORMATION,
    )
    phrase = "finding.no-x-anonymoustls" if verb == X_ANONYMOUSTLS else "finding.no-starttls"
    steps = (elsewhere.look_at_connectors(case), Step(case.say("step.ask-there", verb=verb)))
    them = routes.when_no_verb(case) if verb == X_ANONYMOUSTLS else ()
    return concluded(finding, case.say(phrase, **values), them, steps)


def _wants_tls(case: Case, look: WireSighting) -> bool:
    """Whether a connector that may have answered is set up for STARTTLS."""
    answered = case.answering(look).connectors
    return any("Tls" in (one.auth or ()) or one.tls_certificate_name for one in answered)


def _who_answered(case: Case, look: WireSighting, needed: str) -> Said:
    """The connector that our address chose, and what it lacks."""
    certain = case.answering(look).certain
    source = case.source(look) or "-"
    if certain is None:
        return case.say("proof.connector-unknown", source=source, needed=needed)
    values = {
        "connector": certain.name,
        "source": source,
        "ranges": some(certain.remote_ranges or ()) or "-",
        "auth": ", ".join(sorted(certain.auth or ())) or "-",
        "needed": needed,
    }
    if certain.auth is None:
        return case.say("proof.connector", **values)
    return case.say("proof.connector-offers" if needed in certain.auth else "proof.connector-lacks", **values)


def unreachable(case: Case) -> Iterator[Judgement]:
    """Nobody speaks SMTP at any of its endpoints.  One of several that is closed is only a note."""
    wires = case.server.wires
    if not wires or any(look.failure is not WireFailure.UNREACHABLE for look in wires):
        return
    edge = case.server.is_edge
    values = {
        "endpoint": some(look.place for look in wires),
        "why": some(look.why for look in wires),
        "source": case.source(wires[0]) or "-",
    }
    finding = Finding(
        catalog.SERVER_UNREACHABLE,
        case.name,
        values=values,
        evidence=(*proof.wire(case, _one_per_endpoint(wires)), *proof.directory(case)),
        # A firewall between a jump host and the perimeter is as it should be.
        severity_here=Severity.INFORMATION if edge else None,
    )
    said = case.say("finding.edge-unreachable" if edge else "finding.unreachable", **values)
    them = () if edge else routes.when_unreachable(case)
    yield concluded(finding, said, them, elsewhere.reach(case))


def no_handshake(case: Case) -> Iterator[Judgement]:
    """The verb is offered, and TLS does not come to its end with us."""
    failed = [look for look in case.server.wires if look.failure is WireFailure.HANDSHAKE]
    if not failed:
        return
    values = {
        "endpoint": some(look.place for look in failed),
        "why": some(look.why for look in failed),
    }
    finding = Finding(
        catalog.SERVER_UNREACHABLE,
        case.name,
        failed[0].place,
        values=values,
        evidence=proof.wire(case, failed),
        severity_here=Severity.WARNING,
    )
    steps = (Step(case.say("step.handshake")),)
    yield concluded(finding, case.say("finding.no-handshake", **values), (), steps)


def _one_per_endpoint(wires: tuple[WireSighting, ...]) -> tuple[WireSighting, ...]:
    return tuple({look.place: look for look in wires}.values())
