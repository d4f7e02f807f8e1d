"""
An event's page, as it is written: Markdown with a fixed structure.

    # Title
    The message, with {placeholders}.
    ## Explanation       paragraphs
    ## Conditions        bullets
    ## User action       bullets
    ## See also          bullets
    ## Cause not-enabled a paragraph, one such section per cause

The headings are structure and the same in every language; what a reader sees of them are labels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mailtrust.core.events.explain import EventText
from mailtrust.errors import TextMissing

_SECTIONS = ("Explanation", "Conditions", "User action", "See also")
_CAUSE = "Cause "

# Chinese puts no space between words: a line that ends in its punctuation goes on directly.
_LINE_AFTER_WIDE_PUNCTUATION = re.compile(r"(?<=[，。；：、！？）”])[ \t]*\n[ \t]*(?=\S)")


def event_text(source: str, where: str) -> EventText:
    """
    Read one page; *where* names it in a complaint.

    Raises: TextMissing when a section is missing, empty or not one that we know.
    """
    head, *rest = re.split(r"^## ", source, flags=re.MULTILINE)
    title, message = _title_and_message(head, where)
    sections = {name.strip(): body for name, _, body in (section.partition("\n") for section in rest)}
    for name in sections:
        if name not in _SECTIONS and not name.startswith(_CAUSE):
            raise TextMissing(f"{where}: {name!r} is not a section that we know")
    return EventText(
        title,
        message,
        _paragraphs(_section(sections, "Explanation", where)),
        _bullets(sections, "Conditions", where),
        _bullets(sections, "User action", where),
        _bullets(sections, "See also", where),
        {
            name.removeprefix(_CAUSE): _paragraphs(_section(sections, name, where))
            for name in sections
            if name.startswith(_CAUSE)
        },
    )


def _title_and_message(head: str, where: str) -> tuple[str, str]:
    first, _, rest = head.strip().partition("\n")
    title, message = first.removeprefix("# "), _paragraphs(rest)
    if title == first or not title.strip() or not message:
        raise TextMissing(f"{where}: it does not begin with a title and a message")
    return title.strip(), message


def _section(sections: Mapping[str, str], name: str, where: str) -> str:
    body = sections.get(name, "").strip()
    if not body:
        raise TextMissing(f"{where}: the section {name!r} is missing or empty")
    return body


def _paragraphs(body: str) -> str:
    return "\n\n".join(_one_line(part) for part in re.split(r"\n\s*\n", body.strip()))


def _bullets(sections: Mapping[str, str], name: str, where: str) -> tuple[str, ...]:
    first, *bullets = re.split(r"^- ", _section(sections, name, where), flags=re.MULTILINE)
    if first.strip():
        raise TextMissing(f"{where}: the section {name!r} does not consist of bullets")
    return tuple(_one_line(bullet) for bullet in bullets)


def _one_line(wrapped: str) -> str:
    return " ".join(_LINE_AFTER_WIDE_PUNCTUATION.sub("", wrapped.strip()).split())
