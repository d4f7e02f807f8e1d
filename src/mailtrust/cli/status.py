"""`mailtrust status`: the copies side by side, per replica."""

import asyncio
from typing import Annotated, Any

import typer
from rich.text import Text

from mailtrust import clock
from mailtrust.agent.look import Assessment, Scope, assess
from mailtrust.agent.replication import lacks
from mailtrust.agent.report import copies, moment
from mailtrust.agent.site import open_site
from mailtrust.cli.frame import JsonOption, Session, given, session
from mailtrust.cli.grid import grids
from mailtrust.cli.output import caution, emit, say, show
from mailtrust.cli.program import application
from mailtrust.cli.render import first_line
from mailtrust.cli.replication import spread
from mailtrust.config import Config
from mailtrust.core.checks import Verdict
from mailtrust.core.model.server import server_name

app = application()

STATUS_SCHEMA = "mailtrust.status/1"


@app.command(epilog="Example: mailtrust status --all")
def status(
    context: typer.Context,
    *,
    everybody: Annotated[bool, typer.Option("--all", help="Every server of the directory.")] = False,
    server: Annotated[str | None, given("That server, seen from here.", metavar="NAME")] = None,
    json_output: JsonOption = False,
) -> None:
    """
    Show the copies side by side: installed, presented, and published on each replica.

    Exits 0 whatever it shows; `mailtrust check` judges.
    """
    here = session(context)
    seen = asyncio.run(_assess(here.config(), Scope(everybody, server_name(server) if server else None)))
    for note in seen.notes:
        caution(note)
    if json_output:
        emit(_report(seen))
        return
    show(grids(seen.view, seen.scope, clock.now(), lambda one: spread(seen, one)), Text())
    say(first_line(seen).partition(" | ")[0])
    say(f"next: {_next(here, seen, everybody=everybody)}")


async def _assess(config: Config, scope: Scope) -> Assessment:
    async with open_site(config) as site:
        site.journal.tell = caution
        return await assess(site, scope)


def _report(seen: Assessment) -> dict[str, Any]:
    return {
        "schema": STATUS_SCHEMA,
        "checked_at": moment(seen.checked_at),
        "verdict": seen.verdict.value,
        "servers": [copies(seen.view, server, lacks(seen, server)) for server in seen.scope],
    }


def _next(here: Session, seen: Assessment, *, everybody: bool) -> str:
    """The command of the first finding that has one; else the one that explains."""
    actions = [one.action for one in seen.diagnosis.findings if one.action]
    if seen.verdict is not Verdict.OK:
        return (
            here.typed(actions[0]) if actions else here.command("check", *(("--all",) if everybody else ()))
        )
    store = seen.view.store(seen.viewpoint)
    if store is not None and store.found is not None and seen.view.current(seen.viewpoint) is None:
        return here.command("new")
    return here.command("check") if everybody else here.command("status", "--all")
