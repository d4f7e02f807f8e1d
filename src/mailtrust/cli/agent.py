"""`mailtrust agent`: the loop that keeps a server's certificates published, fresh and rotating."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailtrust.agent.journal import Entry
from mailtrust.agent.loop import Round
from mailtrust.agent.notify import Systemd
from mailtrust.agent.outgoing import Out, told_by_log
from mailtrust.agent.run import Agent, Read, Telling, once
from mailtrust.agent.site import Site
from mailtrust.cli.configurations import reading
from mailtrust.cli.events import entry_report, write_entries
from mailtrust.cli.fix import describe_action
from mailtrust.cli.frame import JsonOption, given, session, texts
from mailtrust.cli.output import emit, emit_line, say, warn
from mailtrust.cli.program import application
from mailtrust.core.clean import clean
from mailtrust.core.model.server import ServerName
from mailtrust.texts import Texts

if TYPE_CHECKING:
    from mailtrust.cli.agent_dashboard import AgentDashboard

app = application()

AGENT_SCHEMA, ENTRY_SCHEMA = "mailtrust.agent/1", "mailtrust.agent-entry/1"


@app.command(epilog="Example: mailtrust agent --config-dir /etc/mailtrust/servers.d")
def agent(
    context: typer.Context,
    *,
    config_dir: Annotated[
        Path | None,
        given("Look after every server with a *.toml there, instead of --config.", metavar="FOLDER"),
    ] = None,
    web: Annotated[
        bool, typer.Option("--web", help="Show the dashboard as well, at web.listen of the configuration.")
    ] = False,
    once_only: Annotated[
        bool, typer.Option("--once", help="Look and act once, say what was done, and exit.")
    ] = False,
    print_units: Annotated[
        bool, typer.Option("--print-units", help="Write the systemd units that come with it, and exit.")
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """
    Look after this server's certificates until it is stopped: publish, keep a successor, rotate, mend.

    What it does is a plan first, in the journal: see `mailtrust events`. SIGHUP reads the configuration
    again.
    With --once it exits 1 where something could not be done or looked at.
    """
    if print_units:
        _print_units(json_output=json_output)
        return
    read = reading(session(context), config_dir, context)
    shelf = texts()
    # Each event once: a terminal shows the sentences, and whoever takes --json has the lines already.
    out = Out(shelf.language, log_here=not (json_output or sys.stdout.isatty() or sys.stderr.isatty()))
    tell = _teller(shelf, out, json_output=json_output)
    telling = Telling(tell, warn, Systemd.of(os.environ), out)
    if once_only:
        raise typer.Exit(asyncio.run(_once(read, telling, json_output=json_output)))
    asyncio.run(_run(Agent(read, telling), _dashboard(read) if web else None))


def _dashboard(read: Read) -> "AgentDashboard":
    """Refused now rather than later, where it could not be shown as it is configured."""
    from mailtrust.cli.agent_dashboard import AgentDashboard

    found = AgentDashboard(read)
    found.check()
    return found


async def _run(agent: Agent, shown: "AgentDashboard | None") -> None:
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(agent.run())
    showing = asyncio.create_task(shown.run()) if shown else None

    def reload() -> None:
        agent.reload()
        if shown is not None:
            shown.reload()

    def stop() -> None:
        if agent.is_stopping:
            # Whoever asks twice does not want to wait for the act at hand.
            running.cancel()
        agent.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        with suppress(asyncio.CancelledError):
            await running
    finally:
        if showing is not None:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)


async def _once(read: Read, telling: Telling, *, json_output: bool) -> int:
    silent = Telling(
        (lambda _, __: None) if json_output else telling.entries,
        telling.complaint,
        out=replace(telling.out, log_here=False),
    )
    well, rounds = await once(read, silent)
    if json_output:
        servers = [_report(name, found) for name, found in sorted(rounds.items())]
        emit({"schema": AGENT_SCHEMA, "servers": servers})
    else:
        for name, found in sorted(rounds.items()):
            say(f"{name}: {found.status}")
    return 0 if well else 1


def _report(name: ServerName, found: Round) -> dict[str, Any]:
    plan = found.course.plan if found.course else None
    return {
        "server": name,
        "done": [describe_action(action) for action in found.done],
        "failed": list(found.failed),
        "unread": list(found.unread),
        "why": found.course.why if found.course else None,
        "phase": plan.phase.value if plan else None,
        "waits_for": [
            {
                "code": one.said.phrase,
                "place": one.place or None,
                "gate": one.gate.value,
                "until": one.until.isoformat() if one.until else None,
            }
            for one in (plan.obstacles if plan else ())
        ],
    }


def _teller(shelf: Texts, out: Out, *, json_output: bool) -> Any:
    def tell(site: Site, found: tuple[Entry, ...]) -> None:
        if not json_output and told_by_log(site.config, out, os.environ):
            return
        if json_output:
            for entry in found:
                emit_line({"schema": ENTRY_SCHEMA, **entry_report(entry, shelf), "of": site.server})
            return
        write_entries(found, shelf, json_output=False, before=f"{site.server}  ")
        sys.stdout.flush()

    return tell


def _print_units(*, json_output: bool) -> None:
    found = sorted((files("mailtrust") / "systemd").iterdir(), key=lambda one: one.name)
    units = {one.name: one.read_text(encoding="utf-8") for one in found if one.name.startswith("mailtrust-")}
    if json_output:
        emit({"schema": AGENT_SCHEMA, "units": units})
        return
    for name, text in units.items():
        say(f"# /etc/systemd/system/{name}\n{clean(text)}")
