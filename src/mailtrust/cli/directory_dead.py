"""`mailtrust directory dead`: an operator's word that a replica is gone, so that nothing waits for it."""

import asyncio
from collections.abc import Iterator
from typing import Annotated

import typer

from mailtrust import clock
from mailtrust.agent.site import open_site
from mailtrust.cli.frame import DryRunOption, JsonOption, UsageError, YesOption, confirm, given, session
from mailtrust.cli.moments import moment_ahead
from mailtrust.cli.output import caution, emit, foretell, say
from mailtrust.cli.progress import replica_url
from mailtrust.cli.render import place_name
from mailtrust.config import Config
from mailtrust.core.model.event import when
from mailtrust.core.model.sighting import Dead

DEAD_SCHEMA = "mailtrust.dead/1"
EXAMPLE = "Example: mailtrust directory dead dc3 --until 2d --reason 'its disk is being replaced'"


def declare_dead(
    context: typer.Context,
    replica: Annotated[
        str, typer.Argument(metavar="REPLICA", show_default=False, help="Its URL, or its short name.")
    ],
    *,
    until: Annotated[str | None, given("How long, or until when, it counts as dead.", metavar="TIME")] = None,
    reason: Annotated[str | None, given("Why; it goes on record.", metavar="TEXT")] = None,
    alive: Annotated[bool, typer.Option("--alive", help="Take it back: it lives again.")] = False,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    Say that a replica is gone, so that no rotation waits for it.

    Whoever reads that replica will not know of what happens meanwhile: it has to be brought up to date before
    anybody reads it again. It goes on record, and ends by itself.
    """
    if not alive and (until is None or reason is None):
        raise UsageError("it takes --until and --reason, for the record", ctx=context)
    config = session(context).config()
    now = clock.now()
    ends = now if alive else moment_ahead(until or "", now)
    word = Dead(replica_url(config, replica), ends, reason or "it lives again", now)
    name = place_name(word.place)
    sentence = f"{name} lives again" if alive else f"{name} counts as dead until {when(word.until)}"
    if not alive:
        back = session(context).command("directory", "dead", name, "--alive")
        for warning in _goes_on_being_used(config, word.place, back):
            caution(warning)
    if dry_run:
        foretell(sentence, json_output=json_output)
        return
    if not alive:
        confirm(
            f"Let {name} count as dead until {when(word.until)}, so that no rotation waits for it?", yes=yes
        )

    async def run() -> None:
        async with open_site(config) as site:
            site.journal.declare_dead(word)

    asyncio.run(run())
    if json_output:
        emit({"schema": DEAD_SCHEMA, "replica": word.place, "until": when(word.until), "reason": word.reason})
    else:
        say(sentence)


def _goes_on_being_used(config: Config, place: str, back: str) -> Iterator[str]:
    """What this word does not settle, and an operator may think it does: who reads and writes there."""
    name, where = place_name(place), config.directory
    keys = [f"`directory.{key}`" for key in ("primary", "home") if getattr(where, key) == place]
    if place == where.primary:
        yield (
            f"{name} takes this server's writes: called dead or not, while it is away no rotation publishes"
            " or withdraws anything"
        )
    if place == where.home:
        yield f"this server reads {name}: while it is away it learns of no change, and `check` has no verdict"
    if keys:
        able = " that takes writes (with LDAP, make one so first)" if place == where.primary else ""
        yield (
            f"if {name} does not come back, let {' and '.join(keys)} name another replica{able}; to take this"
            f" word back: {back}"
        )
