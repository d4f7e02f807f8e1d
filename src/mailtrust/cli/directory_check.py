"""`mailtrust directory check`: what this server's account may write, found out by trying."""

import asyncio
from typing import Annotated, Any

import typer

from mailtrust.agent.rights import Judged, try_rights
from mailtrust.agent.site import open_site
from mailtrust.cli.frame import DryRunOption, JsonOption, YesOption, confirm, given, session, texts
from mailtrust.cli.output import emit, foretell, say
from mailtrust.core.model.event import Said
from mailtrust.core.model.server import server_name
from mailtrust.directory.rights import Deed
from mailtrust.texts import Texts

CHECK_RIGHTS_SCHEMA = "mailtrust.directory-check/1"
_DEEDS = {
    Deed.OWN: ("rights.write-own", "rights.mend-write-own"),
    Deed.NEIGHBOUR: ("rights.write-neighbour", "rights.mend-write-neighbour"),
    Deed.NEW: ("rights.create-entry", "rights.mend-create-entry"),
    Deed.ANONYMOUS: ("rights.read-anonymously", "rights.mend-read-anonymously"),
}
"""What each is called, and what to do where it is not as it should be."""
_OUTCOMES = {None: "rights.untried", True: "rights.allowed", False: "rights.refused"}
EXAMPLE = "Example: mailtrust directory check --neighbour hub2.example.test"


def check(
    context: typer.Context,
    *,
    neighbour: Annotated[
        str | None, given("Whose entry must be closed to us. Default: any other server.", metavar="SERVER")
    ] = None,
    anonymous: Annotated[
        bool, typer.Option("--anonymous-may-read", help="Nobody's reading is meant to be allowed.")
    ] = False,
    replica: Annotated[str | None, given("Try there and not at the primary.", metavar="URL")] = None,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    Try what this server's account may write.

    It must be able to write its own entry, and be refused everybody else's. Each trial is undone
    at once. Exits 1 where a rule is not as it should be.
    """
    config = session(context).config()
    other = server_name(neighbour) if neighbour else None
    place = replica or config.directory.primary
    if dry_run:
        foretell(
            f"would try at {place} to write the entries of {config.server.name}, of another server and of"
            " a new one, and to read as nobody",
            json_output=json_output,
        )
        return
    confirm(f"Try at {place} what this account may write? Each trial is undone at once.", yes=yes)

    async def run() -> tuple[Judged, ...]:
        async with open_site(config, looking_only=True) as site:
            return await try_rights(site, replica=replica, neighbour=other, anonymous_may_read=anonymous)

    judged = asyncio.run(run())
    # Whatever else could not be tried may be as it should; a server that cannot publish is not.
    right = all(one.is_right or (one.is_right is None and not one.should) for one in judged)
    if json_output:
        emit({
            "schema": CHECK_RIGHTS_SCHEMA, "replica": place, "right": right,
            "trials": [_report(one) for one in judged],
        })  # fmt: skip
    else:
        shelf = texts()
        for one in judged:
            _tell(one, shelf)
        if all(one.trial.deed is not Deed.NEIGHBOUR for one in judged):
            untried = shelf.phrase("rights.no-neighbour")
            say(f"  ?   {untried}", "magenta")
        say(
            shelf.phrase("rights.all-right" if right else "rights.not-right"),
            "green" if right else "bold red",
        )
    raise typer.Exit(int(not right))


def _tell(one: Judged, shelf: Texts) -> None:
    marks = {None: ("?", "magenta"), True: ("ok", "green"), False: ("NO", "bold red")}
    mark, style = marks[one.is_right]
    deed, mending = _DEEDS[one.trial.deed]
    said = shelf.say(Said(deed, {"entry": one.trial.entry}))
    say(f"  {mark:<2}  {said}: {shelf.phrase(_OUTCOMES[one.trial.allowed])}", style)
    if one.trial.why and one.is_right is not True:
        say(f"      {one.trial.why}")
    if one.is_right is False:
        say(f"      {shelf.phrase(mending)}")


def _report(one: Judged) -> dict[str, Any]:
    trial = one.trial
    return {
        "deed": trial.deed.value, "entry": trial.entry, "allowed": trial.allowed, "should_be": one.should,
        "right": one.is_right, "why": trial.why,
    }  # fmt: skip
