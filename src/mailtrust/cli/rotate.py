"""`mailtrust rotate`: move this server to another certificate, in the order that costs no session."""

import asyncio
from datetime import timedelta
from typing import Annotated

import typer

from mailtrust import clock
from mailtrust.agent import rotate
from mailtrust.agent.checklist import report
from mailtrust.agent.hands import hands
from mailtrust.agent.look import ALONE, look
from mailtrust.agent.rotate import Stepped, Switched
from mailtrust.agent.site import Site, open_site
from mailtrust.cli.fix import describe_action
from mailtrust.cli.frame import (
    DryRunOption,
    JsonOption,
    Session,
    UsageError,
    YesOption,
    confirm,
    given,
    session,
    texts,
)
from mailtrust.cli.output import emit, foretell, say, warn
from mailtrust.cli.program import application
from mailtrust.cli.rotate_page import checklist_page
from mailtrust.config import duration, write_duration
from mailtrust.core.model.certificate import short
from mailtrust.core.model.event import when
from mailtrust.core.model.plan import Phase, Plan, Rotation
from mailtrust.core.model.sighting import View
from mailtrust.core.rotation import checklist, plan
from mailtrust.core.succession import pace_of
from mailtrust.errors import Refused

app = application()

ForceOption = Annotated[bool, typer.Option("--force", help="Switch although somebody will defer; says who.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Stay, and carry it to its end.")]
TimeoutOption = Annotated[str | None, given("With --wait: how long at most.", metavar="DURATION")]
_LONG = timedelta(days=365)
_UNTIL_PRESENTED = timedelta(seconds=60)


@app.callback()
def rotate_group() -> None:
    """Move this server to another certificate, in the order that costs no session."""


@app.command(epilog="Example: mailtrust rotate status")
def status(context: typer.Context, *, json_output: JsonOption = False) -> None:
    """The checklist, and what it waits for."""
    here = session(context)

    async def run() -> None:
        async with open_site(here.config(), looking_only=True) as site:
            view, _ = await look(site, ALONE)
            _show(site, view, json_output=json_output)

    asyncio.run(run())


@app.command(epilog="Example: mailtrust rotate prepare")
def prepare(
    context: typer.Context,
    *,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    Make and publish the next certificate.

    Then a rotation waits for nothing. The agent does so by itself.
    """
    here = session(context)

    async def run() -> None:
        async with open_site(here.config(), looking_only=True) as site:
            what = f"make the next certificate of {site.server}, and publish it"
            if dry_run:
                foretell(what, json_output=json_output)
                return
            confirm(f"{what[0].upper()}{what[1:]}?", yes=yes)
            site.journal.read_only = False
            stepped = await rotate.run(site, hands(site), until=Phase.SPREAD)
            _show(site, stepped.view, json_output=json_output)

    asyncio.run(run())


@app.command(epilog="Example: mailtrust rotate start --wait")
def start(
    context: typer.Context,
    *,
    wait: WaitOption = False,
    timeout: TimeoutOption = None,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    Begin a rotation to the next certificate.

    What can be done at once is done at once; the agent carries it to its end.  Nothing is presented before
    every replica has it.
    """
    patience = _patience(context, timeout, wait=wait)
    _begin(session(context), "start", patience, json_output=json_output, yes=yes, dry_run=dry_run)


@app.command(epilog="Example: mailtrust rotate undo")
def undo(
    context: typer.Context,
    *,
    wait: WaitOption = False,
    timeout: TimeoutOption = None,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    Turn round: present again what was replaced.

    What replaced it is withdrawn. Possible as long as what was replaced is published.
    """
    patience = _patience(context, timeout, wait=wait)
    _begin(session(context), "undo", patience, json_output=json_output, yes=yes, dry_run=dry_run)


@app.command(epilog="Example: mailtrust rotate now --yes")
def now(
    context: typer.Context,
    *,
    force: ForceOption = False,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    Switch to the next certificate at once.

    Possible because it is known everywhere already. Where it is not, nothing is changed; --force switches all
    the same.
    """
    here = session(context)

    async def run() -> int:
        async with open_site(here.config(), looking_only=True) as site:
            began = clock.now()
            view, _ = await look(site, ALONE)
            site.journal.read_only = dry_run
            rotate.remember(site, view)
            rotation = rotate.aim(site, view, "now")
            step = plan(rotation, view, pace_of("now", site.policy), began)
            unready = step if step.phase in (Phase.INSTALL, Phase.PUBLISH, Phase.SPREAD) else None
            why_not = _not_everywhere(unready, rotation) if unready and not force else ""
            if dry_run:
                gone = ", ".join(sorted(map(short, rotation.old)))
                would = f"present {short(rotation.new)} at once, and withdraw {gone} once that has settled"
                foretell(f"nothing: {why_not}" if why_not else would, json_output=json_output)
                return 0
            if why_not:
                hint = "--force switches all the same; who reads there defers this server's mail"
                raise Refused(why_not, hint=hint)
            confirm(f"Present {short(rotation.new)} from now on?", yes=yes)
            await rotate.begin(site, "now")
            stepped = await rotate.switch(site, hands(site), force=force, patience=_UNTIL_PRESENTED)
            took = clock.now() - began
            if json_output:
                emit(report(site, stepped.view, texts()) | {"took_seconds": round(took.total_seconds(), 3)})
            else:
                _say_switched(stepped, rotation, took, unready)
                say(f"what was replaced goes when this has settled: {here.command('rotate', 'status')}")
            return int(not stepped.presented)

    raise typer.Exit(asyncio.run(run()))


def _not_everywhere(step: Plan, rotation: Rotation) -> str:
    return f"{short(rotation.new)} is not known everywhere yet: {'; '.join(_reasons(step))}"


def _say_switched(stepped: Switched, rotation: Rotation, took: timedelta, unready: Plan | None) -> None:
    if stepped.presented:
        after = f"{took.total_seconds():.1f} s after the command"
        say(f"every listener presents {short(rotation.new)}, {after}", "green")
    for place in stepped.still_old:
        warn(f"mailtrust: {place} does not present {short(rotation.new)} yet")
    for one in unready.obstacles if unready else ():
        warn(f"mailtrust: who reads {one.place} defers this server's mail until it has it there")


@app.command(epilog="Example: mailtrust rotate compromised --yes")
def compromised(
    context: typer.Context,
    *,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    All keys of this server were stolen: replace them.

    Makes and presents a new one, and withdraws all others for good.  Nothing is waited for, so peers defer
    this server's mail until the new one has reached them.  No way back.
    """
    here = session(context)

    async def run() -> int:
        async with open_site(here.config(), looking_only=True) as site:
            view, _ = await look(site, ALONE)
            within, caveats = rotate.bound(site, view)
            lines = (
                f"make a new key for {site.server}, publish it and present it at once",
                "withdraw for good, with their keys: "
                + (", ".join(map(short, rotate.known(site, view))) or "nothing"),
                "those who read a replica that has not got the new one yet defer this server's mail, and its"
                f" queue keeps it: within {write_duration(site.policy.latency)} all should have it",
                "no peer that can read its replica believes an old key later than"
                f" {write_duration(within)} from then",
                *map(texts().say, caveats),
            )
            if dry_run:
                foretell(*lines, json_output=json_output)
                return 0
            if not json_output:
                for line in lines:
                    say(f"* {line}")
            confirm("Do this? There is no way back", yes=yes)
            site.journal.read_only = False
            intent, stepped = await rotate.compromise(site, hands(site))
            believed_until = clock.now() + within
            if json_output:
                emit(report(site, stepped.view, texts()) | {"believed_at_most_until": when(believed_until)})
                return 0
            say(
                f"{site.server} presents {short(intent.rotation.new)}; all it had before is withdrawn",
                "green",
            )
            say(f"no peer that can read its replica believes an old key after {when(believed_until)}")
            say(f"who does not have the new one yet: {here.command('rotate', 'status')}")
            return 0

    raise typer.Exit(asyncio.run(run()))


def _begin(
    here: Session, why: str, patience: timedelta, *, json_output: bool, yes: bool, dry_run: bool
) -> None:
    async def run() -> int:
        async with open_site(here.config(), looking_only=True) as site:
            view, _ = await look(site, ALONE)
            under_way = view.history.intent
            # Whoever stays for it goes on with what was begun, also by somebody who was killed.
            goes_on = why == "start" and bool(patience) and under_way is not None
            rotation = under_way.rotation if under_way and goes_on else rotate.aim(site, view, why)
            if dry_run:
                foretell(*_foretold(site, view, rotation, why), json_output=json_output)
                return 0
            gone = ", ".join(sorted(map(short, rotation.old)))
            confirm(f"Present {short(rotation.new)}, and withdraw {gone} once that has settled?", yes=yes)
            site.journal.read_only = False
            if not goes_on:
                await rotate.begin(site, why)
            tell = None if json_output else _tell
            stepped = await rotate.run(
                site, hands(site), until=Phase.DONE, deadline_after=patience, watch=tell
            )
            _show(site, stepped.view, json_output=json_output)
            if not stepped.ended and not json_output:
                again = here.command("rotate", "start", "--wait")
                say(f"the agent goes on with it; where none runs: {again}")
            return int(bool(patience) and not stepped.ended)

    raise typer.Exit(asyncio.run(run()))


def _tell(stepped: Stepped) -> None:
    for action in stepped.done:
        say(f"{clock.now():%H:%M:%SZ}  {describe_action(action)}")


def _show(site: Site, view: View, *, json_output: bool) -> None:
    if json_output:
        emit(report(site, view, texts()))
    else:
        checklist_page(site, view, texts())


def _foretold(site: Site, view: View, rotation: Rotation, why: str) -> list[str]:
    lines = [
        line for line in checklist(rotation, view, pace_of(why, site.policy), clock.now()) if line.obstacles
    ]
    return [f"{line.phase}: {'; '.join(_reasons(line))}" for line in lines] or ["nothing: it is done"]


def _reasons(step: Plan) -> list[str]:
    shelf = texts()
    return [shelf.say(obstacle.said) for obstacle in step.obstacles]


def _patience(context: typer.Context, timeout: str | None, *, wait: bool) -> timedelta:
    if timeout is not None and not wait:
        raise UsageError("--timeout belongs to --wait", ctx=context)
    return (duration(timeout) if timeout else _LONG) if wait else timedelta(0)
