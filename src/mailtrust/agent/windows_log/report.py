"""What was imported, as JSON: the whole of `mailtrust events import --json`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mailtrust
from mailtrust.agent.report import moment
from mailtrust.agent.windows_log.importing import Imported, ReadFile
from mailtrust.core.eventlog.history import ServerLog, Span, Trouble, Unknown
from mailtrust.core.eventlog.known import Known
from mailtrust.core.eventlog.next_steps import NextStep, next_steps
from mailtrust.core.events.explain import explain
from mailtrust.texts import Texts
from mailtrust.texts.logged import logged_text

IMPORT_SCHEMA = "mailtrust.events-import/1"


def import_report(found: Imported, texts: Texts) -> dict[str, Any]:
    """Everything, with nothing left out that the page on a terminal shortens."""
    history = found.history
    return {
        "schema": IMPORT_SCHEMA,
        "complete": found.is_whole,
        "files": [_file(one) for one in found.files],
        "since": moment(found.since) if found.since else None,
        "only": list(found.servers),
        "events": {
            "read": history.seen.count,
            "left_out": history.left_out,
            "twice": found.twice,
            "about_certificates": history.of_certificates,
            "unknown": sum(one.span.count for one in history.unknown),
        },
        "servers": [_server(one, texts) for one in history.servers],
        "explained": [_explained(one, texts) for one in logged_kinds(history.servers)],
        "unknown": [_unknown(one) for one in history.unknown],
    }


def logged_kinds(servers: Iterable[ServerLog]) -> tuple[Known, ...]:
    """Every event that some server logged, once, by source and number."""
    kinds = {(one.known.family, one.known.number): one.known for log in servers for one in log.timeline()}
    return tuple(kinds[key] for key in sorted(kinds, key=lambda key: (key[0] != "transport", *key)))


def title(known: Known, texts: Texts) -> str:
    """The event's title: of our own page, else of what we know about Exchange."""
    if known.page is not None:
        return texts.page(known.page.code).title
    return logged_text(texts.language, known).title


def explanation(known: Known, texts: Texts) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What it means, in paragraphs, and what to do about it."""
    if known.page is not None:
        page = explain(known.page, texts.page(known.page.code), mailtrust.__version__).text
        return tuple(page.explanation.split("\n\n")), page.user_action
    found = logged_text(texts.language, known)
    return (found.meaning,), (found.action,)


def _file(one: ReadFile) -> dict[str, Any]:
    return {
        "file": str(one.path),
        "events": one.events,
        "about_certificates": one.known,
        "complete": one.is_whole,
        "refused": one.refused.message if one.refused else None,
        "faults": [
            {
                "damage": fault.damage.value,
                "offset": fault.offset,
                "line": fault.line,
                "record": fault.record,
                "why": fault.why or None,
                "harmless": fault.harmless,
            }
            for fault in one.faults
        ],
        "fault_count": one.fault_count,
    }


def _server(log: ServerLog, texts: Texts) -> dict[str, Any]:
    return {
        "server": log.name or None,
        "timeline": [_trouble(one, texts) for one in log.timeline()],
        "next": [_next(one, texts) for one in next_steps(log)],
    }


def _trouble(one: Trouble, texts: Texts) -> dict[str, Any]:
    return {
        **_span(one.span),
        "event": one.known.number,
        "sources": sorted(one.sources),
        "identifier": one.identifier,
        "name": one.known.name or None,
        "severity": one.severity.value,
        "title": title(one.known, texts),
        "parameters": one.values,
        "ends_about": moment(one.ends) if one.ends else None,
        "together": one.together,
        "message": one.message or None,
    }


def _next(one: NextStep, texts: Texts) -> dict[str, Any]:
    return {
        "about": list(one.about),
        "said": texts.say(one.said),
        "where": texts.say(one.where),
        "commands": list(one.commands),
        "asks": texts.say(one.asks) if one.asks else None,
    }


def _explained(known: Known, texts: Texts) -> dict[str, Any]:
    paragraphs, actions = explanation(known, texts)
    return {
        "event": known.number,
        "family": known.family.value,
        "name": known.name or None,
        "title": title(known, texts),
        "explanation": "\n\n".join(paragraphs),
        "user_action": list(actions),
        "page": known.page is not None,
    }


def _unknown(one: Unknown) -> dict[str, Any]:
    return {
        "source": one.source or None,
        "number": one.number,
        "of_exchange": one.of_exchange,
        **_span(one.span),
    }


def _span(span: Span) -> dict[str, Any]:
    return {
        "count": span.count,
        "first": moment(span.first) if span.first else None,
        "last": moment(span.last) if span.last else None,
    }
