"""How the tests of the checks ask: a view in, the events out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from mailtrust.core.checks import diagnose
from mailtrust.core.model.event import Diagnosis, Finding
from mailtrust.core.model.plan import Pace, Plan
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import View
from mailtrust.core.policy import Policy
from mailtrust.core.rotation import plan
from mailtrust.core.succession import pending
from mailtrust.texts import LANGUAGES, Texts, load
from tests.make import HUB1, NOON


def judged(
    view: View,
    *,
    now: datetime = NOON,
    policy: Policy | None = None,
    scope: tuple[ServerName, ...] | None = None,
) -> Diagnosis:
    rotation = pending(HUB1, view)
    plans: Mapping[ServerName, Plan] = {HUB1: plan(rotation, view, Pace(), now)} if rotation else {}
    diagnosis = diagnose(view, plans, policy or Policy(), now, scope, HUB1)
    for finding in (*diagnosis.findings, *(one.finding for one in diagnosis.silenced)):
        for texts in (load(language, strict=True) for language in LANGUAGES):
            _say(finding, texts)
    return diagnosis


def _say(finding: Finding, texts: Texts) -> None:
    """Every finding that a check makes can be said in full: strict texts refuse a value that is missing."""
    texts.message(finding)
    texts.cause(finding)
    for said in (*finding.evidence, *(one.why for one in finding.ruled_out)):
        texts.say(said)


def codes(diagnosis: Diagnosis) -> list[int]:
    return [finding.event.code for finding in diagnosis.findings]


def silenced(diagnosis: Diagnosis) -> list[tuple[int, int]]:
    return [(one.finding.event.code, one.explained_by.event.code) for one in diagnosis.silenced]


def the(code: int, diagnosis: Diagnosis) -> Finding:
    [finding] = [finding for finding in diagnosis.findings if finding.event.code == code]
    return finding


def phrases(finding: Finding) -> list[str]:
    return [said.phrase for said in finding.evidence]


def ruled_out(finding: Finding) -> dict[str, str]:
    return {one.cause: one.why.phrase for one in finding.ruled_out}
