"""
Writes the message catalogs of systemd's journal from the events and their texts; --check only compares.

Of an entry of the journal that is about an event, `journalctl -x` shows what the event's page says, with the
values of the entry (``@FIELD@``).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mailtrust.cli.prose import wrapped
from mailtrust.core.events import catalog
from mailtrust.core.events.message_id import message_id
from mailtrust.core.model.event import Event
from mailtrust.logs.record import PREFIX, VALUE
from mailtrust.texts import Texts, load
from tools.generated import ROOT, write_or_compare

FOLDER = ROOT / "src" / "mailtrust" / "systemd"
FILES = {"en": "mailtrust.catalog", "zh": "mailtrust.zh_CN.catalog"}
"""English has no language in its name: it is shown where nothing else fits."""
HEAD = "# Made from the texts of the events by tools/make_message_catalogs.py: change those.\n"

_COLUMNS = 76
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


def pages() -> Mapping[Path, str]:
    """Every catalog, by its path."""
    return {FOLDER / name: _catalog(load(language, strict=True)) for language, name in FILES.items()}


def _catalog(texts: Texts) -> str:
    events = sorted(catalog.CATALOG, key=lambda event: event.code)
    return "\n".join((HEAD, *(_entry(event, texts) for event in events)))


def _entry(event: Event, texts: Texts) -> str:
    page = texts.page(event.code)
    lines = [
        f"-- {message_id(event.code)}",
        f"Subject: {event.code} {page.title} (@{PREFIX}SERVER@)",
        f"Defined-By: mailtrust, {event.name}",
        f"Documentation: mailtrust explain {event.code}",
        "",
        f"{texts.label('cause')}: @{PREFIX}CAUSE@",
        f"{texts.label('do')}: @{PREFIX}ACTION@",
        *_section("", page.explanation.split("\n\n")),
        *_section(texts.label("user-action"), (f"- {one}" for one in page.user_action)),
        *_section(texts.label("causes"), (f"- {cause}: {page.causes[cause]}" for cause in event.causes)),
        *_section(texts.label("see-also"), (", ".join(page.see_also),)),
    ]
    text = "\n".join(map(_with_fields, lines))
    # The reader of catalogs takes such lines for remarks.
    assert not re.search(r"^[#;]", text, re.MULTILINE), f"{event.code}: a line begins with # or ;"
    return f"{text}\n"


def _section(title: str, paragraphs: Iterable[str]) -> Iterator[str]:
    found = [_filled(one) for one in paragraphs]
    if found:
        yield ""
        yield from (title,) if title else ()
        # Bullets stand below each other, and paragraphs apart.
        yield ("\n" if found[0].startswith("- ") else "\n\n").join(found)


def _filled(paragraph: str) -> str:
    """In lines; what a bullet goes on with stands below its text."""
    is_bullet = paragraph.startswith("- ")
    first, text = ("- ", paragraph[2:]) if is_bullet else ("", paragraph)
    return wrapped(text, _COLUMNS, first, "  " if is_bullet else "")


def _with_fields(text: str) -> str:
    def field(found: re.Match[str]) -> str:
        name = found[1]
        if name == "server":
            return f"@{PREFIX}SERVER@"
        return f"@{VALUE}{name.upper()}@"

    return _PLACEHOLDER.sub(field, text)


if __name__ == "__main__":
    sys.exit(write_or_compare(pages(), sys.argv[1:]))
