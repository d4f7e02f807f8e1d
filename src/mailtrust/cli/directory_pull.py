"""`mailtrust directory pull`: let the replicas that lack a certificate fetch it now."""

import asyncio
from typing import Annotated, Any

import typer

from mailtrust.agent.pull import Pulled, pull
from mailtrust.agent.site import open_site
from mailtrust.cli.frame import DryRunOption, JsonOption, YesOption, session
from mailtrust.cli.output import emit, foretell, say, warn
from mailtrust.cli.render import place_name
from mailtrust.core.model.certificate import short
from mailtrust.core.model.server import server_name

PULL_SCHEMA = "mailtrust.pull/1"
EXAMPLE = "Example: mailtrust directory pull hub1.example.test"


def pull_entries(
    context: typer.Context,
    server: Annotated[
        str | None, typer.Argument(metavar="[SERVER]", show_default=False, help="Whose. Default: this one's.")
    ] = None,
    *,
    json_output: JsonOption = False,
    yes: YesOption = False,  # noqa: ARG001  # it only hurries what comes anyway, so nothing is asked
    dry_run: DryRunOption = False,
) -> None:
    """
    Let replicas that lack a certificate fetch it now.

    Where a replica cannot be told, says what its administrator can type.
    Exits 1 where one still lacks something.
    """
    config = session(context).config()
    name = server_name(server) if server else config.server.name

    async def run() -> tuple[Pulled, ...]:
        async with open_site(config, looking_only=True) as site:
            return await pull(site, name, dry_run=dry_run)

    results = asyncio.run(run())
    if dry_run and not json_output:
        wanted = [f"would let {one.replica} fetch {short(one.leaf.fingerprint)}" for one in results]
        foretell(*(wanted or ["nothing to fetch: no replica lacks anything"]), json_output=json_output)
        return
    if json_output:
        emit({"schema": PULL_SCHEMA, "server": name, "replicas": [_report(one) for one in results]})
    elif not results:
        say(f"nothing to fetch: every replica that can be read has what the others publish for {name}")
    for one in results if not json_output else ():
        _tell(one)
    raise typer.Exit(int(not dry_run and not all(one.done for one in results)))


def _tell(one: Pulled) -> None:
    what = (
        f"{place_name(one.replica)} lacks {short(one.leaf.fingerprint)}, which {place_name(one.source)} has"
    )
    if one.done:
        say(f"{what}: it was told to fetch it", "green")
        return
    warn(f"mailtrust: {what}")
    if one.why:
        warn(f"because: {one.why}")
    if one.commands:
        say("the directory's administrator can type one of these:")
    for command in one.commands:
        say(f"  {command}")


def _report(one: Pulled) -> dict[str, Any]:
    return {
        "replica": one.replica, "lacks": one.leaf.fingerprint, "source": one.source, "told": one.done,
        "why": one.why, "commands": list(one.commands),
    }  # fmt: skip
