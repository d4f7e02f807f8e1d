"""How the tests of advice ask: facts in, codes out, and every word of the answer said in every language."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from mailtrust.core.advice import BY_NUMBER, Advice, Profile, advise
from mailtrust.core.advice.facts import Facts, Incident, Past, Settings
from mailtrust.core.events.catalog import REPLICA_BEHIND
from mailtrust.core.exchange.facts import ExchangeServer
from mailtrust.core.exchange.judge import cases, judge
from mailtrust.core.model.event import Event, Severity
from mailtrust.core.model.sighting import Sighting
from mailtrust.core.policy import Policy
from mailtrust.texts import LANGUAGES, load
from tests.forest import an_organization
from tests.make import DC1, DC2, DC3, HUB1, NOON, a_view, days, minutes

WARNING, ERROR, INFORMATION = Severity.WARNING, Severity.ERROR, Severity.INFORMATION


def settings(**parts: Any) -> Settings:
    """As the documentation has it."""
    usual: dict[str, Any] = {
        "server": HUB1, "kind": "hub", "mode": "enforce", "rotates_when_due": True, "expires_soon": None,
        "snapshot_max_age": minutes(30), "latency": minutes(15), "replicas": (DC1, DC2, DC3),
        "has_listeners": True,
    }  # fmt: skip
    return Settings(**{**usual, **parts})


def facts(*looks: Sighting, **parts: Any) -> Facts:
    """A site where all is as it should be, but for *parts*."""
    usual: dict[str, Any] = {
        "now": NOON, "servers": (HUB1,), "settings": settings(), "view": a_view(*looks), "past": Past(),
    }  # fmt: skip
    return Facts(**{**usual, **parts})


def exchange(
    *servers: ExchangeServer, now: datetime = NOON, scope: tuple[str, ...] | None = None, **rest: Any
) -> Facts:
    """An Exchange organization."""
    organization = an_organization(*servers, **rest)
    them = cases(organization, now, Policy(), scope)
    audit = judge(organization, now, Policy(), scope)
    return Facts(
        now, servers=tuple(case.name for case in them), cases=them, judgements=audit.judgements,
        closed=frozenset(case.name for case in them if case.store is None),
    )  # fmt: skip


def incident(
    event: Event = REPLICA_BEHIND, *, ago: float = 1, severity: Severity = WARNING, place: str = DC3
) -> Incident:
    """It opened that many days ago."""
    return Incident(event, HUB1, place, severity, NOON - days(ago))


def told(given: Facts, profile: Profile = Profile.STRICT, only: Iterable[int] = ()) -> tuple[Advice, ...]:
    """The advice, once every word of it was said."""
    found = advise(given, profile, tuple(only)).advice
    for texts in (load(language, strict=True) for language in LANGUAGES):
        for one in found:
            if one.finding is None:
                texts.fill(texts.advice(one.code).found, one.values)
            for said in one.evidence:
                texts.say(said)
            for step in one.steps:
                texts.say(step.said)
    return found


def codes(given: Facts, profile: Profile = Profile.STRICT) -> list[str]:
    """What is advised by rules of advice alone."""
    return [one.code for one in told(given, profile) if one.number in BY_NUMBER]


def the(code: str, given: Facts) -> Advice:
    [found] = [one for one in told(given) if one.code == code]
    return found


def lines(one: Advice) -> list[str]:
    """What is to be typed."""
    typed = [line for each in one.remedies for line in each.lines]
    return [*typed, *(command for step in one.steps for command in step.commands)]
