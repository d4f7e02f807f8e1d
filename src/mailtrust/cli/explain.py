"""`mailtrust explain`: the page of an event, in the reader's language."""

import difflib
from collections.abc import Iterable
from typing import Annotated

import typer

import mailtrust
from mailtrust.cli.analyze_rules import is_rule, show_rule
from mailtrust.cli.frame import JsonOption, given, texts
from mailtrust.cli.output import emit, say, width
from mailtrust.cli.program import application
from mailtrust.cli.prose import wide, wrapped
from mailtrust.core.events import catalog
from mailtrust.core.events.explain import Page, contents, contents_as_json, explain, page_as_json
from mailtrust.core.model.event import Event
from mailtrust.errors import BadInput
from mailtrust.texts import Texts

app = application()

_PAGE, _WIDEST = 80, 100
"""The columns of a page, where nobody says how many there are, and at most."""


@app.command("explain", epilog="Example: mailtrust explain 12012 --lang zh")
def explain_event(
    event: Annotated[
        str | None,
        typer.Argument(
            metavar="EVENT", show_default=False, help="Its number or symbolic name; or a rule of `analyze`."
        ),
    ] = None,
    *,
    lang: Annotated[str | None, given("en or zh. Default: by $LANG.", metavar="LANGUAGE")] = None,
    json_output: JsonOption = False,
) -> None:
    """Explain an event: what it means, when it holds, and what to do. Alone: list all events."""
    shelf = texts(lang)
    if event is None:
        _list(shelf, json_output=json_output)
        return
    if is_rule(event):
        show_rule(event, shelf, json_output=json_output)
        return
    found = _event(event)
    page = explain(found, shelf.page(found.code), mailtrust.__version__)
    if json_output:
        emit(page_as_json(page))
    else:
        _show(page, shelf)


def _event(text: str) -> Event:
    names = {event.name.lower(): event for event in catalog.CATALOG}
    codes = {str(event.code): event for event in catalog.CATALOG}
    found = codes.get(text.strip()) or names.get(text.strip().lower())
    if found is None:
        near = difflib.get_close_matches(text.strip().lower(), [*codes, *names], 1)
        meant = f"did you mean {names[near[0]].name if near[0] in names else near[0]}? " if near else ""
        raise BadInput(f"there is no event {text!r}", hint=f"{meant}`mailtrust explain` lists them all")
    return found


def _list(shelf: Texts, *, json_output: bool) -> None:
    entries = contents(catalog.CATALOG, lambda code: shelf.page(code).title)
    if json_output:
        emit(contents_as_json(entries))
        return
    for entry in entries:
        severity = shelf.label(f"severity-{entry.severity.value}")
        say(f"{entry.event_id:>5}  {_padded(severity, 7)}  {entry.title}")


def _show(page: Page, shelf: Texts) -> None:
    say(f"{page.event_id}  {page.text.title}", "bold")
    say()
    source = page.source
    if page.exchange_source:
        source += f" ({page.exchange_source} {page.event_id})"
    rows = (
        ("product", page.product), ("version", page.version), ("event-id", str(page.event_id)),
        ("source", source), ("category", page.category.value), ("name", page.name),
        ("severity", shelf.label(f"severity-{page.severity.value}")),
    )  # fmt: skip
    widest = max(wide(shelf.label(code)) for code, _ in rows)
    for code, value in rows:
        say(f"{_padded(shelf.label(code), widest)}  {value}")
    _section(shelf.label("message"), _paragraphs(page.text.message))
    _section(shelf.label("explanation"), _paragraphs(page.text.explanation))
    _section(shelf.label("conditions"), _bullets(page.text.conditions))
    _section(shelf.label("causes"), _bullets(f"{cause}: {why}" for cause, why in page.text.causes.items()))
    _section(shelf.label("user-action"), _bullets(page.text.user_action))
    _section(shelf.label("see-also"), _bullets(_titled(one, shelf) for one in page.text.see_also))


def _titled(reference: str, shelf: Texts) -> str:
    known = reference.isdecimal() and int(reference) in catalog.BY_CODE
    return f"{reference}  {shelf.page(int(reference)).title}" if known else reference


def _section(title: str, lines: list[str]) -> None:
    if lines:
        say()
        say(title, "bold")
        say("\n".join(lines))


def _paragraphs(text: str) -> list[str]:
    return _spread([_wrapped(part, "  ", "  ") for part in text.split("\n\n")])


def _bullets(texts_: Iterable[str]) -> list[str]:
    return [_wrapped(text, "  - ", "    ") for text in texts_]


def _spread(parts: list[str]) -> list[str]:
    return [f"{part}\n" for part in parts[:-1]] + parts[-1:]


def _wrapped(text: str, first: str, rest: str) -> str:
    """A page is read, also through a pager; programs take --json."""
    return wrapped(text, min(width() or _PAGE, _WIDEST), first, rest)


def _padded(text: str, columns: int) -> str:
    return text + " " * max(0, columns - wide(text))
