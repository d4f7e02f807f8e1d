"""`mailtrust events`: what opened, changed and closed, from the journal; and logs of Exchange, imported."""

import time
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from mailtrust import clock
from mailtrust.agent.entry_text import entry_message
from mailtrust.agent.journal import Entry, EntryKind, Journal
from mailtrust.agent.report import moment
from mailtrust.cli import events_catalog, events_export, events_hook, events_import
from mailtrust.cli.frame import JsonOption, given, session, texts
from mailtrust.cli.moments import moment_past
from mailtrust.cli.output import emit, emit_line, fitted, say
from mailtrust.cli.program import application
from mailtrust.cli.render import LETTER, STYLE, brief
from mailtrust.core.model.event import when
from mailtrust.core.model.server import server_name
from mailtrust.texts import Texts

app = application()
app.command("catalog", epilog=events_catalog.EPILOG)(events_catalog.catalog)
app.command("export", epilog=events_export.EPILOG)(events_export.export)
app.command("test-hook", epilog=events_hook.EPILOG)(events_hook.try_out)
app.command("import", epilog=events_import.EPILOG)(events_import.import_events)

_LOOK_AGAIN_AFTER_SECONDS = 1.0
_KIND = len("changed")


@app.callback(invoke_without_command=True, epilog="Example: mailtrust events --event 12012 --since 2d")
def events(
    context: typer.Context,
    *,
    server: Annotated[str | None, given("Of that server only.", metavar="NAME")] = None,
    event: Annotated[int | None, given("Of that event only.", metavar="EVENT")] = None,
    since: Annotated[
        str | None, given("From then on: 2026-06-01T12:00Z, or 2h for two hours ago.", metavar="TIME")
    ] = None,
    until: Annotated[str | None, given("Up to then.", metavar="TIME")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    json_output: JsonOption = False,
) -> None:
    """Show what opened, changed and closed, oldest first; --json --follow writes one entry per line."""
    if context.invoked_subcommand is not None:
        return
    now = clock.now()
    name = server_name(server) if server else None
    begin, end = (moment_past(text, now) if text else None for text in (since, until))
    shelf = texts()
    journal = Journal(session(context).config().server.store)
    found = journal.entries(name, event, begin, end)
    if json_output and not follow:
        emit([entry_report(one, shelf) for one in found])
        return
    write_entries(found, shelf, json_output=json_output)
    if not found and not follow:
        say("nothing is on record" if begin is None and end is None else "nothing is on record for that time")
    last = found[-1].id if found else 0
    while follow:
        time.sleep(_LOOK_AGAIN_AFTER_SECONDS)
        found = journal.entries(name, event, begin, end, after_id=last)
        write_entries(found, shelf, json_output=json_output)
        last = found[-1].id if found else last


def entry_report(entry: Entry, shelf: Texts) -> dict[str, Any]:
    """One entry as JSON."""
    return {
        "id": entry.id,
        "at": moment(entry.at),
        "kind": entry.kind.value,
        "event": entry.event.code if entry.event else None,
        "name": entry.event.name if entry.event else None,
        "severity": entry.severity.value if entry.severity else None,
        "server": entry.server,
        "place": entry.place,
        "cause": entry.cause,
        "action": entry.action,
        "message": entry_message(entry, shelf),
        "suppressed": entry.suppressed,
        "evidence": [{"code": one.phrase, "said": shelf.say(one)} for one in entry.evidence],
    }


def write_entries(found: Iterable[Entry], shelf: Texts, *, json_output: bool, before: str = "") -> None:
    """One line for each, or several where it is narrow; *before* stands in front of it."""
    for entry in found:
        if json_output:
            emit_line(entry_report(entry, shelf))
            continue
        lead = f"{before}{when(entry.at)}  {entry.kind.value:<{_KIND}}  "
        again = f" (and {entry.suppressed} times more before)" if entry.suppressed else ""
        text = f"{_what(entry, shelf)}{again}"
        say(
            fitted(lead, text, " " * len(lead)),
            "green" if entry.kind is EntryKind.CLOSED else STYLE[entry.severity] if entry.severity else "",
        )


def _what(entry: Entry, shelf: Texts) -> str:
    """In a line: a finding by its title, and in full what only a transport saw."""
    finding = entry.finding
    if entry.kind is EntryKind.ACKNOWLEDGED and entry.event is not None:
        what = entry.values.get("rule", str(entry.event.code))
        return f"{what} of {entry.server or 'every server'}: {entry.note}"
    if finding is None:
        return entry_message(entry, shelf)
    head = f"{LETTER[finding.severity]} {brief(finding)}"
    if entry.kind is EntryKind.RAISED:
        return f"{head}: {entry_message(entry, shelf)}"
    name = finding.values.get("fingerprint", "-").strip("-")
    return f"{head}: {shelf.page(finding.event.code).title}{f' ({name})' if name else ''}"
