"""Advice as one page for a browser: no script, nothing loaded from anywhere, readable on paper too."""

from __future__ import annotations

from typing import Any

from mailtrust.agent.analysis_report import Analysis, link_of, message_of, profiles_shown, rule_text, text_of
from mailtrust.cli import analyze_words as words
from mailtrust.cli.html import page, step
from mailtrust.cli.render import LETTER, Typed
from mailtrust.core.advice import BY_NUMBER, Advice
from mailtrust.core.advice.compare import Compared
from mailtrust.core.model.event import Severity, when
from mailtrust.texts import Texts

_TEMPLATE = "analyze.html.j2"
_LABELS = (
    "advice-title", "advice-made", "advice-profile", "advice-whom", "advice-why", "advice-fix", "advice-link",
    "advice-rules", "advice-judged", "advice-contents", "advice-rule", "advice-what", "server", "severity",
    "proof", "cause",
    "asks", "breaks", "acknowledged", "not-looked-at", "until", "severity-error", "severity-warning",
    "severity-information",
)  # fmt: skip
_MOST_SERVERS = 20


def analysis_html(seen: Analysis, texts: Texts, compared: Compared | None, typed: Typed) -> str:
    """The whole page, for a file."""
    told = [_advice(number, one, texts, typed) for number, one in enumerate(seen.advice, 1)]
    return page(
        _TEMPLATE,
        _LABELS,
        texts,
        verdict=seen.verdict.value,
        summary=words.verdict(seen, texts),
        made=when(seen.facts.now),
        profile=seen.profile.value,
        servers=_servers(seen),
        nothing=words.nothing(seen, texts),
        told=told,
        groups=[
            (severity.value, [one for one in told if one["severity"] == severity.value])
            for severity in Severity
        ],
        known=[words.known(one, texts) for one in seen.known],
        unseen=[(texts.say(one.said), one.commands) for one in seen.facts.unseen],
        since=_since(compared, texts),
        rules=[_rule(number, texts) for number in seen.asked if number in BY_NUMBER],
    )


def _servers(seen: Analysis) -> str:
    names = seen.facts.servers
    rest = len(names) - _MOST_SERVERS
    return ", ".join(names[:_MOST_SERVERS]) + (f" (+{rest})" if rest > 0 else "")


def _advice(number: int, one: Advice, texts: Texts, typed: Typed) -> dict[str, Any]:
    text = text_of(one, texts)
    return {
        "id": f"advice-{number}",
        "code": one.code,
        "letter": LETTER[one.severity],
        "severity": one.severity.value,
        "server": one.server,
        "place": one.place,
        "area": words.area(one.area, texts),
        "title": text.title,
        "message": message_of(one, texts),
        "why": text.why.split("\n\n"),
        "cause": words.cause(one, texts),
        "proof": [texts.say(said) for said in one.evidence],
        "fix": "" if one.steps else text.fix,
        "remedies": [(words.where(each, "", texts), words.typed(each, typed)) for each in one.remedies]
        if not one.steps
        else [],
        "steps": [
            step(one_step, where, texts)
            for one_step, where in zip(one.steps, words.shells(one.steps, texts), strict=True)
        ],
        "until": when(one.until) if one.until else "",
        "link": link_of(one.number, texts),
    }


def _rule(number: int, texts: Texts) -> dict[str, str]:
    return {
        "code": f"A{number}",
        "area": words.area(BY_NUMBER[number].area, texts),
        "title": rule_text(number, texts).title,
        "profiles": ", ".join(profiles_shown(number)),
    }


def _since(compared: Compared | None, texts: Texts) -> dict[str, Any] | None:
    if compared is None:
        return None
    title, lines = words.since(compared, texts)
    return {"title": title, "lines": lines}
