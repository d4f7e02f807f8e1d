"""`mailtrust flow`: what mail would meet on its way, in real sessions that move none."""

import asyncio
from typing import Annotated

import typer

from mailtrust.agent.site import Site, open_site
from mailtrust.cli import rehearsal
from mailtrust.cli.frame import JsonOption, UsageError, given, session
from mailtrust.cli.program import application
from mailtrust.config import duration

app = application()


@app.command(epilog="Example: mailtrust flow --rehearse hub2.example.test")
def flow(
    context: typer.Context,
    peers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PEER...",
            show_default=False,
            help="Servers of the directory. Default: every other one that publishes listeners.",
        ),
    ] = None,
    *,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Present the next certificate, up to the peer's yes or no.")
    ] = False,
    certificate: Annotated[
        str | None,
        given("That one, and not the next. Its fingerprint, or the beginning of it.", metavar="CERTIFICATE"),
    ] = None,
    timeout: Annotated[
        str | None, given("For each peer. Default: three times policy.probe_timeout.", metavar="DURATION")
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """
    Ask the peers whether they would take this server's mail with its next certificate.

    A real session with each, by STARTTLS or X-ANONYMOUSTLS: MAIL, RCPT and then RSET, never DATA. No mail is
    moved, and nothing is switched.

    Exits 1 where a peer would not, or could not be asked.
    """
    if not rehearse:
        raise UsageError("say what to do: --rehearse", ctx=context)
    here = session(context)
    config = here.config()
    patience = duration(timeout) if timeout else None

    async def run(site: Site) -> int:
        return await rehearsal.rehearse_here(
            site, peers or (), certificate, patience, json_output=json_output
        )

    async def opened() -> int:
        async with open_site(config) as site:
            return await run(site)

    raise typer.Exit(asyncio.run(opened()))
