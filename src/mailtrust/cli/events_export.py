"""`mailtrust events export`: the journal in the form that systemd's tools take."""

import sys
from typing import Annotated

import typer

from mailtrust import clock
from mailtrust.agent.journal import Journal
from mailtrust.agent.log_record import log_record
from mailtrust.cli.frame import JsonOption, given, session, texts
from mailtrust.cli.moments import moment_past
from mailtrust.cli.output import emit_line
from mailtrust.logs.journald import exported
from mailtrust.logs.lines import report

EPILOG = "Example: mailtrust events export --since 2d > events.export"


def export(
    context: typer.Context,
    *,
    since: Annotated[
        str | None, given("From then on: 2026-06-01T12:00Z, or 2h for two hours ago.", metavar="TIME")
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """
    Write what is on record in the export format of systemd's journal.

    `systemd-journal-remote -o events.journal events.export` makes a file of it for `journalctl --file`, also
    where no journal runs. With --json: a line for each entry, as log.to = "json" writes them.
    """
    config = session(context).config()
    shelf = texts()
    begin = moment_past(since, clock.now()) if since else None
    for entry in Journal(config.server.store).entries(since=begin):
        record = log_record(entry, shelf, config.file)
        if json_output:
            emit_line(report(record))
        else:
            sys.stdout.buffer.write(exported(record))
    sys.stdout.flush()
