"""
Events as advice: what `check`, the doctor of a Postfix and the audit of an Exchange organization find.

An event that holds needs no rule of its own.  It has its number, its page and its remedy already; here it is
only given an area, and the profiles in which it is told.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailtrust.core.advice.facts import Facts
from mailtrust.core.advice.value import Advice, Area, Profile, Remedy, Where
from mailtrust.core.events import catalog
from mailtrust.core.exchange.judgement import Judgement
from mailtrust.core.model.event import Category, Event, Finding, Severity

FROM_DOCTOR = frozenset(event.code for event in catalog.CATALOG if 12130 <= event.code <= 12146)
"""What only the doctor of a Postfix says."""
_EXCHANGE = (Profile.STRICT, Profile.DEFAULT, Profile.EXCHANGE)
"""Where an audit's judgements are told."""
_PASSES = (catalog.REPLICATING,)
"""What holds for a while in every sound organization."""
_AREAS = {
    Category.DIRECTORY: Area.DIRECTORY, Category.ROTATION: Area.HISTORY, Category.AGENT: Area.CONFIGURATION,
}  # fmt: skip
_CERTIFICATES = (
    catalog.EXPIRED, catalog.EXPIRES_SOON, catalog.WEAK_KEY, catalog.NAMES_DIFFER, catalog.KEY_EXPOSED,
    catalog.NOT_IN_STORE, catalog.CERTIFICATE_MISSING,
)  # fmt: skip


def area_of(event: Event) -> Area:
    """What an event is about, among rules."""
    if event in _CERTIFICATES:
        return Area.CERTIFICATES
    return _AREAS.get(event.category, Area.TRANSPORTS)


def profiles_of(event: Event) -> frozenset[Profile]:
    """The profiles in which it is told, beside STRICT."""
    if event in _PASSES or event.severity is Severity.INFORMATION:
        return frozenset()
    ours = {Profile.DEFAULT, Profile.EXCHANGE} if event.known_as else {Profile.DEFAULT}
    return frozenset(ours | {Profile.POSTFIX} if event.code in FROM_DOCTOR else ours)


def asked_events(facts: Facts, profile: Profile) -> tuple[int, ...]:
    """The numbers of the events that would be told, had they been found."""
    exchange = facts.cases is not None and profile in _EXCHANGE
    return tuple(
        event.code
        for event in catalog.CATALOG
        if (exchange and event.known_as)
        or (_is_looked_for(event, facts) and (profile is Profile.STRICT or profile in profiles_of(event)))
    )


def told_events(facts: Facts, profile: Profile) -> Iterator[Advice]:
    """Every event that holds, of every source, where the profile tells it."""
    findings = [*facts.findings, *(facts.postfix.findings if facts.postfix else ())]
    from_postfix = {id(one) for one in (facts.postfix.findings if facts.postfix else ())}
    for one in findings:
        wanted = profiles_of(one.event) | ({Profile.POSTFIX} if id(one) in from_postfix else frozenset())
        if profile is Profile.STRICT or profile in wanted:
            yield _of_finding(one, _typed(one))
    for judged in facts.judgements:
        if profile in _EXCHANGE:
            yield _of_judgement(judged)


def _is_looked_for(event: Event, facts: Facts) -> bool:
    sought = facts.cases is not None or facts.view is not None
    return facts.postfix is not None if event.code in FROM_DOCTOR else sought


def _of_finding(one: Finding, remedies: tuple[Remedy, ...]) -> Advice:
    return Advice(
        one.event.code, area_of(one.event), one.server, one.severity, one.place or "",
        evidence=one.evidence, remedies=remedies, until=one.until, finding=one,
    )  # fmt: skip


def _of_judgement(judged: Judgement) -> Advice:
    one = judged.finding
    return Advice(
        one.event.code, Area.EXCHANGE, one.server, judged.worst, one.place or "",
        evidence=one.evidence, remedies=_shell(one), until=one.until, finding=one, said=judged.said,
        steps=judged.steps,
    )  # fmt: skip


def _typed(one: Finding) -> tuple[Remedy, ...]:
    return (Remedy((one.action,)),) if one.action else ()


def _shell(one: Finding) -> tuple[Remedy, ...]:
    return (Remedy(tuple(one.action.split("\n")), Where.EXCHANGE),) if one.action else ()
