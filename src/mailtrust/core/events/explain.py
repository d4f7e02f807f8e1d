"""
The page of an event: what `mailtrust explain 12012` shows.

It has every field of the page that Exchange's administrators know: product, version, event ID, source,
category, symbolic name, severity, message, explanation, conditions, user action, see also.  The prose
comes in from outside, in the reader's language; what names and numbers are comes from the catalog.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mailtrust.core.model.event import Category, Event, Severity

EXPLAIN_SCHEMA = "mailtrust.explain/1"
PRODUCT = SOURCE = "mailtrust"

_PLACEHOLDER = re.compile(r"\{([a-z_]+)(?::([^|{}]+)\|([^|{}]+))?\}")
"""A value, ``{count}``, or words that agree with it, ``{count:certificate|certificates}``."""


@dataclass(frozen=True, slots=True)
class EventText:
    """The prose of one event in one language."""

    title: str
    message: str
    """With a ``{placeholder}`` for `server` and for each of the event's parameters."""
    explanation: str
    """Paragraphs, with an empty line between them."""
    conditions: tuple[str, ...]
    user_action: tuple[str, ...]
    see_also: tuple[str, ...]
    """Numbers of other events, commands, and pages of the documentation."""
    causes: Mapping[str, str] = field(default_factory=dict)
    """By the cause's code, in the catalog's order; may name the message's values and `fingerprint`."""


@dataclass(frozen=True, slots=True)
class Page:
    """Everything there is to read about one event."""

    product: str
    version: str
    event_id: int
    source: str
    exchange_source: str
    """Where Exchange logs the same event, under the same number; empty where the event is ours."""
    category: Category
    name: str
    severity: Severity
    parameters: tuple[str, ...]
    text: EventText
    """With the parameters in capitals, as in ``the certificate of SERVER``."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list of all events."""

    event_id: int
    name: str
    severity: Severity
    title: str


def explain(event: Event, text: EventText, version: str) -> Page:
    """The page of *event* in the language of *text*."""
    return Page(
        PRODUCT,
        version,
        event.code,
        SOURCE,
        event.known_as.partition(" ")[0],
        event.category,
        event.name,
        event.severity,
        ("server", *event.parameters),
        EventText(
            text.title,
            in_capitals(text.message),
            in_capitals(text.explanation),
            tuple(map(in_capitals, text.conditions)),
            tuple(map(in_capitals, text.user_action)),
            text.see_also,
            {cause: in_capitals(text.causes[cause]) for cause in event.causes},
        ),
    )


def contents(events: Iterable[Event], title: Callable[[int], str]) -> tuple[Entry, ...]:
    """Every event in the order of its number; *title* gives the title of one."""
    ordered = sorted(events, key=lambda event: event.code)
    return tuple(Entry(event.code, event.name, event.severity, title(event.code)) for event in ordered)


def page_as_json(page: Page) -> dict[str, Any]:
    """The whole of `mailtrust explain EVENT --json`."""
    text = page.text
    return {
        "schema": EXPLAIN_SCHEMA,
        "product": page.product,
        "version": page.version,
        "event": page.event_id,
        "source": page.source,
        "exchange_source": page.exchange_source or None,
        "category": page.category.value,
        "name": page.name,
        "severity": page.severity.value,
        "title": text.title,
        "message": text.message,
        "parameters": list(page.parameters),
        "explanation": text.explanation,
        "conditions": list(text.conditions),
        "causes": [{"cause": cause, "text": prose} for cause, prose in text.causes.items()],
        "user_action": list(text.user_action),
        "see_also": list(text.see_also),
    }


def contents_as_json(entries: Iterable[Entry]) -> dict[str, Any]:
    """The whole of `mailtrust explain --json`."""
    return {
        "schema": EXPLAIN_SCHEMA,
        "events": [
            {
                "event": entry.event_id,
                "name": entry.name,
                "severity": entry.severity.value,
                "title": entry.title,
            }
            for entry in entries
        ],
    }


def placeholders(template: str) -> frozenset[str]:
    """The names that *template* wants filled."""
    return frozenset(found[1] for found in _PLACEHOLDER.finditer(template))


def filled(template: str, values: Mapping[str, str]) -> str:
    """*template* with its values; a placeholder that has none stays as it is."""

    def value(found: re.Match[str]) -> str:
        if found[2] is None or found[1] not in values:
            return values.get(found[1], found[0])
        return found[2 if values[found[1]] == "1" else 3]

    return _PLACEHOLDER.sub(value, template)


def in_capitals(template: str) -> str:
    """*template* as one reads it where there are no values: the certificate of SERVER ends in HOURS hours."""
    return _PLACEHOLDER.sub(lambda found: found[3] or found[1].upper(), template)
