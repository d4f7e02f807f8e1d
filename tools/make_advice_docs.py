"""Writes docs/advice.md and docs/advice.zh.md from the rules and their texts; --check only compares."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from mailtrust.core.advice import RULES, Area, Profile, Rule
from mailtrust.core.events.explain import in_capitals
from mailtrust.texts import LANGUAGES, Texts, load
from tools.generated import DOCS, head, table, write_or_compare

PAGES = {"en": DOCS / "advice.md", "zh": DOCS / "advice.zh.md"}
EVENTS = {"en": "events", "zh": "events/zh"}
TITLE = {"en": "Title", "zh": "标题"}
KEEPS_AWAY = {"en": "Keeps away", "zh": "可避免"}
AREAS = {area: f"area-{area.value}" for area in Area}


def pages() -> Mapping[Path, str]:
    """The page of every language, by its path."""
    return {PAGES[language]: "\n".join(_page(language)) for language in LANGUAGES}


def profiles(rule: Rule) -> str:
    """Every profile in which a rule is told."""
    return ", ".join(f"`{one.value}`" for one in Profile if rule.belongs_to(one))


def _page(language: str) -> Iterator[str]:
    texts = load(language, strict=True)
    yield head(f"advice.{language}")
    rows = [
        (f"[{rule.code}](#{rule.code.lower()})", texts.label(f"severity-{rule.severity.value}"),
         profiles(rule), texts.advice(rule.code).title)
        for rule in RULES
    ]  # fmt: skip
    columns = (
        texts.label("advice-rule"), texts.label("severity"), texts.label("advice-profile"), TITLE[language],
    )  # fmt: skip
    yield table(columns, rows)
    for area in dict.fromkeys(rule.area for rule in RULES):
        yield f"\n## {texts.label(AREAS[area])}"
        for rule in RULES:
            if rule.area is area:
                yield from _rule(rule, texts)
    yield ""


def _rule(rule: Rule, texts: Texts) -> Iterator[str]:
    prose = texts.advice(rule.code)
    yield f"\n### {rule.code}\n\n**{prose.title}**\n"
    seen = [f"[{one.code}]({EVENTS[texts.language]}/{one.code}.md)" for one in rule.see]
    keeps = f"; {KEEPS_AWAY[texts.language]}: {', '.join(seen)}" if seen else ""
    yield f"{texts.label(f'severity-{rule.severity.value}')}; {profiles(rule)}{keeps}\n"
    yield f"- {in_capitals(prose.found)}"
    yield f"- {texts.label('advice-why')}: {prose.why}"
    yield f"- {texts.label('advice-fix')}: {prose.fix.rstrip(':：')}"


if __name__ == "__main__":
    sys.exit(write_or_compare(pages(), sys.argv[1:]))
