"""`mailtrust fix`: the plan that mends the findings; then it is done, and looked at again."""

import asyncio
from typing import Any

import typer

from mailtrust.agent import act
from mailtrust.agent.look import Assessment
from mailtrust.agent.report import finding_report
from mailtrust.agent.site import Site, open_site
from mailtrust.cli.frame import DryRunOption, JsonOption, Session, YesOption, confirm, session, texts
from mailtrust.cli.output import emit, say
from mailtrust.cli.program import application
from mailtrust.cli.render import first_line, place_name, show_finding
from mailtrust.config import Config
from mailtrust.core.checks import Verdict
from mailtrust.core.doing import doing
from mailtrust.core.model.event import Severity
from mailtrust.core.model.plan import Action, Phase, Publish
from mailtrust.texts import Texts, load

app = application()

FIX_SCHEMA = "mailtrust.fix/1"


@app.command(epilog="Example: mailtrust fix --dry-run")
def fix(
    context: typer.Context,
    *,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    Mend what `check` finds and can be mended from here, then look again.

    Exits 1 where an error is left, or where it cannot be told.
    """
    here = session(context)
    code = asyncio.run(_fix(here, here.config(), json_output=json_output, yes=yes, dry_run=dry_run))
    raise typer.Exit(code)


async def _fix(here: Session, config: Config, *, json_output: bool, yes: bool, dry_run: bool) -> int:
    shelf = texts()
    async with open_site(config, looking_only=True) as site:
        planned, seen = await act.fix(site, dry_run=True)
        if dry_run or not planned:
            if json_output:
                emit(_report(planned, (), seen, shelf))
            else:
                _tell_plan(planned)
                _tell_rest(here, seen, shelf)
            return 0 if dry_run else _exit_code(seen)
        if not yes and not json_output:
            _tell_plan(planned)
        confirm(_question(planned), yes=yes)
        site.journal.read_only = False
        done, seen = await act.fix(site)
        if json_output:
            emit(_report(planned, done, seen, shelf))
        else:
            for action in done:
                say(f"done: {describe_action(action)}", "green")
            _tell_rest(here, seen, shelf)
            _tell_end(here, site, seen)
        return _exit_code(seen)


def describe_action(action: Action) -> str:
    """What an action does, in a few words."""
    return load("en").say(doing(action))


def _tell_plan(planned: tuple[Action, ...]) -> None:
    for number, action in enumerate(planned, 1):
        say(f"{number}. {describe_action(action)}")
    if any(isinstance(action, Publish) for action in planned):
        say("   and make it current, once every replica that can be read has it")
    if not planned:
        say("there is nothing to mend from here")


def _question(planned: tuple[Action, ...]) -> str:
    return f"Do this: {'; '.join(describe_action(action) for action in planned)}?"


def _tell_rest(here: Session, seen: Assessment, shelf: Texts) -> None:
    left = [one for one in seen.diagnosis.findings if one.severity is not Severity.INFORMATION]
    for finding in left:
        say()
        show_finding(finding, shelf, here.typed)


def _tell_end(here: Session, site: Site, seen: Assessment) -> None:
    """What is still to come, and the verdict as `check` has it."""
    step = seen.plans.get(site.server)
    if step is not None and step.phase in (Phase.PUBLISH, Phase.SPREAD):
        for obstacle in step.obstacles:
            say(f"not there yet: {place_name(obstacle.place)}", "yellow")
        say(f"once it is there: {here.command('fix')}")
    say(first_line(seen).partition(" | ")[0])


def _report(
    planned: tuple[Action, ...], done: tuple[Action, ...], seen: Assessment, shelf: Texts
) -> dict[str, Any]:
    return {
        "schema": FIX_SCHEMA,
        "planned": [describe_action(action) for action in planned],
        "done": [describe_action(action) for action in done],
        "verdict": seen.verdict.value,
        "findings": [finding_report(finding, shelf) for finding in seen.diagnosis.findings],
    }


def _exit_code(seen: Assessment) -> int:
    return int(seen.verdict in (Verdict.ERROR, Verdict.UNKNOWN))
