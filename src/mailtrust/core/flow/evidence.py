"""What proves that a stage failed, where `core.why` has no conclusion of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from mailtrust.core.checks.case import Case
from mailtrust.core.events import catalog
from mailtrust.core.flow.hop import Trouble
from mailtrust.core.flow.stages import Memory, Passage, Stage, Stop, Trace
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.event import Event, Finding, Said, when
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.trust import Verdict
from mailtrust.core.why import Complaint, Facts, Owner
from mailtrust.core.why.stuck import complaint

_VERBS = ("X-ANONYMOUSTLS", "STARTTLS")
_OVERWRITTEN = re.compile(r"(?:X{4,}|\*{3,}|X+A?)\Z")
"""What devices write over a keyword that they do not let pass: as many X or asterisks as it had letters."""
_NUMBER = re.compile(r"\b(\d{4,5})\b")
_ABOUT_TRUST = (
    Complaint.THEY_REFUSE, Complaint.THEIR_VIEW_IS_OLD, Complaint.THEIR_TABLES, Complaint.THEIR_TLS,
)  # fmt: skip
_SAYS_NO_TO_US = re.compile(
    r"[45]\d\d .*(?:try again later|relay access denied|client (?:host|certificate) rejected|"
    r"must issue a client certificate|client was not authenticated|client certificate (?:is )?required)",
    re.IGNORECASE,
)
"""
What its restrictions ``defer`` and ``reject`` say to whom they do not know, and who relays for nobody; and
how others ask for the certificate that they were not shown.
"""
_ALERT = re.compile(
    r"alert.*certificate|alert unknown ca|alert.*certificate required|421 .*client certificate not trusted",
    re.IGNORECASE,
)
"""A server's TLS, or Postfix with ``smtpd_tls_req_ccert`` in its answer, has not taken our certificate."""


def of_a_vanished_verb(facts: Facts, trace: Trace, memory: Memory) -> Iterator[Said]:
    """What shows that the server itself offers TLS, and that something on the way takes it out."""
    where = str(trace.endpoint)
    shown = ", ".join(trace.offered or ()) or "-"
    yield facts.say("flow.offers", endpoint=where, verbs=shown)
    for endpoint, verbs in memory.directly.items():
        if verbs:
            yield facts.say("flow.offers-directly", endpoint=str(endpoint), verbs=", ".join(verbs))
    if memory.before and memory.before_at is not None:
        at = when(memory.before_at)
        yield facts.say("flow.offered-before", endpoint=where, verbs=", ".join(memory.before), at=at)
    masked = [one for one in trace.offered or () if _OVERWRITTEN.match(one)]
    banner = trace.passages[Stage.BANNER].said if Stage.BANNER in trace.passages else ""
    masked += [banner] if banner.count("*") > 4 else []
    if masked:
        yield facts.say("flow.overwritten", words=", ".join(masked))


def vanished(facts: Facts, trace: Trace, memory: Memory) -> Iterator[Trouble]:
    """12117 for one verb of two: TLS can begin, and something on the way still takes verbs out."""
    known = {verb for verbs in (memory.before, *memory.directly.values()) for verb in verbs}
    gone = [one for one in _VERBS if trace.offered is not None and one in known - set(trace.offered)]
    if not gone or not trace.verb:
        return
    where = str(trace.endpoint)
    finding = Finding(catalog.TLS_NOT_OFFERED, facts.peer, where, values={"endpoint": where})
    yield Trouble(
        Stage.VERBS, catalog.TLS_NOT_OFFERED,
        facts.say("flow.vanished", verbs=", ".join(gone), endpoint=where),
        facts.say("act.no-tls-on-the-way"), None, Owner.NETWORK,
        evidence=tuple(of_a_vanished_verb(facts, trace, memory)), finding=finding,
    )  # fmt: skip


def is_offered_and_not_granted(trace: Trace) -> bool:
    """True where a verb for TLS was offered, and the answer to it was no."""
    asked = trace.passages.get(Stage.VERBS)
    return (
        asked is not None and asked.stop is Stop.NO_VERB and not set(_VERBS).isdisjoint(trace.offered or ())
    )


def not_granted(facts: Facts, trace: Trace) -> Trouble:
    """12117 where nothing was taken out: the server, or something before it, says no to the verb itself."""
    where = str(trace.endpoint)
    finding = Finding(catalog.TLS_NOT_OFFERED, facts.peer, where, values={"endpoint": where})
    shown = ", ".join(trace.offered or ())
    reply = trace.passages[Stage.VERBS].said
    return Trouble(
        Stage.VERBS, catalog.TLS_NOT_OFFERED, facts.say("flow.not-granted", endpoint=where, reply=reply),
        facts.say("flow.act-not-granted"), "mailtrust check", there=True,
        evidence=(facts.say("flow.offers", endpoint=where, verbs=shown),), finding=finding,
        otherwise=facts.say("else.not-in-the-clear"),
    )  # fmt: skip


def not_believed(facts: Facts, trace: Trace, belief: Verdict | None) -> Trouble:
    """We would not give our mail to it, and the copies that we can see show no reason."""
    named = trace.leaf.fingerprint if trace.leaf is not None else trace.unreadable
    values = {"fingerprint": short(named) if named else "-", "endpoint": str(trace.endpoint)}
    why = "flow.unreadable" if trace.unreadable else "flow.not-believed"
    if belief is None:
        why = "flow.no-picture"
    event = catalog.REPLICA_UNREADABLE if belief is None else catalog.PEER_NOT_TRUSTED_OUTBOUND
    return Trouble(
        Stage.THEIR_CERTIFICATE, event, facts.say(why, **values), facts.say("flow.act-look", **values),
        "mailtrust check", Owner.HERE,
    )  # fmt: skip


def presented_there(facts: Facts, trace: Trace) -> Iterator[Said]:
    """What is published, and was presented where we met what is not: a switch, or two hosts behind it."""
    case, met = facts.theirs, str(trace.endpoint)
    published = {one.certificate.fingerprint for look in case.readable for one in look.found or ()}
    if trace.leaf is None or trace.leaf.fingerprint in published:
        return
    for (server, place, other), at in case.history.first_seen.items():
        if (server, place) == (facts.peer, met) and other in published:
            yield facts.say("flow.presented-there", endpoint=met, other=other[:12], at=when(at))


def another_answers(facts: Facts, trace: Trace, owner: ServerName) -> Trouble:
    """A known server answers, and not the one that was called: the mail goes to it."""
    values = {"endpoint": str(trace.endpoint), "owner": owner}
    fingerprint = short(trace.leaf.fingerprint) if trace.leaf is not None else "-"
    finding = Finding(
        catalog.PRESENTED_NOT_PUBLISHED, facts.peer, str(trace.endpoint),
        values={"endpoint": str(trace.endpoint), "fingerprint": fingerprint},
    )  # fmt: skip
    return Trouble(
        Stage.THEIR_CERTIFICATE, catalog.PRESENTED_NOT_PUBLISHED, facts.say("flow.another", **values),
        facts.say("flow.act-another", **values), None, Owner.HERE, finding=finding,
    )  # fmt: skip


def dead_addresses(facts: Facts, trace: Trace) -> Trouble:
    """12116 for some of the addresses: mail flows by another, and waits where it begins with these."""
    where = str(trace.endpoint)
    values = {"endpoint": where, "why": "; ".join(trace.dead), "address": trace.address}
    finding = Finding(catalog.SERVER_UNREACHABLE, facts.peer, where, values=values)
    return Trouble(
        Stage.CONNECT, catalog.SERVER_UNREACHABLE, facts.say("flow.dead-addresses", **values),
        facts.say("flow.act-dead-addresses", **values), finding=finding,
    )  # fmt: skip


def at_its_address(told: Trouble | None, facts: Facts, trace: Trace) -> Trouble | None:
    """With the address that was asked, where the name has others: what is wrong may be wrong at that one."""
    untried = [one for one in trace.addresses[len(trace.dead) :] if one != trace.address]
    if told is None or not trace.address or not untried:
        return told
    said = facts.say("flow.at-address", address=trace.address, others=", ".join(untried))
    return replace(told, evidence=(*told.evidence, said))


def in_its_words(told: Trouble, facts: Facts, trace: Trace) -> Trouble:
    """12116 in the words of the stage: somebody took the connection, and then said nothing, or said no."""
    passage = trace.passages[told.stage]
    values = {"endpoint": str(trace.endpoint), "stage": told.stage.value, "why": passage.said}
    if told.stage in (Stage.BANNER, Stage.EHLO, Stage.VERBS):
        phrase, act = _WORDS.get(passage.stop, ("flow.stalls", "flow.act-stalls"))
        return replace(told, why=facts.say(phrase, **values), act=facts.say(act, **values))
    silent = told.stage is Stage.HANDSHAKE and passage.stop is Stop.SILENT
    return replace(told, act=facts.say("flow.act-silent", **values)) if silent else told


_WORDS: Mapping[Stop | None, tuple[str, str]] = {
    Stop.REFUSED: ("flow.turned-away", "flow.act-turned-away"),
    Stop.SILENT: ("flow.stalls", "flow.act-silent"),
}


def nothing_to_show(facts: Facts) -> Trouble:
    """Our store calls no certificate current, whatever a process of ours may still present."""
    finding = facts.finding(facts.here, catalog.CERTIFICATE_MISSING)
    command = finding.action if finding is not None else None
    return Trouble(
        Stage.OUR_CERTIFICATE, catalog.CERTIFICATE_MISSING, facts.say("why.ours-none"),
        facts.say("act.ours-none"), command or "mailtrust new", Owner.HERE, finding=finding,
    )  # fmt: skip


def broken(facts: Facts, trace: Trace, stage: Stage, passage: Passage) -> Trouble:
    """12181: the session fell silent or broke off behind TLS, or the server's TLS did not take us."""
    values = {"endpoint": str(trace.endpoint), "stage": stage.value, "why": passage.said}
    if stage is Stage.EHLO_AGAIN and _ALERT.search(passage.said):
        finding = Finding(
            catalog.POSTFIX_ASKS_AUTHORITY, facts.peer, str(trace.endpoint),
            values={"endpoint": str(trace.endpoint)},
        )  # fmt: skip
        return Trouble(
            Stage.OUR_CERTIFICATE, catalog.POSTFIX_ASKS_AUTHORITY, facts.say("flow.alert", **values),
            facts.say("flow.act-alert", **values), "mailtrust postfix check", there=True, finding=finding,
        )  # fmt: skip
    # It decides at the last line, and its answer may be what was lost (RFC 5321 section 4.5.3.2.6).
    otherwise = facts.say("flow.may-be-taken") if stage is Stage.MESSAGE else None
    act = "flow.act-silent" if passage.stop is Stop.SILENT else "flow.act-broke"
    return Trouble(
        stage, catalog.FLOW_SESSION_BROKE, facts.say("flow.broke", **values), facts.say(act, **values),
        finding=Finding(catalog.FLOW_SESSION_BROKE, facts.peer, str(trace.endpoint), values=values),
        otherwise=otherwise,
    )  # fmt: skip


def refused(facts: Facts, trace: Trace, stage: Stage, passage: Passage) -> Trouble:
    """12182: the receiver said no, and not about who we are."""
    values = {"endpoint": str(trace.endpoint), "stage": stage.value, "reply": passage.said}
    finding = Finding(catalog.FLOW_REFUSED, facts.peer, str(trace.endpoint), values=values)
    phrase = "flow.deferred" if passage.said.startswith("4") else "flow.refused"
    return Trouble(
        stage, catalog.FLOW_REFUSED, facts.say(phrase, **values), facts.say("flow.act-refused", **values),
        finding=finding,
    )  # fmt: skip


def answer(facts: Facts, stage: Stage, passage: Passage) -> Said:
    """What the receiver said, as proof."""
    return facts.say("flow.answered", stage=stage.value.upper(), reply=passage.said)


def standing(facts: Facts, case: Case, leaf: Certificate) -> Said:
    """On how many of the replicas its key stands for that server."""
    having = case.publishing(leaf.pin)
    values = {
        "count": str(len(having)), "answered": str(len(case.readable)), "total": str(len(case.replicas)),
        "owner": case.server,
    }  # fmt: skip
    return facts.say("flow.standing" if case.readable else "flow.standing-unread", **values)


def is_about_trust(reply: str) -> bool:
    """True for a no that says who we are, or that the receiver cannot tell."""
    return complaint("-", reply, "") in _ABOUT_TRUST or bool(_SAYS_NO_TO_US.match(reply))


def event_in(reply: str) -> Event | None:
    """The event whose number a reply names, as the hub's do."""
    numbers = (int(one) for one in _NUMBER.findall(reply))
    return next((catalog.BY_CODE[one] for one in numbers if one in catalog.BY_CODE), None)
