"""`mailtrust check`: what is wrong, causes first; a monitoring plugin."""

import asyncio
import sys
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mailtrust import clock
from mailtrust.agent.journal import Journal
from mailtrust.agent.look import Assessment, Scope, assess, refuse_unknown
from mailtrust.agent.report import check_report
from mailtrust.agent.shipping import ship_or_say_why
from mailtrust.agent.site import Site, open_site
from mailtrust.cli import loop
from mailtrust.cli.files import write_file
from mailtrust.cli.frame import JsonOption, UsageError, given, session, texts
from mailtrust.cli.moments import moment_ahead
from mailtrust.cli.output import caution, emit, say
from mailtrust.cli.program import application
from mailtrust.cli.render import EXIT_CODES, first_line, show_assessment
from mailtrust.config import Config, duration
from mailtrust.core.events import catalog
from mailtrust.core.model.server import ServerName, server_name
from mailtrust.errors import BadInput

app = application()


class Format(StrEnum):
    """What is written."""

    TEXT = "text"
    JSON = "json"
    PROMETHEUS = "prometheus"


@app.command(epilog="Example: mailtrust check --all --timeout 5s")
def check(
    context: typer.Context,
    *,
    everybody: Annotated[bool, typer.Option("--all", help="Every server of the directory.")] = False,
    server: Annotated[str | None, given("That server, seen from here.", metavar="NAME")] = None,
    timeout: Annotated[
        str | None, given("How long one look may take. Default: policy.probe_timeout.", metavar="DURATION")
    ] = None,
    ack: Annotated[
        int | None,
        given("Acknowledge that event, of --server or of all: it no longer counts.", metavar="EVENT"),
    ] = None,
    until: Annotated[
        str | None, given("With --ack: until then, as 2026-06-01T12:00Z or 2d.", metavar="TIME")
    ] = None,
    reason: Annotated[str | None, given("With --ack: why; it goes on record.", metavar="TEXT")] = None,
    form: Annotated[
        Format,
        typer.Option(
            "--format", help="For people, for programs, or metrics for Prometheus.", show_default=True
        ),
    ] = Format.TEXT,
    output: Annotated[
        Path | None,
        given("With --format prometheus: write the metrics there, at one stroke.", metavar="FILE"),
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """
    Say what is wrong, causes first, with proof and what to type.

    Exits as a monitoring plugin: 0 well, 1 warning, 2 error, 3 could not look or cannot judge. With
    --format prometheus as well; where FILE is written the plugin's line goes to standard output.
    """
    if output is not None and form is not Format.PROMETHEUS:
        raise UsageError("--output belongs to --format prometheus", ctx=context)
    if json_output and form is not Format.TEXT:
        raise UsageError("--json and --format exclude each other", ctx=context)
    here = session(context)
    config = here.config()
    name = server_name(server) if server else None
    if ack is not None:
        _acknowledge(config, ack, name, until, reason)
        return
    if until is not None or reason is not None:
        raise BadInput(
            "--until and --reason belong to --ack", hint="mailtrust check --ack EVENT --until T --reason R"
        )
    shelf = texts()
    scope, patience = Scope(everybody, name), duration(timeout) if timeout else None
    work = _assess(config, scope, patience, _before(output) if form is Format.PROMETHEUS else None)
    seen, metrics = loop.run(work) if everybody else asyncio.run(work)
    for note in seen.notes:
        caution(note)
    if sentence := ship_or_say_why(config, shelf, clock.now()):
        caution(sentence)
    if form is Format.PROMETHEUS:
        _write(metrics, output, seen)
    elif json_output or form is Format.JSON:
        emit(check_report(seen, shelf))
    else:
        show_assessment(seen, shelf, here.typed)
    raise typer.Exit(EXIT_CODES[seen.verdict])


async def _assess(
    config: Config, scope: Scope, timeout: timedelta | None, before: bytes | None
) -> tuple[Assessment, bytes]:
    """The metrics are made where something was given *before*, if only nothing."""
    async with open_site(config) as site:
        site.journal.tell = caution
        seen = await assess(site, scope, timeout=timeout)
        return seen, b"" if before is None else await asyncio.to_thread(_metrics, site, seen, before)


def _before(output: Path | None) -> bytes:
    """What was written there the last time; nothing where there is nothing to read."""
    try:
        return output.read_bytes() if output is not None else b""
    except OSError:
        return b""


def _metrics(site: Site, seen: Assessment, before: bytes) -> bytes:
    # Whoever wants no metrics does not wait for what they are made with.
    from mailtrust.agent.metrics import known, local
    from mailtrust.web.metrics import exposition

    return exposition((known(seen, local(site, seen)),), before=before)


def _write(metrics: bytes, output: Path | None, seen: Assessment) -> None:
    if output is None:
        sys.stdout.write(metrics.decode())
        return
    write_file(output, metrics, secret=False)
    say(first_line(seen))


def _acknowledge(
    config: Config, event: int, server: ServerName | None, until: str | None, reason: str | None
) -> None:
    if event not in catalog.BY_CODE:
        raise BadInput(f"there is no event {event}", hint="`mailtrust explain` lists them all")
    if not until or not reason:
        raise BadInput(
            "an acknowledgement needs an end and a reason",
            hint=f'mailtrust check --ack {event} --until 2d --reason "hub1 is being rebuilt"',
        )
    now = clock.now()
    end = moment_ahead(until, now)
    if server is not None:
        asyncio.run(_refuse_unknown(config, server))
    Journal(config.server.store).ack(event, server, end, reason, now)
    say(f"{event} of {server or 'every server'} is acknowledged until {end:%Y-%m-%d %H:%M:%SZ}: {reason}")


async def _refuse_unknown(config: Config, server: ServerName) -> None:
    async with open_site(config, looking_only=True) as site:
        await refuse_unknown(site, server)
