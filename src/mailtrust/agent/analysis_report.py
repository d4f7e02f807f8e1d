"""
Advice as the JSON that users rely on (`mailtrust.analyze/1`).  Extend it, never break it.

A report is what the next one is compared with, so that it holds what was asked as well as what was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

import mailtrust
from mailtrust.agent.audit_report import step_report
from mailtrust.agent.report import moment
from mailtrust.core.advice import BY_NUMBER, Advice, Judged, Profile
from mailtrust.core.advice.compare import Compared, Line
from mailtrust.core.advice.events import profiles_of
from mailtrust.core.advice.facts import Facts
from mailtrust.core.checks import Verdict
from mailtrust.core.events import catalog
from mailtrust.core.events.explain import explain, filled
from mailtrust.core.model.event import Severity
from mailtrust.errors import BadInput
from mailtrust.texts import AdviceText, Texts

ANALYZE_SCHEMA = "mailtrust.analyze/1"


@dataclass(frozen=True, slots=True)
class Known:
    """Advice that somebody acknowledged, on record."""

    advice: Advice
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was found, by which rules, and what somebody knows already."""

    facts: Facts
    profile: Profile
    advice: tuple[Advice, ...]
    asked: tuple[int, ...]
    known: tuple[Known, ...] = ()
    essential: bool = True
    """False where what matters most could not be seen."""

    @property
    def verdict(self) -> Verdict:
        """The sum of it, as `check` sums up."""
        severities = {one.severity for one in self.advice}
        if Severity.ERROR in severities:
            return Verdict.ERROR
        if not self.essential:
            return Verdict.UNKNOWN
        return Verdict.WARNING if Severity.WARNING in severities else Verdict.OK


def analysis_of(
    facts: Facts, judged: Judged, profile: Profile, acks: Iterable[Any], *, essential: bool
) -> Analysis:
    """The advice with what is acknowledged set apart; *acks* have an event, a server, an end and a reason."""
    held = tuple(acks)
    loud: list[Advice] = []
    known: list[Known] = []
    for one in judged.advice:
        ack = next((each for each in held if each.covers(one.number, one.server)), None)
        if ack is None:
            loud.append(one)
        else:
            known.append(Known(one, ack.until, ack.reason))
    return Analysis(facts, profile, tuple(loud), judged.asked, tuple(known), essential)


def text_of(one: Advice, texts: Texts) -> AdviceText:
    """The prose of a rule, or of the event that holds, with the names that it is about."""
    if one.finding is None:
        return rule_text(one.number, texts)
    page = texts.page(one.number)
    values = {**one.finding.values, "server": one.server}
    return AdviceText(
        page.title, page.message, filled(page.explanation, values), filled(" ".join(page.user_action), values)
    )


def rule_text(number: int, texts: Texts) -> AdviceText:
    """The prose of a rule by its number; of an event that of its page."""
    if number in BY_NUMBER:
        return texts.advice(f"A{number}")
    page = explain(catalog.BY_CODE[number], texts.page(number), mailtrust.__version__).text
    return AdviceText(page.title, page.message, page.explanation, " ".join(page.user_action))


def message_of(one: Advice, texts: Texts) -> str:
    """What was found, in a sentence."""
    if one.said is not None:
        return texts.say(one.said)
    if one.finding is not None:
        return texts.message(one.finding)
    return texts.fill(texts.advice(one.code).found, one.values)


def cause_of(one: Advice, texts: Texts) -> str:
    """What the cause of an event means; empty for a rule, and where there is none."""
    return texts.cause(one.finding) if one.finding is not None and one.said is None else ""


def link_of(number: int, texts: Texts) -> str:
    """The page about a rule or an event in the documentation, in the language of *texts*."""
    english = texts.language == "en"
    if number in BY_NUMBER:
        return f"docs/advice{'' if english else f'.{texts.language}'}.md#a{number}"
    return f"docs/events/{'' if english else f'{texts.language}/'}{number}.md"


def profiles_shown(number: int) -> list[str]:
    """The profiles in which a rule or an event is told, by their names."""
    rule = BY_NUMBER.get(number)
    found = rule.profiles if rule is not None else profiles_of(catalog.BY_CODE[number])
    return [one.value for one in Profile if one in found or one is Profile.STRICT]


def analysis_report(seen: Analysis, texts: Texts, compared: Compared | None) -> dict[str, Any]:
    """The whole of `mailtrust analyze --json`, its sentences in the language of *texts*."""
    facts = seen.facts
    return {
        "schema": ANALYZE_SCHEMA,
        "analyzed_at": moment(facts.now),
        "verdict": seen.verdict.value,
        "profile": seen.profile.value,
        "language": texts.language,
        "servers": list(facts.servers),
        "rules": [_code(number) for number in seen.asked],
        "advice": [advice_report(one, texts) for one in seen.advice],
        "acknowledged": [
            {
                **advice_report(one.advice, texts),
                "acknowledged_until": moment(one.until),
                "reason": one.reason,
            }
            for one in seen.known
        ],
        "not_looked_at": [
            {"what": texts.say(one.said), "commands": list(one.commands)} for one in facts.unseen
        ],
        "changes": None if compared is None else _changes(compared),
    }


def advice_report(one: Advice, texts: Texts) -> dict[str, Any]:
    """One piece of advice."""
    text = text_of(one, texts)
    return {
        "rule": one.code,
        "number": one.number,
        "title": text.title,
        "area": one.area.value,
        "severity": one.severity.value,
        "profiles": profiles_shown(one.number),
        "server": one.server,
        "place": one.place or None,
        "key": one.key,
        "event": one.finding.event.code if one.finding else None,
        "cause": one.finding.cause if one.finding else None,
        "message": message_of(one, texts),
        "why": text.why,
        "evidence": [texts.say(said) for said in one.evidence],
        "fix": text.fix,
        "type": [{"where": each.where.value, "lines": list(each.lines)} for each in one.remedies],
        "steps": [step_report(step, texts) for step in one.steps],
        "until": moment(one.until) if one.until else None,
        "link": link_of(one.number, texts),
    }


def lines_of(seen: Analysis, texts: Texts) -> tuple[Line, ...]:
    """The advice as reports compare it; what is acknowledged is still there."""
    each = (*seen.advice, *(one.advice for one in seen.known))
    return tuple(
        Line(one.key, one.code, one.server, one.severity.value, message_of(one, texts)) for one in each
    )


class _Line(msgspec.Struct):
    key: str
    rule: str
    server: str
    severity: str
    message: str


class _Report(msgspec.Struct):
    schema: str
    analyzed_at: datetime
    advice: list[_Line]
    acknowledged: list[_Line] = []
    rules: list[str] = []


def read_report(data: bytes, place: str) -> tuple[datetime, tuple[Line, ...], tuple[str, ...]]:
    """
    When a former report was made, what it advised and which rules were asked; *place* is what to call it.

    Raises: BadInput for what is no report of ours, or is damaged.
    """
    try:
        report = msgspec.json.decode(data, type=_Report)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(
            f"{place} is no report of `analyze`, or it is damaged",
            hint="write one with `mailtrust analyze --json`",
        ) from error
    if report.schema != ANALYZE_SCHEMA or report.analyzed_at.tzinfo is None:
        raise BadInput(f"{place} is of the kind {report.schema!r}, which this release does not compare with")
    each = (*report.advice, *report.acknowledged)
    odd = [one.rule for one in each if not one.rule.removeprefix("A").isdecimal()]
    if odd:
        raise BadInput(f"{place} speaks of a rule {odd[0]!r}, which there cannot be")
    lines = tuple(Line(one.key, one.rule, one.server, one.severity, one.message) for one in each)
    return report.analyzed_at, lines, tuple(report.rules)


def rules_report(numbers: Iterable[int], texts: Texts) -> dict[str, Any]:
    """Rules and events as a list, for `--list --json`."""
    return {"schema": "mailtrust.rules/1", "rules": [_rule(number, texts) for number in numbers]}


def _rule(number: int, texts: Texts) -> Mapping[str, Any]:
    text, rule = rule_text(number, texts), BY_NUMBER.get(number)
    event = catalog.BY_CODE.get(number)
    severity = rule.severity if rule is not None else catalog.BY_CODE[number].severity
    return {
        "rule": _code(number),
        "number": number,
        "title": text.title,
        "severity": severity.value,
        "area": rule.area.value if rule is not None else "event",
        "profiles": profiles_shown(number),
        "why": text.why,
        "fix": text.fix,
        "events": [one.code for one in rule.see] if rule is not None else [number],
        "name": event.name if event is not None else None,
        "link": link_of(number, texts),
    }


def _code(number: int) -> str:
    return f"A{number}" if number in BY_NUMBER else str(number)


def _changes(found: Compared) -> dict[str, Any]:
    return {
        "since": moment(found.since),
        "new": [one.key for one in found.new],
        "gone": [_gone(one) for one in found.gone],
        "still_there": [one.key for one in found.still],
        "not_judged_now": [_gone(one) for one in found.not_now],
        "not_judged_then": [one.key for one in found.not_then],
    }


def _gone(one: Line) -> dict[str, str]:
    return {"key": one.key, "rule": one.rule, "server": one.server, "message": one.message}
