"""
What can be said of a session that cannot be taken from here: from another server's place.

The listener's answers are seen, from here.  Whether both would believe each other follows from what each
presents and what the replicas publish; which replica each of them reads, and by how old a picture it judges,
nobody sees from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from mailtrust.core.checks.case import Case
from mailtrust.core.events import catalog
from mailtrust.core.flow import evidence
from mailtrust.core.flow.hop import Hop, How, Line, State, Trouble, Verdict, slow
from mailtrust.core.flow.judge import words
from mailtrust.core.flow.stages import BEFORE, OF_A_MESSAGE, TIMED_LIMITS, Passage, Stage, Stop, Trace
from mailtrust.core.model.certificate import short
from mailtrust.core.model.event import Event, Finding, Said
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import WireFailure, WireSighting
from mailtrust.core.why import Facts, Owner

RECEIVING: tuple[tuple[Event, Stage], ...] = (
    (catalog.SERVER_UNREACHABLE, Stage.CONNECT),
    (catalog.TLS_NOT_OFFERED, Stage.VERBS),
    (catalog.CORRUPTED, Stage.THEIR_CERTIFICATE),
    (catalog.PRESENTED_NOT_PUBLISHED, Stage.THEIR_CERTIFICATE),
    (catalog.AUTHORITY_PUBLISHED, Stage.THEIR_CERTIFICATE),
    (catalog.CERTIFICATE_MISSING, Stage.THEIR_CERTIFICATE),
    (catalog.REPLICA_BEHIND, Stage.THEIR_CERTIFICATE),
    (catalog.REPLICA_WENT_BACK, Stage.THEIR_CERTIFICATE),
    (catalog.CLIENT_CERTIFICATE_NOT_ASKED, Stage.OUR_CERTIFICATE),
)
"""What keeps mail from a server, and where; in the order of a session."""
SENDING: tuple[Event, ...] = (
    catalog.CORRUPTED, catalog.PRESENTED_NOT_PUBLISHED, catalog.AUTHORITY_PUBLISHED,
    catalog.CERTIFICATE_MISSING, catalog.REPLICA_BEHIND, catalog.REPLICA_WENT_BACK,
)  # fmt: skip
"""What keeps mail of a server from being taken."""
_OF_ONE_PLACE = (
    catalog.REPLICA_BEHIND, catalog.REPLICA_WENT_BACK, catalog.CERTIFICATE_MISSING, catalog.CORRUPTED,
)  # fmt: skip
"""Whom that hits depends on which replica he reads, and on whether what is presented stands there."""


def concluded(sender: ServerName, facts: Facts, trace: Trace) -> Hop:
    """From *sender*, who is not us, to the peer of *facts*; *trace* is a look from here, as nobody."""
    failed = next(_in_the_way(sender, facts, trace), None)
    warnings = tuple(_warnings(facts, trace))
    lines = tuple(_lines(sender, facts, trace, failed, warnings))
    return Hop(
        sender, facts.peer, trace.endpoint, lines, failed, warnings, How.CONCLUDED,
        _verdict(sender, facts, failed),
    )  # fmt: skip


def trace_of(wire: WireSighting) -> Trace:
    """A look at a listener as the beginning of a session, its stages without their times."""
    ends = {"starttls": Stage.VERBS}.get(wire.phase) or next(
        (one for one in BEFORE if one.value == wire.phase), None
    )
    passages: dict[Stage, Passage] = {}
    for stage in BEFORE:
        passages[stage] = Passage(timedelta(), wire.why if stage is ends else "", _stop(wire, stage, ends))
        if stage is ends:
            break
    leaf = next(iter(wire.found or ()), None)
    return Trace(
        wire.endpoint, wire.seen_at, passages, verb=wire.verb, protocol=wire.protocol, leaf=leaf,
        asked=wire.asks_client_certificate,
    )  # fmt: skip


def _stop(wire: WireSighting, stage: Stage, ends: Stage | None) -> Stop | None:
    if stage is not ends or wire.found is not None:
        return None
    return Stop.NO_VERB if wire.failure is WireFailure.NOT_OFFERED else Stop.CLOSED


def no_route(sender: ServerName, to: str) -> Hop:
    """12184: our transport does not know where to send it."""
    values = {"server": sender, "to": to}
    finding = Finding(catalog.FLOW_NO_ROUTE, sender, values=values)
    trouble = Trouble(
        Stage.RESOLVE, catalog.FLOW_NO_ROUTE, Said("flow.no-route", values), Said("act.no-route"), None,
        Owner.HERE, finding=finding,
    )  # fmt: skip
    return Hop(sender, ServerName(to), None, _none_reached(), trouble, verdict=Verdict.BLOCKED)


def nowhere(facts: Facts, route: Said) -> Hop:
    """12184: the directory has the server, and nobody says where it listens."""
    values = {"server": facts.here, "to": facts.peer}
    finding = Finding(catalog.FLOW_NO_ROUTE, facts.here, values=values)
    trouble = Trouble(
        Stage.RESOLVE, catalog.FLOW_NO_ROUTE, facts.say("flow.no-listener"), facts.say("flow.act-listener"),
        "mailtrust enable CERTIFICATE", there=True, finding=finding,
    )  # fmt: skip
    return Hop(facts.here, facts.peer, None, _none_reached(), trouble, verdict=Verdict.BLOCKED, route=route)


def of_a_finding(stage: Stage, finding: Finding, facts: Facts) -> Trouble:
    """A finding of a check as what stands in the way."""
    said = Said("flow.found", {"event": str(finding.event.code), "name": finding.event.name})
    return Trouble(
        stage, finding.event, said, facts.say("flow.act-there", owner=finding.server),
        finding.action or "mailtrust check",
        Owner.PEER if finding.server != facts.here else Owner.HERE, there=finding.server != facts.here,
        evidence=finding.evidence, finding=finding,
    )  # fmt: skip


def _in_the_way(sender: ServerName, facts: Facts, trace: Trace) -> Iterator[Trouble]:
    for event, stage in RECEIVING:
        finding = facts.finding(facts.peer, event)
        if finding is not None and weight(finding, facts.theirs) is Verdict.BLOCKED:
            stopped = trace.stopped_at
            at = stopped if stopped is not None and stage is Stage.CONNECT else stage
            yield of_a_finding(at, finding, facts)
    case = Case(sender, facts.view, facts.policy, facts.now)
    for event in SENDING:
        finding = facts.finding(sender, event)
        if finding is not None and weight(finding, case) is Verdict.BLOCKED:
            yield of_a_finding(Stage.OUR_CERTIFICATE, finding, facts)


def weight(finding: Finding, case: Case) -> Verdict:
    """What a finding means for mail: with some it depends on which replica the other side reads."""
    leaf = next(iter(case.presented), case.expected)
    if finding.event not in _OF_ONE_PLACE or leaf is None:
        return Verdict.BLOCKED
    having = len(case.publishing(leaf.pin))
    if having == len(case.replicas):
        return Verdict.FLOWS
    return Verdict.UNKNOWN if having else Verdict.BLOCKED


def _warnings(facts: Facts, trace: Trace) -> Iterator[Trouble]:
    for stage, one in trace.passages.items():
        if one.stop is None and stage in TIMED_LIMITS and one.took > TIMED_LIMITS[stage]:
            yield slow(stage, one.took, facts.peer, str(trace.endpoint))


def _verdict(sender: ServerName, facts: Facts, failed: Trouble | None) -> Verdict:
    if failed is not None:
        unproven = failed.event is catalog.CLIENT_CERTIFICATE_NOT_ASKED
        return Verdict.UNPROVEN if unproven else Verdict.BLOCKED
    case = Case(sender, facts.view, facts.policy, facts.now)
    sure = all(stands_everywhere(one) for one in (case, facts.theirs))
    return Verdict.FLOWS if sure else Verdict.UNKNOWN


def stands_everywhere(case: Case) -> bool:
    """True where all that it presents stands on every replica, and every replica could be read."""
    readable = len(case.readable) == len(case.replicas) > 0
    return (
        bool(case.presented)
        and readable
        and all(len(case.publishing(leaf.pin)) == len(case.replicas) for leaf in case.presented)
    )


def _lines(
    sender: ServerName, facts: Facts, trace: Trace, failed: Trouble | None, warnings: tuple[Trouble, ...]
) -> Iterator[Line]:
    reached = True
    for stage in Stage:
        if stage in OF_A_MESSAGE or stage in (Stage.RSET, Stage.QUIT):
            continue
        passage = trace.passages.get(stage)
        line = Line(stage, State.UNKNOWN, How.CONCLUDED)
        if stage is Stage.THEIR_CERTIFICATE:
            line = replace(line, state=State.OK, said=tuple(_presents(facts, facts.theirs)))
        elif stage is Stage.OUR_CERTIFICATE:
            case = Case(sender, facts.view, facts.policy, facts.now)
            line = replace(line, state=State.OK, said=tuple(_presents(facts, case)))
            line = replace(line, state=State.OK if case.presented else State.UNKNOWN)
        elif passage is not None and stage not in (Stage.EHLO_AGAIN, Stage.MAIL, Stage.RCPT):
            slow_here = any(one.stage is stage for one in warnings)
            state = State.SLOW if slow_here else State.OK
            line = Line(stage, state, How.SEEN, passage.took, words(trace, stage, passage))
        if failed is not None and failed.stage is stage:
            yield replace(line, state=State.FAILED)
            reached = False
        else:
            yield line if reached else replace(line, state=State.NOT_REACHED)


def _presents(facts: Facts, case: Case) -> Iterator[Said]:
    for leaf in case.presented:
        fingerprint = short(leaf.fingerprint)
        yield facts.say("flow.presents", owner=case.server, fingerprint=fingerprint)
        yield evidence.standing(facts, case, leaf)
    if not case.presented:
        refused = [one for one in case.wires if one.failure is not WireFailure.NO_ANSWER]
        why = refused[0].why if refused else ""
        yield facts.say("flow.presents-unseen", owner=case.server, why=why)


def _none_reached() -> tuple[Line, ...]:
    skipped = (*OF_A_MESSAGE, Stage.RSET)
    first, *rest = (one for one in Stage if one not in skipped)
    return (Line(first, State.FAILED), *(Line(one, State.NOT_REACHED) for one in rest))
