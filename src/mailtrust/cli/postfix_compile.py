"""`mailtrust postfix compile`: what the directory says, as the tables that Postfix looks up."""

import asyncio
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from typing import Annotated, Any

import typer

from mailtrust.agent.postfix import hands_of
from mailtrust.agent.report import moment
from mailtrust.agent.site import Site, open_site
from mailtrust.cli import loop
from mailtrust.cli.compiling import started_trust
from mailtrust.cli.frame import DryRunOption, JsonOption, UsageError, YesOption, confirm, given, session
from mailtrust.cli.output import counted, emit, emit_line, foretell, say, warn
from mailtrust.config import Config
from mailtrust.core.model.trust import Snapshot
from mailtrust.errors import BadConfiguration
from mailtrust.transports.hub.trust import Trust
from mailtrust.transports.postfix.compile import CLIENTS, POLICY, Differences, Tables, difference, tables
from mailtrust.transports.postfix.follow import NotWritten, Written, follow
from mailtrust.transports.postfix.tables import SUFFIX, held

COMPILE_SCHEMA = "mailtrust.postfix-compile/1"
EXAMPLE = "Example: mailtrust postfix compile --dry-run"
_MOST_SHOWN = 10


def compile_tables(
    context: typer.Context,
    *,
    watch: Annotated[bool, given("Go on, and write each change, until interrupted.", "--watch")] = False,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    Write the tables by which Postfix knows its peers.

    As home publishes them now. Sessions that are open see it at once; nothing is reloaded.
    """
    if watch and dry_run:
        raise UsageError("--watch and --dry-run do not go together", ctx=context)
    config = session(context).config()
    if config.transport.kind in ("hub", "exim"):
        raise BadConfiguration(
            f'transport.kind is "{config.transport.kind}": it needs no such tables',
            hint='set transport.kind = "postfix"',
        )
    loop.run(_compile(config, watch=watch, json_output=json_output, yes=yes, dry_run=dry_run))


async def _compile(config: Config, *, watch: bool, json_output: bool, yes: bool, dry_run: bool) -> None:
    new = [name for name in (CLIENTS, POLICY) if not (config.transport.tables / f"{name}{SUFFIX}").exists()]
    async with open_site(config, looking_only=dry_run) as site:
        trust = await started_trust(site, dry_run=dry_run)
        wanted = tables(trust.snapshot, config.transport.next_hops)
        changes = _changes(config, wanted, new)
        if dry_run:
            foretell(*_lines(config, wanted, changes, doing="would change"), json_output=json_output)
            return
        if watch:
            confirm(f"Keep the tables in {config.transport.tables} as the directory is?", yes=yes)
            await _follow(site, trust, json_output=json_output)
            return
        if changes:
            confirm(f"Change {_counted(changes)} in {config.transport.tables}?", yes=yes)
            with closing(hands_of(config)) as hands:
                await asyncio.to_thread(hands.write, wanted)
        if json_output:
            emit(_report(config, trust.snapshot, changes))
            return
        for line in _lines(config, wanted, changes):
            say(line)
        if new:
            # A process that did not find a table when it began does not look for it again.
            reload = shlex.join(("postfix", "-c", str(config.transport.postfix), "reload"))
            say(f"next: {reload}, so that processes that began without {' and '.join(new)} find it")


def _changes(config: Config, wanted: Tables, new: Sequence[str]) -> Differences:
    there = held(config.transport.tables, config.transport.postfix, wanted)
    found = {name: difference(there[name], rows) for name, rows in wanted.items()}
    return {name: one for name, one in found.items() if one or name in new}


async def _follow(site: Site, trust: Trust, *, json_output: bool) -> None:
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    with closing(hands_of(site.config)) as hands:
        working = [asyncio.create_task(trust.keep())]

        async def tell() -> None:
            transport = site.config.transport
            steps = follow(trust, hands, transport.next_hops, defer_when_stale=transport.on_stale == "defer")
            async for step in steps:
                _tell(site.config, step, json_output=json_output)

        working.append(asyncio.create_task(tell()))
        asked = asyncio.create_task(stopped.wait())
        await asyncio.wait((asked, *working), return_when=asyncio.FIRST_COMPLETED)
        for one in (asked, *working):
            one.cancel()
        for one in working:
            with suppress(asyncio.CancelledError):
                await one


def _tell(config: Config, step: Written | NotWritten, *, json_output: bool) -> None:
    match step:
        case NotWritten(error):
            cause = f": {error.__cause__}" if error.__cause__ else ""
            warn(f"mailtrust: {error.message}{cause}; it is tried again")
        case Written(differences, snapshot):
            if json_output:
                emit_line(_report(config, snapshot, differences or {}))
                return
            say(f"{config.transport.tables}: {_counted(differences) if differences else 'written whole'}")
            sys.stdout.flush()


def _report(config: Config, snapshot: Snapshot, changes: Differences) -> dict[str, Any]:
    rows = {CLIENTS: len(snapshot.servers), POLICY: len(config.transport.next_hops)}
    return {
        "schema": COMPILE_SCHEMA,
        "server": config.server.name,
        "replica": snapshot.replica,
        "taken_at": moment(snapshot.taken_at) if snapshot.taken_at else None,
        "changed": bool(changes),
        "tables": [
            {
                "table": name,
                "file": str(config.transport.tables / f"{name}{SUFFIX}"),
                "rows": count,
                "put": dict(changes[name].put) if name in changes else {},
                "gone": sorted(changes[name].gone) if name in changes else [],
            }
            for name, count in rows.items()
        ],
    }


def _lines(config: Config, wanted: Tables, changes: Differences, doing: str = "changed") -> Iterator[str]:
    if not changes:
        count = len(wanted[CLIENTS])
        where = config.transport.tables
        yield f"nothing to change: the tables in {where} have what home publishes, {counted(count, 'key')}"
        return
    yield f"{doing} {_counted(changes)} in {config.transport.tables}"
    for name, one in changes.items():
        lines = [f"  + {name} {key} {value}" for key, value in one.put.items()]
        lines += [f"  - {name} {key}" for key in sorted(one.gone)]
        yield from lines[:_MOST_SHOWN]
        if len(lines) > _MOST_SHOWN:
            yield f"    and {len(lines) - _MOST_SHOWN} more; --json has all of them"


def _counted(changes: Differences) -> str:
    return ", ".join(f"{name} (+{len(one.put)} -{len(one.gone)})" for name, one in changes.items())
