"""`mailtrust postfix undo`: our own lines, out of master.cf again."""

import typer

from mailtrust.cli.frame import DryRunOption, JsonOption, YesOption, confirm, session
from mailtrust.cli.output import caution, emit, say
from mailtrust.cli.postfix_instance import InstanceOption, folder_of, places_of
from mailtrust.transports.postfix import postconf
from mailtrust.transports.postfix.change import Change, apply, taken_back
from mailtrust.transports.postfix.look import routes_of
from mailtrust.transports.postfix.ours import HUB, all_wanted

UNDO_SCHEMA = "mailtrust.postfix-undo/1"
EXAMPLE = "Example: mailtrust postfix undo --dry-run"


def undo(
    context: typer.Context,
    *,
    instance: InstanceOption = None,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    Take our lines out of master.cf again.

    A line that was edited by hand stays and is named. Postfix is not reloaded; tables and keys stay.
    """
    config = session(context).config()
    folder = folder_of(config, instance)
    places = places_of(config)
    services = all_wanted(config.server.listeners, places, "")
    change = taken_back(folder, [one.key for one in services])
    if change.needed and not dry_run:
        seen = postconf.read(folder)
        stranded = sorted({one.pattern for one in routes_of(seen).routes if one.transport == HUB})
        if stranded:
            caution(
                f"mail for {', '.join(stranded)} is routed to {HUB}, and without it will wait in the queue"
            )
        if not json_output:
            say(change.diff().rstrip("\n"))
        confirm(f"Write this to {change.file}?", yes=yes)
        apply(change, seen)
    _tell(change, json_output=json_output, done=change.needed and not dry_run)
    left = {one.key for one in services} & {one.key for one in postconf.read(folder).services}
    if left and not change.needed:
        caution(f"{', '.join(sorted(left))} stays in force: no comment of ours says that we wrote it")
    if change.needed and not dry_run and not json_output:
        say("next: let Postfix read master.cf")
        say(f"  {postconf.its_command(folder, 'postfix', 'reload')}")
        say(f"the tables and the chain file in {places.folder} stay; nothing reads them then")


def _tell(change: Change, *, json_output: bool, done: bool) -> None:
    if json_output:
        emit({
            "schema": UNDO_SCHEMA, "file": str(change.file), "changed": done, "needed": change.needed,
            "diff": change.diff(),
            "kept": [
                {"line": one.line, "service": one.key, "in_force": not one.silenced} for one in change.kept
            ],
        })  # fmt: skip
        return
    if not change.needed:
        say(f"nothing to undo: {change.file} has no lines of ours")
        return
    if done:
        say(f"took our lines out of {change.file}; Postfix goes on as before until it is reloaded", "green")
    else:
        say(change.diff().rstrip("\n"))
        say(f"would write this to {change.file}")
    for one in change.kept:
        how = f"as a comment, because {one.key} is gone" if one.silenced else "as it is"
        say(f"left {how}, for it was edited by hand: {one.line.strip()}", "yellow")
