"""
An audit as the JSON that users rely on (`mailtrust.audit/1`).  Extend it, never break it.

`found` is a sorted list of fingerprints; null means that we could not look, and `why` says why.  The
certificates themselves stand once, under their fingerprints.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mailtrust.agent.last_run import Changes
from mailtrust.agent.report import fingerprints, moment
from mailtrust.core.exchange.facts import Controller, ExchangeServer, Organization
from mailtrust.core.exchange.judgement import Audit, Judgement, Route, Step
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.replication import Stamp
from mailtrust.core.model.sighting import ReplicaSighting, WireSighting
from mailtrust.texts import Texts

AUDIT_SCHEMA = "mailtrust.audit/1"


def audit_report(audit: Audit, texts: Texts, changes: Changes | None = None) -> dict[str, Any]:
    """The whole of `mailtrust audit exchange --json`, its sentences in the language of *texts*."""
    organization = audit.organization
    judged = [row.server for row in audit.grid]
    return {
        "schema": AUDIT_SCHEMA,
        "audited_at": moment(audit.judged_at),
        "verdict": audit.verdict.value,
        "language": texts.language,
        "organization": {"name": organization.name, "dn": organization.dn, "forest": organization.forest},
        "seen_from": {"host": organization.seen_from, "account": organization.account},
        "controllers": [_controller(one) for one in organization.controllers],
        "servers": [_server(one, organization) for one in judged],
        "certificates": {leaf.fingerprint: _certificate(leaf) for leaf in _leaves(judged)},
        "findings": [judgement_report(one, texts) for one in audit.judgements],
        "silenced": [
            {**judgement_report(one.judgement, texts), "explained_by": one.by.finding.event.code}
            for one in audit.explained
        ],
        "next_90_days": [
            {
                "server": one.server,
                "use": one.use.value,
                "fingerprint": one.certificate.fingerprint,
                "thumbprint": one.certificate.thumbprint,
                "not_after": moment(one.certificate.not_after),
            }
            for one in audit.endings
        ],
        "not_looked_at": [
            {"what": texts.say(one.said), "commands": list(one.commands)} for one in audit.unseen
        ],
        "changes": None if changes is None else _changes(changes),
    }


def judgement_report(one: Judgement, texts: Texts) -> dict[str, Any]:
    """One finding, with its routes and what to type."""
    finding = one.finding
    return {
        "event": finding.event.code,
        "name": finding.event.name,
        "severity": finding.severity.value,
        "worst": one.worst.value,
        "suspected": one.suspected,
        "server": finding.server,
        "place": finding.place,
        "incident": finding.incident,
        "cause": finding.cause,
        "message": texts.say(one.said),
        "cause_means": texts.say(one.cause) if one.cause else None,
        "evidence": [texts.say(said) for said in finding.evidence],
        "ruled_out": [{"cause": out.cause, "why": texts.say(out.why)} for out in finding.ruled_out],
        "routes": [_route(route, texts) for route in one.routes],
        "hence": [
            {"event": hence.event.code, "name": hence.event.name, "server": hence.server,
             "severity": hence.severity.value}
            for hence in one.hence
        ],
        "action": finding.action,
        "steps": [step_report(step, texts) for step in one.steps],
        "since": moment(finding.since) if finding.since else None,
        "until": moment(finding.until) if finding.until else None,
    }  # fmt: skip


def _route(route: Route, texts: Texts) -> dict[str, Any]:
    return {
        "outcome": route.outcome.value,
        "severity": route.severity.value,
        "says": texts.say(route.said),
        "event": route.event.code if route.event else None,
        "reply": route.reply or None,
    }


def step_report(step: Step, texts: Texts) -> dict[str, Any]:
    """One thing to do."""
    return {
        "says": texts.say(step.said),
        "commands": list(step.commands),
        "shell": step.shell.value if step.commands else None,
        "on": step.on or None,
        "asks": texts.say(step.asks) if step.asks else None,
        "may_break": [texts.say(risk) for risk in step.risks],
        "mends": step.mends,
    }


def _controller(one: Controller) -> dict[str, Any]:
    return {
        "name": one.name,
        "url": one.url,
        "site": one.site or None,
        "in_site": one.in_site,
        "read_only": one.read_only,
        "asked": one.asked,
        "readable": one.readable,
        "why": one.why,
    }


def _server(one: ExchangeServer, organization: Organization) -> dict[str, Any]:
    return {
        "name": one.name,
        "server": one.server,
        "dn": one.dn,
        "edge": one.is_edge,
        "roles": int(one.roles),
        "version": str(one.version) if one.version else None,
        "site": one.site or None,
        "takes_part_in_edgesync": one.takes_part_in_edgesync,
        "installed": _installed(one),
        "presented": [_presented(look, organization) for look in one.wires],
        "published": [_published(look, one) for look in one.published],
    }


def _installed(one: ExchangeServer) -> list[str] | None:
    held = one.collected.certificates if one.collected else None
    return None if held is None else fingerprints(each.certificate for each in held if each.certificate)


def _presented(look: WireSighting, organization: Organization) -> dict[str, Any]:
    return {
        "endpoint": look.place,
        "verb": look.verb,
        "found": None if look.found is None else fingerprints(look.found),
        "failure": look.failure.value if look.failure else None,
        "why": look.why,
        "seen_from": organization.sources.get(look.endpoint),
    }


def _published(look: ReplicaSighting, server: ExchangeServer) -> dict[str, Any]:
    found = None if look.found is None else fingerprints(one.certificate for one in look.found)
    return {
        "replica": look.place,
        "found": found,
        "unparsable": sorted(value.digest for value in look.unparsable),
        "why": look.why,
        "written": _stamp(server.written.get(look.place)),
        "tells_writes": look.place in server.written,
    }


def _stamp(stamp: Stamp | None) -> dict[str, Any] | None:
    if stamp is None:
        return None
    return {
        "by": stamp.writer,
        "number": stamp.number,
        "version": stamp.version,
        "at": moment(stamp.written_at),
    }


def _certificate(leaf: Certificate) -> dict[str, Any]:
    return {
        "thumbprint": leaf.thumbprint,
        "pin": leaf.pin,
        "subject": leaf.subject,
        "issuer": leaf.issuer,
        "names": list(leaf.names),
        "not_before": moment(leaf.not_before),
        "not_after": moment(leaf.not_after),
        "key": f"{leaf.key_type} {leaf.key_bits}",
        "signature_hash": leaf.signature_hash,
        "self_signed": leaf.self_signed,
    }


def _leaves(servers: Iterable[ExchangeServer]) -> list[Certificate]:
    found: dict[str, Certificate] = {}
    for one in servers:
        published = [each.certificate for look in one.published for each in look.found or ()]
        presented = [leaf for look in one.wires for leaf in look.found or ()]
        held = (one.collected.certificates if one.collected else None) or ()
        stored = [each.certificate for each in held if each.certificate]
        found |= {leaf.fingerprint: leaf for leaf in (*published, *presented, *stored)}
    return sorted(found.values(), key=lambda leaf: leaf.fingerprint)


def _changes(changes: Changes) -> dict[str, Any]:
    return {
        "since": moment(changes.since),
        "opened": [one.incident for one in changes.opened],
        "closed": [one.incident for one in changes.closed],
        "changed": [one.incident for one in changes.changed],
        "not_looked_at_now": [one.incident for one in changes.unseen],
        "certificates": [
            {"server": one.server, "use": one.use, "was": list(one.was), "is": list(one.now)}
            for one in changes.certificates
        ],
    }
