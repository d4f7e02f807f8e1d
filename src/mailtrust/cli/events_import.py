"""`mailtrust events import`: the event logs of Exchange servers, explained."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from mailtrust import clock
from mailtrust.cli.frame import JsonOption, given, texts
from mailtrust.cli.moments import moment_past
from mailtrust.cli.output import emit

_WORTH_A_BAR_BYTES = 4 << 20
EPILOG = "Example: mailtrust events import Application.evtx --since 30d"


def import_events(
    file: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", show_default=False, help="Event logs, .evtx or XML; - is standard input."
        ),
    ],
    *,
    server: Annotated[list[str] | None, given("Of that server only. Repeatable.", metavar="NAME")] = None,
    since: Annotated[
        str | None, given("From then on: 2026-06-01T12:00Z, or 30d for thirty days ago.", metavar="TIME")
    ] = None,
    lang: Annotated[str | None, given("en or zh. Default: by $LANG.", metavar="LANGUAGE")] = None,
    json_output: JsonOption = False,
) -> None:
    """
    Explain the transport-certificate events in exported Windows event logs.

    Reads what Event Viewer, wevtutil or Get-WinEvent saved on Exchange servers: for each server a time line
    with repeats counted, what each event means, and what to check next. Events that it does not know are
    counted. Changes and stores nothing. Exits 1 where a file could not be read to its end, after showing
    what it holds.
    """  # fmt: skip
    from mailtrust.agent.windows_log.importing import import_files

    begin = moment_past(since, clock.now()) if since else None
    shelf = texts(lang)
    with _progress(file) as progress:
        found = import_files(file, since=begin, servers=server or (), progress=progress)
    if json_output:
        from mailtrust.agent.windows_log.report import import_report

        emit(import_report(found, shelf))
    else:
        from mailtrust.cli.events_page import show_imported

        show_imported(found, shelf)
    raise typer.Exit(0 if found.is_whole else 1)


@contextmanager
def _progress(files: list[Path]) -> Iterator[Callable[[Path], Callable[[int], None]] | None]:
    """A bar on standard error, where somebody sits there and waits."""
    sizes = {file: file.stat().st_size for file in files if file.is_file()}
    if not sys.stderr.isatty() or sum(sizes.values()) < _WORTH_A_BAR_BYTES:
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:

        def of(file: Path) -> Callable[[int], None]:
            task = bar.add_task(file.name, total=sizes.get(file))
            return lambda count: bar.advance(task, count)

        yield of
