"""`mailtrust exim compile`: what the directory says, as the files that Exim looks up."""

import asyncio
from collections.abc import Iterator

import typer

from mailtrust import clock
from mailtrust.agent.postfix import make_roots_own
from mailtrust.agent.report import moment
from mailtrust.agent.site import open_site
from mailtrust.cli import loop
from mailtrust.cli.compiling import started_trust
from mailtrust.cli.frame import DryRunOption, JsonOption, YesOption, confirm, session
from mailtrust.cli.output import counted, emit, foretell, say
from mailtrust.cli.program import application
from mailtrust.config import Config
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.trust import Snapshot
from mailtrust.errors import BadConfiguration
from mailtrust.transports.exim.compile import Files, files, known_in
from mailtrust.transports.exim.folder import held, write

app = application()

COMPILE_SCHEMA = "mailtrust.exim-compile/1"
_MOST_SHOWN = 20


@app.callback(epilog="Example: mailtrust exim compile --dry-run")
def exim() -> None:
    """Let Exim believe its peers by the directory."""


@app.command("compile", epilog="Example: mailtrust exim compile --dry-run")
def compile_files(
    context: typer.Context,
    *,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    Write the files by which Exim knows its peers.

    As home publishes them now. Sessions that are open see them at once; nothing is reloaded.
    """
    config = session(context).config()
    if config.transport.kind != "exim":
        raise BadConfiguration(
            f'transport.kind is "{config.transport.kind}": here is no Exim',
            hint='set transport.kind = "exim"',
        )
    loop.run(_compile(config, json_output=json_output, yes=yes, dry_run=dry_run))


async def _compile(config: Config, *, json_output: bool, yes: bool, dry_run: bool) -> None:
    folder = config.transport.tables
    async with open_site(config, looking_only=dry_run) as site:
        trust = await started_trust(site, dry_run=dry_run)
        looks = await site.directory.home.look(None, clock.now())
    published = [one.certificate for look in looks for one in look.found or ()]
    before = held(folder)
    after = _wanted(config, trust.snapshot, published, before)
    come = sorted(path for path, text in after.items() if before.get(path) != text)
    gone = sorted(before.keys() - after.keys())
    lines = list(_lines(config, come, gone, len(after), doing="would change" if dry_run else "changed"))
    if dry_run:
        foretell(*lines, json_output=json_output)
        return
    if come or gone:
        confirm(f"Change {counted(len(come) + len(gone), 'file')} in {folder}?", yes=yes)
        make_roots_own(folder)
        await asyncio.to_thread(write, folder, before, after)
    if not json_output:
        say("\n".join(lines))
        return
    emit({
        "schema": COMPILE_SCHEMA,
        "server": config.server.name,
        "replica": trust.snapshot.replica,
        "taken_at": moment(trust.snapshot.taken_at) if trust.snapshot.taken_at else None,
        "changed": bool(come or gone),
        "folder": str(folder),
        "put": come,
        "gone": gone,
    })  # fmt: skip


def _wanted(config: Config, snapshot: Snapshot, published: list[Certificate], before: Files) -> Files:
    """A certificate whose key is believed stays, also while home cannot show it."""
    known = {leaf.fingerprint: leaf for leaf in (*known_in(before), *published)}
    return files(snapshot, known.values(), config.transport.next_hops)


def _lines(config: Config, come: list[str], gone: list[str], count: int, *, doing: str) -> Iterator[str]:
    if not come and not gone:
        held = counted(count, "file")
        yield f"nothing to change: {config.transport.tables} has what home publishes, {held}"
        return
    yield f"{doing} {counted(len(come) + len(gone), 'file')} in {config.transport.tables}"
    lines = [f"  + {path}" for path in come] + [f"  - {path}" for path in gone]
    yield from lines[:_MOST_SHOWN]
    if len(lines) > _MOST_SHOWN:
        yield f"    and {len(lines) - _MOST_SHOWN} more; --json has all of them"
