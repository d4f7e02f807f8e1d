"""`mailtrust enforce`: from counting to deferring, peer by peer, and back."""

import asyncio
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from mailtrust import clock
from mailtrust.agent.counting import Report, report
from mailtrust.agent.journal import Journal
from mailtrust.agent.site import open_site
from mailtrust.cli.frame import DryRunOption, JsonOption, Session, YesOption, confirm, session, texts
from mailtrust.cli.output import caution, emit, say
from mailtrust.cli.program import application
from mailtrust.cli.report import mode_towards
from mailtrust.config import Config, parse
from mailtrust.config.edit import read_text, replace_text, with_modes
from mailtrust.core.model.certificate import Fingerprint
from mailtrust.core.model.sighting import Act
from mailtrust.core.sessions import ENOUGH_CLEAN_DAYS, PeerReport
from mailtrust.errors import BadConfiguration, MailtrustError, Refused, StoreUnavailable

app = application()

ENFORCE_SCHEMA = "mailtrust.enforce/1"


@dataclass(frozen=True, slots=True)
class _Change:
    """What is to stand in the configuration."""

    wanted: str
    mode: str | None
    """For everybody; None: it stays."""
    peers: Mapping[str, str]


@app.command(epilog="Example: mailtrust enforce 192.0.2.7 --days 14")
def enforce(
    context: typer.Context,
    peers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PEER...", show_default=False, help="An address or next hop of the report, or a server."
        ),
    ] = None,
    *,
    everybody: Annotated[bool, typer.Option("--all", help="All peers, and the mode itself.")] = False,
    days: Annotated[
        int, typer.Option("--days", metavar="N", min=1, max=400, help="So many clean days it takes.")
    ] = ENOUGH_CLEAN_DAYS,
    force: Annotated[bool, typer.Option("--force", help="Whatever was counted.")] = False,
    back: Annotated[bool, typer.Option("--back", help="Back to report mode.")] = False,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    Turn from report to enforce: from then on a peer that is not trusted is deferred.

    Changes the modes in the configuration file, and nothing else in it.
    """
    if bool(peers) == everybody:
        raise typer.BadParameter("name a peer, or say --all", ctx=context)
    here = session(context)
    config = here.config()
    file = _file(config)
    wanted = "report" if back else "enforce"
    found = _counted(config, needed=not (force or back))
    named = (
        tuple(one.peer for one in found) if everybody else _keys(peers or [], found, config, force or back)
    )
    if not (force or back):
        _refuse_unclean(here, found, named, days)
    before = read_text(file)
    change = _change(config, wanted, named, everybody=everybody)
    after = with_modes(before, change.mode, change.peers)
    parse(after, file)
    diff = "".join(_diff(before, after, file))
    if before != after and not dry_run:
        if not json_output:
            say(diff.rstrip())
        confirm(f"Write this into {file}?", yes=yes)
        replace_text(file, before, after)
        _record(config, change, named, everybody=everybody)
    if json_output:
        emit({
            "schema": ENFORCE_SCHEMA, "file": str(file), "mode": wanted, "peers": sorted(set(named)),
            "all": everybody, "changed": before != after and not dry_run, "diff": diff,
        })  # fmt: skip
        return
    _tell(here, config, change, named, diff, dry_run=dry_run, everybody=everybody)


def _counted(config: Config, *, needed: bool) -> tuple[PeerReport, ...]:
    """What was counted.  The way back, and the forced one, must not fail for want of a diary."""

    async def look() -> Report:
        async with open_site(config) as site:
            return await report(site, clock.now())

    try:
        found = asyncio.run(look())
    except MailtrustError as error:
        if needed:
            raise
        caution(error.message)
        return ()
    shelf = texts()
    for note in found.notes:
        caution(shelf.say(note))
    return found.peers


def _keys(
    peers: Iterable[str],
    found: Iterable[PeerReport],
    config: Config,
    unseen_too: bool,  # noqa: FBT001
) -> tuple[str, ...]:
    """
    What the configuration calls these peers: a server by every address that its key came from.

    Raises: Refused for one of whom nothing was counted, unless that is fine.
    """
    keys: dict[str, None] = {}
    for peer in peers:
        known = [one.peer for one in found if peer in (one.peer, *one.servers)]
        if not known and peer not in config.transport.peer_modes and not unseen_too:
            raise Refused(
                f"no session with {peer} was counted, so nobody knows what enforcing would do",
                hint="`mailtrust report` lists who was; --force enforces all the same",
            )
        keys |= dict.fromkeys(known or [peer])
    return tuple(keys)


def _refuse_unclean(here: Session, found: Iterable[PeerReport], named: Iterable[str], days: int) -> None:
    wanted = set(named)
    unclean = [one for one in found if one.peer in wanted and one.clean_days < days]
    if unclean:
        told = ", ".join(f"{one.peer} has {one.clean_days}" for one in unclean)
        raise Refused(
            f"it takes {days} clean days in a row, and {told}",
            hint=f"`{here.command('report')}` shows why; --days asks for fewer, --force for none",
        )
    if not wanted:
        raise Refused(
            "no session was counted yet, so nobody knows what enforcing would do",
            hint="wait for mail, or add --force",
        )


def _change(config: Config, wanted: str, named: Iterable[str], *, everybody: bool) -> _Change:
    if everybody:
        others = {peer: wanted for peer, mode in config.transport.peer_modes.items() if mode != wanted}
        return _Change(wanted, wanted if config.transport.mode != wanted else None, others)
    return _Change(wanted, None, {one: wanted for one in named if mode_towards(config, one) != wanted})


def _file(config: Config) -> Path:
    if config.file is None:
        raise BadConfiguration(
            "there is no configuration file to write the mode into", hint="`mailtrust init` writes one"
        )
    return config.file


def _diff(before: str, after: str, file: Path) -> Iterable[str]:
    lines = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return difflib.unified_diff(*lines, f"{file} (before)", f"{file} (after)", n=1)


def _record(config: Config, change: _Change, named: Iterable[str], *, everybody: bool) -> None:
    now, journal = clock.now(), Journal(config.server.store)
    try:
        for peer in ("everybody",) if everybody else named:
            journal.record_act(Act(change.wanted, config.server.name, Fingerprint(""), now, peer))
    except StoreUnavailable as error:
        caution(error.message)


def _tell(
    here: Session,
    config: Config,
    change: _Change,
    named: Iterable[str],
    diff: str,
    *,
    dry_run: bool,
    everybody: bool,
) -> None:
    who = "everybody" if everybody else ", ".join(named)
    if not diff:
        say(f"nothing to change: the mode towards {who} is {change.wanted}")
        return
    if dry_run:
        say(diff.rstrip())
        say(f"would set the mode towards {who} to {change.wanted}")
        return
    say(f"the mode towards {who} is {change.wanted}", "green")
    if config.transport.kind == "hub":
        say("next: restart the hub, which reads its configuration when it starts")
    elif config.transport.kind == "postfix" and change.wanted == "enforce":
        say("next: let the peer's route lead to the listener of its own, then take its old credential away")
    if change.wanted == "enforce":
        words = ("--all",) if everybody else tuple(named)
        say(f"the way back: {here.command('enforce', *words, '--back')}")
