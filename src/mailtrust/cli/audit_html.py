"""The audit as one page for a browser: no script, nothing loaded from anywhere, readable on paper too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mailtrust.agent.last_run import Changes
from mailtrust.cli import audit_words as words
from mailtrust.cli.output import clean
from mailtrust.core.exchange.judgement import Audit
from mailtrust.core.model.event import Said, when
from mailtrust.texts import Texts

_TEMPLATE = "audit.html.j2"
_LANGUAGES = {"en": "en", "zh": "zh-Hans"}
_LABELS = (
    "proof", "not", "cause", "mail", "explains", "since", "do", "asks", "breaks", "audit-title", "servers",
    "for-information", "next-90-days", "not-looked-at",
)  # fmt: skip


def audit_html(audit: Audit, texts: Texts, changes: Changes | None) -> str:
    """The whole page, for a file."""
    # Whatever was read anywhere is escaped, and loses what would turn the text around or hide in it.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_plain,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(_TEMPLATE).render(
        language=_LANGUAGES[texts.language],
        label={code: texts.label(code) for code in _LABELS},
        verdict=audit.verdict.value,
        summary=words.summary(audit, texts),
        head=words.head(audit, texts),
        titles=words.titles(texts),
        rows=[words.cells(row, texts) for row in audit.grid],
        legend=words.legend(audit, texts),
        findings=[_finding(one, audit, texts) for one in words.loud(audit)],
        quiet=[_finding(one, audit, texts) for one in words.quiet(audit)],
        endings=[words.ending(one, audit, texts) for one in audit.endings],
        endings_note=texts.say(Said("page.before-update" if audit.endings else "page.nothing-ends")),
        unseen=[(texts.say(one.said), one.commands) for one in audit.unseen],
        since=_since(changes, texts),
    )


def _finding(one: Any, audit: Audit, texts: Texts) -> dict[str, Any]:
    finding = one.finding
    return {
        "title": words.title(one, texts),
        "worst": one.worst.value,
        "said": texts.say(one.said),
        "cause": f"{finding.cause or ''}{': ' if finding.cause else ''}{texts.say(one.cause)}"
        if one.cause
        else "",
        "proof": [texts.say(said) for said in finding.evidence],
        "ruled_out": [f"{out.cause}: {texts.say(out.why)}" for out in finding.ruled_out],
        "routes": [(route.severity.value, words.route(route, texts)) for route in one.routes],
        "hence": words.hence(one, audit.explained),
        "since": when(finding.since) if finding.since else "",
        "steps": [
            {
                "said": texts.say(step.said),
                "where": where,
                "commands": step.commands,
                "asks": texts.say(step.asks) if step.asks else "",
                "risks": [texts.say(risk) for risk in step.risks],
            }
            for step, where in zip(one.steps, words.shells(one.steps, texts), strict=True)
        ],
    }


def _since(changes: Changes | None, texts: Texts) -> dict[str, Any] | None:
    if changes is None:
        return None
    title = texts.say(Said("page.since", {"at": when(changes.since)}))
    lines = list(words.since(changes, texts))
    return {"title": title, "lines": lines or [texts.say(Said("page.nothing-new"))]}


def _plain(value: object) -> object:
    # What is markup is the template's own, put together of what was cleaned before.
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
