"""
An assessment as the JSON that users rely on (`mailtrust.check/1`).  Extend it, never break it.

`found` is a sorted list of fingerprints; null means that we could not look, and `why` says why.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mailtrust.core.checks.replicas import Lack
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Finding
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import Installed, ReplicaSighting, StoreSighting, View, WireSighting
from mailtrust.texts import Texts

if TYPE_CHECKING:
    from mailtrust.agent.look import Assessment

CHECK_SCHEMA = "mailtrust.check/1"
ELSEWHERE = "its store is on that server, and cannot be looked at from here"


def check_report(seen: Assessment, texts: Texts) -> dict[str, Any]:
    """The whole of `mailtrust check --json`."""
    # It knows the journal, which is Unix's own, and the audit reports on Windows.
    from mailtrust.agent.replication import lacks

    return {
        "schema": CHECK_SCHEMA,
        "checked_at": moment(seen.checked_at),
        "verdict": seen.verdict.value,
        "servers": [copies(seen.view, server, lacks(seen, server)) for server in seen.scope],
        "findings": [finding_report(finding, texts) for finding in seen.diagnosis.findings],
        "silenced": [
            {
                "event": one.finding.event.code,
                "explained_by": one.explained_by.event.code,
                "server": one.finding.server,
                "place": one.finding.place,
            }
            for one in seen.diagnosis.silenced
        ],
        "acknowledged": [finding_report(finding, texts) for finding in seen.acknowledged],
        "notes": list(seen.notes),
    }


def copies(view: View, server: ServerName, behind: Iterable[Lack] = ()) -> dict[str, Any]:
    """The three copies of one server's fact, as we saw them, and what is *behind* where."""
    behind = tuple(behind)
    store = view.store(server)
    why = store.why if store else ELSEWHERE
    return {
        "server": server,
        "installed": _installed(store),
        "installed_why": why,
        "presented": [_presented(wire) for wire in view.wires(server)],
        "published": [
            _published(look, [one for one in behind if one.look.place == look.place])
            for look in view.replicas(server)
        ],
    }


def certificate_report(installed: Installed) -> dict[str, Any]:
    """One certificate of the store, as `new`, `show` and `list` give it too."""
    leaf = installed.certificate
    return {
        "fingerprint": leaf.fingerprint,
        "pin": leaf.pin,
        "thumbprint": leaf.thumbprint,
        "slot": installed.slot.value,
        "names": list(leaf.names),
        "not_before": moment(leaf.not_before),
        "not_after": moment(leaf.not_after),
        "has_key": installed.has_key,
        "arrived_at": moment(installed.arrived_at),
        "key": f"{leaf.key_type} {leaf.key_bits}",
        "subject": leaf.subject,
        "issuer": leaf.issuer,
        "self_signed": leaf.self_signed,
    }


def finding_report(finding: Finding, texts: Texts) -> dict[str, Any]:
    """One finding, its sentences in the language of *texts*."""
    return {
        "event": finding.event.code,
        "name": finding.event.name,
        "severity": finding.severity.value,
        "server": finding.server,
        "place": finding.place,
        "cause": finding.cause,
        "message": texts.message(finding),
        "evidence": [texts.say(said) for said in finding.evidence],
        "ruled_out": [{"cause": one.cause, "why": texts.say(one.why)} for one in finding.ruled_out],
        "action": finding.action,
        "user_action": list(texts.user_action(finding)),
        "since": moment(finding.since) if finding.since else None,
        "until": moment(finding.until) if finding.until else None,
    }


def moment(at: datetime) -> str:
    """A moment in JSON: UTC to the second (RFC 3339)."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _installed(store: StoreSighting | None) -> list[dict[str, Any]] | None:
    if store is None or store.found is None:
        return None
    return [certificate_report(one) for one in store.found]


def _presented(wire: WireSighting) -> dict[str, Any]:
    return {
        "endpoint": wire.place,
        "found": None if wire.found is None else fingerprints(wire.found),
        "why": wire.why,
        "phase": wire.phase,
        "verb": wire.verb,
        "protocol": wire.protocol,
        "asks_client_certificate": wire.asks_client_certificate,
    }


def _published(look: ReplicaSighting, behind: Iterable[Lack]) -> dict[str, Any]:
    found = None if look.found is None else fingerprints(one.certificate for one in look.found)
    return {
        "replica": look.place,
        "found": found,
        "unparsable": sorted(value.digest for value in look.unparsable),
        "withdrawn": sorted(look.withdrawn),
        "why": look.why,
        "home": look.home,
        "primary": look.primary,
        "since": {one.certificate.fingerprint: moment(one.published_at) for one in look.found or ()},
        "behind": [
            {
                "fingerprint": one.leaf.fingerprint,
                "since": moment(one.published_at),
                "due": moment(one.deadline),
                "proof": one.fate.value,
            }
            for one in behind
        ],
    }


def fingerprints(certificates: Iterable[Certificate]) -> list[str]:
    """Each once, sorted, as `found` has them."""
    return sorted({leaf.fingerprint for leaf in certificates})
