"""How the tests of the audit ask: an organization in, judgements out, and every word of them said."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from mailtrust.core.exchange.facts import ExchangeServer, Organization
from mailtrust.core.exchange.judge import judge
from mailtrust.core.exchange.judgement import Audit, Judgement
from mailtrust.core.model.event import Said
from mailtrust.core.policy import Policy
from mailtrust.texts import LANGUAGES, load
from tests.forest import an_organization
from tests.make import NOON


def audited(
    *servers: ExchangeServer,
    organization: Organization | None = None,
    now: datetime = NOON,
    scope: tuple[str, ...] | None = None,
    policy: Policy | None = None,
    **rest: object,
) -> Audit:
    audit = judge(organization or an_organization(*servers, **rest), now, policy or Policy(), scope)
    for texts in (load(language, strict=True) for language in LANGUAGES):
        for said in said_in(audit):
            texts.say(said)
    return audit


def said_in(audit: Audit) -> Iterable[Said]:
    """Every phrase of it: strict texts refuse a value that is missing."""
    for one in (*audit.judgements, *(one.judgement for one in audit.explained)):
        yield from (one.said, *one.finding.evidence, *(ruled.why for ruled in one.finding.ruled_out))
        yield from (route.said for route in one.routes)
        if one.cause:
            yield one.cause
        for step in one.steps:
            yield from (step.said, *((step.asks,) if step.asks else ()), *step.risks)
    yield from (one.said for one in audit.unseen)


def codes(audit: Audit, server: str = "MBX1") -> list[int]:
    return [
        one.finding.event.code for one in audit.judgements if one.finding.server.startswith(server.lower())
    ]


def the(code: int, audit: Audit, server: str = "mbx1") -> Judgement:
    [found] = [one for one in audit.judgements if one.finding.event.code == code and _is_of(one, server)]
    return found


def explained(audit: Audit) -> list[tuple[int, int]]:
    return [(one.judgement.finding.event.code, one.by.finding.event.code) for one in audit.explained]


def phrases(judgement: Judgement) -> list[str]:
    return [said.phrase for said in judgement.finding.evidence]


def routes(judgement: Judgement) -> list[str]:
    return [route.said.phrase for route in judgement.routes]


def steps(judgement: Judgement) -> list[str]:
    return [step.said.phrase for step in judgement.steps]


def commands(judgement: Judgement) -> list[str]:
    return [command for step in judgement.steps for command in step.commands]


def risks(judgement: Judgement) -> list[str]:
    return [said.phrase for step in judgement.steps for said in step.risks]


def unseen(audit: Audit) -> list[str]:
    return [one.said.phrase for one in audit.unseen]


def ruled_out(judgement: Judgement) -> dict[str, str]:
    return {one.cause: one.why.phrase for one in judgement.finding.ruled_out}


def _is_of(judgement: Judgement, server: str) -> bool:
    return judgement.finding.server.startswith(server.lower())
