"""The pages say what is there: every command, option, key and event, and every link leads somewhere."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mailtrust.cli.program import WORDS, program
from mailtrust.config.keys import KEYS
from mailtrust.core.events import catalog
from mailtrust.texts import LANGUAGES
from tools import (
    make_advice_docs,
    make_command_docs,
    make_config_docs,
    make_event_docs,
    make_metrics_docs,
)
from tools.generated import write_or_compare

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    return sorted([*DOCS.rglob("*.md"), *(ROOT / "changes").glob("*.md"), ROOT / "README.md"])


def links(page: Path) -> Iterator[str]:
    yield from LINK.findall(FENCE.sub("", page.read_text("utf-8")))


def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, f"{path} {name}")


def every_command() -> Iterator[tuple[str, Any]]:
    for word in WORDS:
        command = program().get_command(None, word)  # type: ignore[arg-type]
        assert command is not None
        yield from commands(command, f"mailtrust {word}")


def section(text: str, heading: str) -> str:
    """What stands below *heading*, up to the next one."""
    found = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def test_every_command_and_option_is_on_the_page() -> None:
    text = (DOCS / "commands.md").read_text("utf-8")
    missing = []
    for path, command in every_command():
        below = section(text, path)
        if not below:
            missing.append(path)
        options = [one for parameter in command.params for one in parameter.opts if one.startswith("-")]
        missing += [f"{path} {one}" for one in options if one not in ("--help", "-h") and one not in below]

    assert missing == []


def test_every_command_shows_an_example() -> None:
    """At three in the morning nobody reads a synopsis."""
    mute = [
        path
        for path, command in every_command()
        if not hasattr(command, "commands") and not (command.epilog or "").startswith("Example: mailtrust ")
    ]

    assert mute == []


def test_every_configuration_key_is_on_the_page() -> None:
    text = (DOCS / "configuration.md").read_text("utf-8")

    assert [key.path for key in KEYS if f"`{key.path}`" not in text] == []


def test_the_configuration_on_the_page_is_one() -> None:
    text = (DOCS / "configuration.md").read_text("utf-8")
    [example] = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)

    assert set(tomllib.loads(example)) <= {key.table for key in KEYS}


def test_every_event_has_a_page_in_every_language() -> None:
    folders = [DOCS / "events" / ("" if language == "en" else language) for language in LANGUAGES]
    wanted = {folder / f"{event.code}.md" for folder in folders for event in catalog.CATALOG}

    assert sorted(str(page) for page in wanted if not page.exists()) == []


def test_no_page_is_about_an_event_that_is_gone() -> None:
    codes = {str(event.code) for event in catalog.CATALOG}
    numbered = [page for page in (DOCS / "events").rglob("*.md") if page.stem.isdigit()]

    assert [str(page) for page in numbered if page.stem not in codes] == []


def test_no_page_of_an_event_shows_our_braces() -> None:
    """It is about the event, and not about one server: a reader shall see SERVER, not {server}."""
    braced = [
        page for page in (DOCS / "events").rglob("*.md") if re.search(r"\{[a-z_]+\}", page.read_text("utf-8"))
    ]

    assert [str(page) for page in braced] == []


def test_generated_pages_are_up_to_date(capsys: Any) -> None:
    makers = (
        make_config_docs, make_command_docs, make_event_docs, make_metrics_docs, make_advice_docs,
    )  # fmt: skip
    made = {path: text for one in makers for path, text in one.pages().items()}

    assert write_or_compare(made, ["--check"]) == 0, capsys.readouterr().err


def test_every_relative_link_leads_somewhere() -> None:
    broken = []
    for page in pages():
        for link in links(page):
            if re.match(r"[a-z]+:", link):
                continue
            place, _, anchor = unquote(link).partition("#")
            target = (page.parent / place).resolve() if place else page
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(f"{page.relative_to(ROOT)}: {link}")

    assert broken == []


def test_every_page_of_the_documentation_is_linked() -> None:
    """A page that nothing leads to is not read, and then not true."""
    reached = {
        (page.parent / unquote(link).partition("#")[0]).resolve() for page in pages() for link in links(page)
    }
    generated_elsewhere = {page for page in (DOCS / "events").rglob("*.md") if page.parent != DOCS / "events"}
    # Beside a page and in another language: the site leads to it from there.
    translated = {page for page in DOCS.rglob("*.zh.md") if page.with_name(f"{page.stem[:-3]}.md").exists()}
    hidden = [page for page in DOCS.rglob("*.md") if page not in reached | generated_elsewhere | translated]

    assert [str(page.relative_to(ROOT)) for page in hidden if page != DOCS / "events" / "index.md"] == []


def test_pages_speak_of_commands_that_exist() -> None:
    unknown = []
    for page in pages():
        for word in re.findall(r"`mailtrust ([a-z]+)[ `]", page.read_text("utf-8")):
            if word not in WORDS:
                unknown.append(f"{page.relative_to(ROOT)}: mailtrust {word}")

    assert unknown == []
