"""Writes docs/events/ from the catalog and the texts of every language; --check only compares."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import mailtrust
from mailtrust.core.events import catalog
from mailtrust.core.events.explain import Page, explain
from mailtrust.texts import LANGUAGES, Texts, load
from tools.generated import DOCS, head, table, write_or_compare

SHELF = DOCS / "events"
TITLE = {"en": "Title", "zh": "标题"}


def pages() -> Mapping[Path, str]:
    """Every page of every language, by its path; English stands in docs/events itself."""
    return {path: text for language in LANGUAGES for path, text in _shelf(language)}


def _shelf(language: str) -> Iterator[tuple[Path, str]]:
    folder = SHELF / ("" if language == "en" else language)
    texts = load(language, strict=True)
    events = sorted(catalog.CATALOG, key=lambda event: event.code)
    rows = [
        (f"[{event.code}]({event.code}.md)", event.name, texts.label(f"severity-{event.severity.value}"),
         texts.page(event.code).title)
        for event in events
    ]  # fmt: skip
    columns = (texts.label("event-id"), texts.label("name"), texts.label("severity"), TITLE[language])
    yield folder / "index.md", "\n".join((head(f"events.{language}"), table(columns, rows), ""))
    for event in events:
        page = explain(event, texts.page(event.code), mailtrust.__version__)
        yield folder / f"{event.code}.md", _text(page, texts, folder)


def _text(page: Page, texts: Texts, folder: Path) -> str:
    source = (
        f"{page.source} ({page.exchange_source} {page.event_id})" if page.exchange_source else page.source
    )
    fields = (
        ("event-id", str(page.event_id)), ("name", page.name),
        ("severity", texts.label(f"severity-{page.severity.value}")),
        ("source", source), ("category", page.category.value),
    )  # fmt: skip
    prose = page.text
    parts = [
        f"# {page.event_id} {prose.title}",
        table(("", ""), ((texts.label(code), value) for code, value in fields)),
        *_section(texts.label("message"), [prose.message]),
        *_section(texts.label("explanation"), [prose.explanation]),
        *_section(texts.label("conditions"), [_bullets(prose.conditions)]),
        *_section(texts.label("causes"), [f"**`{cause}`**: {why}" for cause, why in prose.causes.items()]),
        *_section(texts.label("user-action"), [_bullets(prose.user_action)]),
        *_section(texts.label("see-also"), [_bullets(_linked(one, texts, folder) for one in prose.see_also)]),
    ]
    return "\n\n".join(parts) + "\n"


def _section(title: str, paragraphs: Iterable[str]) -> list[str]:
    filled = [paragraph for paragraph in paragraphs if paragraph]
    return [f"## {title}", *filled] if filled else []


def _bullets(items: Iterable[str]) -> str:
    return "\n".join("- " + item.replace("\n", "\n  ") for item in items)


def _linked(item: str, texts: Texts, folder: Path) -> str:
    if re.fullmatch(r"\d+", item) and int(item) in catalog.BY_CODE:
        return f"[{item}]({item}.md) {texts.page(int(item)).title}"
    if re.fullmatch(r"docs/[\w/-]+\.md", item):
        up = "../" * len(folder.relative_to(DOCS).parts)
        return f"[{item}]({up}{item.removeprefix('docs/')})"
    return item


if __name__ == "__main__":
    sys.exit(write_or_compare(pages(), sys.argv[1:], SHELF))
