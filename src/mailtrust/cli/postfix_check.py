"""`mailtrust postfix check`: what defeats direct trust in a Postfix; a monitoring plugin, as `check` is."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import typer

from mailtrust import clock
from mailtrust.agent.report import finding_report, moment
from mailtrust.agent.site import open_site
from mailtrust.cli.frame import JsonOption, session, texts
from mailtrust.cli.output import caution, emit, say
from mailtrust.cli.postfix_instance import InstanceOption, current_of, folder_of, our_options, places_of
from mailtrust.cli.render import EXIT_CODES, PLUGIN_WORDS, VERDICT_STYLE, brief, show_finding
from mailtrust.config import Config
from mailtrust.core.checks import Verdict
from mailtrust.core.model.certificate import Certificate, Pin
from mailtrust.core.model.event import Diagnosis, Severity
from mailtrust.core.model.server import ServerName
from mailtrust.transports.postfix.doctor import diagnose
from mailtrust.transports.postfix.doctor.receiving import SETUP
from mailtrust.transports.postfix.doctor.seen import Seen, Table
from mailtrust.transports.postfix.look import look

CHECK_SCHEMA = "mailtrust.postfix-check/1"
EXAMPLE = "Example: mailtrust postfix check --instance /etc/postfix-inner"

Published = Mapping[Pin, tuple[tuple[ServerName, Certificate], ...]]


def check(
    context: typer.Context, *, instance: InstanceOption = None, json_output: JsonOption = False
) -> None:
    """
    Say what defeats direct trust in this Postfix.

    Exits as a monitoring plugin: 0 well, 1 warning, 2 error, 3 could not look or cannot judge.
    """
    here = session(context)
    config = here.config()
    folder = folder_of(config, instance)
    published, unread = asyncio.run(_published(config))
    seen = look(
        folder,
        config.server.name,
        config.server.listeners,
        places_of(config),
        clock.now(),
        published,
        current_of(config),
    )
    found = diagnose(seen)
    verdict = _verdict(seen, found)
    deaf = () if seen.endpoints else ("server.listeners is empty: no listener of peers is judged",)
    notes = (*seen.notes, *unread, *deaf)
    for note in notes:
        caution(note)
    shelf = texts()
    if json_output:
        emit({
            "schema": CHECK_SCHEMA, "checked_at": moment(seen.now), "verdict": verdict.value,
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
        })  # fmt: skip
    else:
        say(_first_line(seen, found, verdict, folder), VERDICT_STYLE[verdict])

        def typed(action: str) -> str:
            options = our_options(config, folder) if action == SETUP else ()
            return here.command(*action.split()[1:], *options)

        for finding in found.findings:
            say()
            show_finding(finding, shelf, typed)
        if not found.findings and verdict is Verdict.OK:
            say(shelf.label("postfix-quiet"))
    raise typer.Exit(EXIT_CODES[verdict])


async def _published(config: Config) -> tuple[Published, tuple[str, ...]]:
    """Every certificate that home publishes, by key; and why it could not be asked."""
    found: dict[Pin, tuple[tuple[ServerName, Certificate], ...]] = {}
    async with open_site(config, looking_only=True) as site:
        home = site.directory.home
        state = await home.state()
        if not state.readable:
            return found, (
                f"whether pins have expired cannot be told: {home.url} cannot be read: {state.why}",
            )
        for look_ in await home.look(None, clock.now()):
            for one in look_.found or ():
                leaf = one.certificate
                found[leaf.pin] = (*found.get(leaf.pin, ()), (look_.server, leaf))
    return found, ()


def _ours(seen: Seen) -> tuple[Table, ...]:
    return tuple(seen.table(name) for name in (seen.places.relay_clientcerts, seen.places.tls_policy))


def _verdict(seen: Seen, found: Diagnosis) -> Verdict:
    severities = {one.severity for one in found.findings}
    if Severity.ERROR in severities:
        return Verdict.ERROR
    if any(one.rows is None and not one.missing for one in _ours(seen)):
        return Verdict.UNKNOWN
    return Verdict.WARNING if Severity.WARNING in severities else Verdict.OK


def _first_line(seen: Seen, found: Diagnosis, verdict: Verdict, folder: Path) -> str:
    counts = dict.fromkeys(Severity, 0)
    for finding in found.findings:
        counts[finding.severity] += 1
    worst = [one for one in found.findings if one.severity is not Severity.INFORMATION]
    rest = f", and {len(worst) - 1} more" if len(worst) > 1 else ""
    if worst:
        summary = f"{brief(worst[0])}{rest}"
    elif verdict is Verdict.UNKNOWN:
        summary = "; ".join(one.why for one in _ours(seen) if one.rows is None)
    else:
        summary = f"{folder}: no error and no warning"
    figures = (
        f"errors={counts[Severity.ERROR]} warnings={counts[Severity.WARNING]} "
        f"information={counts[Severity.INFORMATION]}"
    )
    return f"MAILTRUST {PLUGIN_WORDS[verdict]} - {summary} | {figures}"
