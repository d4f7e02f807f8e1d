"""`mailtrust postfix check`: what defeats direct trust in a Postfix; a monitoring plugin, as `check` is."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer

from mailtrust.agent.doctor import Examined, blind, examine
from mailtrust.agent.report import finding_report, moment
from mailtrust.agent.site import open_site
from mailtrust.cli.frame import JsonOption, session, texts
from mailtrust.cli.output import caution, emit, say
from mailtrust.cli.postfix_instance import InstanceOption, current_of, folder_of, our_options
from mailtrust.cli.render import EXIT_CODES, PLUGIN_WORDS, VERDICT_STYLE, brief, show_finding
from mailtrust.config import Config
from mailtrust.core.checks import Verdict
from mailtrust.core.model.event import Diagnosis, Severity
from mailtrust.transports.postfix.doctor.receiving import SETUP
from mailtrust.transports.postfix.doctor.seen import Seen

CHECK_SCHEMA = "mailtrust.postfix-check/1"
EXAMPLE = "Example: mailtrust postfix check --instance /etc/postfix-inner"


def check(
    context: typer.Context, *, instance: InstanceOption = None, json_output: JsonOption = False
) -> None:
    """
    Say what defeats direct trust in this Postfix.

    Judges what is written, and goes to the listeners as a peer would.
    Exits as a monitoring plugin: 0 well, 1 warning, 2 error, 3 could not look or cannot judge.
    """
    here = session(context)
    config = here.config()
    folder = folder_of(config, instance)
    examined = asyncio.run(_examined(config, folder))
    deaf = () if examined.seen.endpoints else ("server.listeners is empty: no listener of peers is judged",)
    notes = (*examined.notes, *deaf)
    for note in notes:
        caution(note)

    def typed(action: str) -> str:
        if not action.startswith("mailtrust "):
            return action
        options = our_options(config, folder) if action == SETUP else ()
        return here.command(*action.split()[1:], *options)

    if json_output:
        emit(_report(examined, folder, notes))
    else:
        _show(examined, folder, typed)
    raise typer.Exit(EXIT_CODES[examined.verdict])


def _report(examined: Examined, folder: Path, notes: Sequence[str]) -> dict[str, Any]:
    seen, found, shelf = examined.seen, examined.diagnosis, texts()
    return {
        "schema": CHECK_SCHEMA, "checked_at": moment(seen.now), "verdict": examined.verdict.value,
        "server": seen.server, "instance": str(folder),
        "findings": [finding_report(one, shelf) for one in found.findings],
        "silenced": [
            {
                "event": one.finding.event.code, "explained_by": one.explained_by.event.code,
                "place": one.finding.place,
            }
            for one in found.silenced
        ],
        "notes": list(notes),
    }  # fmt: skip


def _show(examined: Examined, folder: Path, typed: Callable[[str], str]) -> None:
    found, verdict, shelf = examined.diagnosis.findings, examined.verdict, texts()
    say(_first_line(examined.seen, examined.diagnosis, verdict, folder), VERDICT_STYLE[verdict])
    for finding in found:
        say()
        show_finding(finding, shelf, typed)
    if not found and verdict is Verdict.OK:
        say(shelf.label("postfix-quiet"))


async def _examined(config: Config, folder: Path) -> Examined:
    async with open_site(config, looking_only=True) as site:
        return await examine(site, folder, current_of(config), wire=True)


def _first_line(seen: Seen, found: Diagnosis, verdict: Verdict, folder: Path) -> str:
    counts = dict.fromkeys(Severity, 0)
    for finding in found.findings:
        counts[finding.severity] += 1
    worst = [one for one in found.findings if one.severity is not Severity.INFORMATION]
    rest = f", and {len(worst) - 1} more" if len(worst) > 1 else ""
    if worst:
        summary = f"{brief(worst[0])}{rest}"
    elif verdict is Verdict.UNKNOWN:
        summary = "; ".join(blind(seen))
    else:
        summary = f"{folder}: no error and no warning"
    figures = (
        f"errors={counts[Severity.ERROR]} warnings={counts[Severity.WARNING]} "
        f"information={counts[Severity.INFORMATION]}"
    )
    return f"MAILTRUST {PLUGIN_WORDS[verdict]} - {summary} | {figures}"
