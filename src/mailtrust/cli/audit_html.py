"""The audit as one page for a browser: no script, nothing loaded from anywhere, readable on paper too."""

from __future__ import annotations

from typing import Any

from mailtrust.agent.last_run import Changes
from mailtrust.cli import audit_words as words
from mailtrust.cli.html import page, step
from mailtrust.core.exchange.judgement import Audit
from mailtrust.core.model.event import Said, when
from mailtrust.texts import Texts

_TEMPLATE = "audit.html.j2"
_LABELS = (
    "proof", "not", "cause", "mail", "explains", "since", "do", "asks", "breaks", "audit-title", "servers",
    "for-information", "next-90-days", "not-looked-at",
)  # fmt: skip


def audit_html(audit: Audit, texts: Texts, changes: Changes | None) -> str:
    """The whole page, for a file."""
    return page(
        _TEMPLATE,
        _LABELS,
        texts,
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
            step(one_step, where, texts)
            for one_step, where in zip(one.steps, words.shells(one.steps, texts), strict=True)
        ],
    }


def _since(changes: Changes | None, texts: Texts) -> dict[str, Any] | None:
    if changes is None:
        return None
    title = texts.say(Said("page.since", {"at": when(changes.since)}))
    lines = list(words.since(changes, texts))
    return {"title": title, "lines": lines or [texts.say(Said("page.nothing-new"))]}
