"""`mailtrust directory`: the replicas: how they are, bringing them together, and putting raw bytes."""

import asyncio
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from mailtrust import clock
from mailtrust.agent.refusals import refuse_authority
from mailtrust.agent.report import moment
from mailtrust.agent.site import Site, open_site
from mailtrust.certificates.formats import holds_key
from mailtrust.cli import directory_check, directory_dead, directory_pull
from mailtrust.cli.files import read_file
from mailtrust.cli.frame import (
    DryRunOption,
    JsonOption,
    UsageError,
    YesOption,
    confirm,
    given,
    session,
    texts,
)
from mailtrust.cli.output import counted, emit, emit_line, foretell, say, show, warn
from mailtrust.cli.program import application
from mailtrust.cli.progress import replica_url
from mailtrust.cli.render import place_name, symbol
from mailtrust.cli.replication import controller_of, described, latency_to
from mailtrust.config import duration
from mailtrust.config.keys import is_ldap
from mailtrust.core.clean import clean
from mailtrust.core.model.certificate import certificate, fingerprint_of, short
from mailtrust.core.model.event import when
from mailtrust.core.model.server import server_name
from mailtrust.directory.base import ReplicaState
from mailtrust.directory.links import LOOK_EVERY, Delivered, Links
from mailtrust.directory.replicate import replicate_once
from mailtrust.directory.sqlite import SqliteReplica
from mailtrust.errors import BadInput, NotACertificate

app = application()

DIRECTORY_SCHEMA = "mailtrust.directory/1"
REPLICATE_SCHEMA = "mailtrust.replicate/1"
PUT_SCHEMA = "mailtrust.put/1"


@app.callback(epilog="Example: mailtrust directory show")
def directory() -> None:
    """Show the replicas, bring them together, try their access rules, or put raw bytes on an entry."""


@app.command("show", epilog="Example: mailtrust directory show --json")
def show_directory(context: typer.Context, *, json_output: JsonOption = False) -> None:
    """Show what each replica holds, or why it cannot be read."""
    here = session(context)
    config = here.config()

    shelf = texts()

    async def run() -> tuple[tuple[ReplicaState, dict[str, Any], list[str]], ...]:
        async with open_site(config) as site:
            states = await site.directory.states()
            took = site.journal.latencies()
            return tuple(
                (one, _facts(site, one, took), list(described(site, one, took, shelf))) for one in states
            )

    found = asyncio.run(run())
    states = tuple(one for one, _, _ in found)
    home, primary = config.directory.home, config.directory.primary
    if json_output:
        emit({
            "schema": DIRECTORY_SCHEMA,
            "replicas": [_state_report(one, home=home, primary=primary) | facts for one, facts, _ in found],
        })  # fmt: skip
        return
    show(_table(states, home, primary))
    for one, _, lines in found:
        if not one.readable:
            say(f"  ? {one.url}: {one.why}", "magenta")
        for number, line in enumerate(lines):
            lead = place_name(one.url) if number == 0 else ""
            say(f"  {lead:<{max(len(place_name(other.url)) for other in states)}}  {line}", "dim")
    say("* home: this server reads it   + primary: it takes this server's writes", "dim")
    held = {(one.servers, one.values, one.withdrawn, one.changed_at) for one in states if one.readable}
    if len(held) > 1 and not any(is_ldap(one.url) for one in states):
        say("they do not hold the same (yet); to bring them together now:")
        say(f"  {here.command('directory', 'replicate', '--once')}")


@app.command(epilog="Example: mailtrust directory replicate --lag 5s")
def replicate(
    context: typer.Context,
    *,
    once: Annotated[bool, typer.Option("--once", help="Unite them now, and exit.")] = False,
    lag: Annotated[
        str | None, given("Deliver that long after something was seen. Default: 0s.", metavar="DURATION")
    ] = None,
    json_output: JsonOption = False,
    yes: YesOption = False,  # noqa: ARG001  # it takes nothing away, so nothing is asked
    dry_run: DryRunOption = False,
) -> None:
    """
    Unite the replicas, once or until interrupted.

    Embedded ones only: the others replicate by themselves. What cannot be read
    is skipped and named; with --once that exits 1.
    """
    if once and lag is not None:
        raise UsageError("--lag belongs to going on; with --once nothing is held back", ctx=context)
    config = session(context).config()
    delay = duration(lag) if lag else timedelta(0)
    if dry_run:
        foretell(f"would unite {', '.join(config.directory.replicas)}", json_output=json_output)
        return

    async def run() -> int:
        async with open_site(config) as site:
            if once:
                return await _once(site, json_output=json_output)
            return await _on_and_on(site, delay, json_output=json_output)

    raise typer.Exit(asyncio.run(run()))


@app.command(epilog="Example: mailtrust directory put hub9.example.test exchange.cer --replica dc2")
def put(
    context: typer.Context,
    server: Annotated[str, typer.Argument(metavar="SERVER", help="Whose entry.")],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Its bytes, as they are; - for standard input.")
    ],
    *,
    replica: Annotated[str | None, given("Write there and not at the primary.", metavar="URL")] = None,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    Publish a file's bytes on a server's entry.

    For a server that is not looked after by mailtrust: whoever has that key is believed as it.
    """
    config = session(context).config()
    name, value = server_name(server), read_file(file)
    if not value:
        raise BadInput(f"{file} is empty: there is nothing to put")
    if holds_key(value):
        raise BadInput(
            f"{file} holds a private key, and everybody may read the directory: nothing was put",
            hint=f"put the certificate alone: openssl x509 -in {file} -outform der -out {server}.cer",
        )
    with suppress(NotACertificate):
        refuse_authority(certificate(value))
    url = replica_url(config, replica) if replica else None
    digest, what = fingerprint_of(value), _described(value)
    place = url or config.directory.primary
    if dry_run:
        foretell(f"would put {what} on the entry of {name} at {place}", json_output=json_output)
        return
    confirm(
        f"Put {what} on the entry of {name} at {place}? Whoever has its key is believed as {name}.", yes=yes
    )

    async def run() -> None:
        async with open_site(config) as site:
            await site.directory.publish(name, value, clock.now(), replica_url=url)

    asyncio.run(run())
    if json_output:
        emit({"schema": PUT_SCHEMA, "server": name, "replica": place, "fingerprint": digest})
    else:
        say(f"put {what} on the entry of {name} at {place}", "green")


app.command("check", epilog=directory_check.EXAMPLE)(directory_check.check)
app.command("pull", epilog=directory_pull.EXAMPLE)(directory_pull.pull_entries)
app.command("dead", epilog=directory_dead.EXAMPLE)(directory_dead.declare_dead)


def _described(value: bytes) -> str:
    try:
        leaf = certificate(value)
    except NotACertificate:
        return f"{short(fingerprint_of(value))} ({len(value)} bytes that are no certificate)"
    return f"{short(leaf.fingerprint)} (certificate of {', '.join(leaf.names) or leaf.subject or 'nobody'})"


def _state_report(one: ReplicaState, *, home: str, primary: str) -> dict[str, Any]:
    return {
        "replica": one.url,
        "home": one.url == home,
        "primary": one.url == primary,
        "readable": one.readable,
        "why": one.why,
        "servers": one.servers if one.readable else None,
        "values": one.values if one.readable else None,
        "withdrawn": one.withdrawn if one.readable else None,
        "changed_at": moment(one.changed_at) if one.changed_at else None,
    }


def _facts(site: Site, one: ReplicaState, measured: Mapping[str, tuple[timedelta, ...]]) -> dict[str, Any]:
    own, due = controller_of(site, one), latency_to(site, one)
    took = measured.get(one.url, ())
    return {
        "site": own.site if own else None,
        "read_only": own.read_only if own else None,
        "partners": list(own.partners) if own else [],
        "answered_in_seconds": round(one.took.total_seconds(), 3) if one.took else None,
        "latency_seconds": (due.longest if due else site.policy.latency).total_seconds(),
        "latency_measured_seconds": [round(each.total_seconds(), 1) for each in took],
    }


def _table(states: tuple[ReplicaState, ...], home: str, primary: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("replica", overflow="ellipsis", no_wrap=True)
    for title in ("servers", "values", "withdrawn"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("last change", no_wrap=True)
    for one in states:
        marks = f"{'*' if one.url == home else ''}{'+' if one.url == primary else ''}"
        counts = (str(count) if one.readable else "-" for count in (one.servers, one.values, one.withdrawn))
        table.add_row(
            symbol(there=True if one.readable else None), Text(clean(f"{place_name(one.url)}{marks}")),
            *counts, when(one.changed_at) if one.changed_at else "-",
        )  # fmt: skip
    return table


async def _once(site: Site, *, json_output: bool) -> int:
    done = await replicate_once(site.directory, clock.now())
    if json_output:
        emit({
            "schema": REPLICATE_SCHEMA,
            "changes": dict(done.changes),
            "skipped": [{"replica": one.url, "why": one.why} for one in done.skipped],
            "complete": done.complete,
        })  # fmt: skip
        return int(not done.complete)
    for url, rows in done.changes.items():
        if rows:
            say(f"{place_name(url)}: took in {counted(rows, 'change')}")
    for one in done.skipped:
        warn(f"mailtrust: {place_name(one.url)} took no part: {one.why}")
    if done.complete and not done.changed:
        say("nothing to change: all replicas hold the same")
    elif done.complete:
        say("all replicas hold the same now", "green")
    elif done.changes:
        say(f"{', '.join(map(place_name, done.changes))} hold the same now")
    return int(not done.complete)


async def _on_and_on(site: Site, lag: timedelta, *, json_output: bool) -> int:
    files = tuple(one for one in site.directory.replicas if isinstance(one, SqliteReplica))
    links = Links(files, lag)
    tell = _tell_as_json if json_output else _tell
    if not json_output:
        say(f"uniting {', '.join(place_name(one.url) for one in files)} until interrupted (Ctrl-C)")
    unreachable: dict[str, str] = {}
    while True:
        delivered = await links.step(clock.now())
        tell(delivered, unreachable, links.unreachable)
        sys.stdout.flush()
        unreachable = links.unreachable
        await asyncio.sleep(LOOK_EVERY.total_seconds())


def _tell(delivered: Iterable[Delivered], before: Mapping[str, str], unreachable: Mapping[str, str]) -> None:
    """What changed since the last round, a line each."""
    at = f"{clock.now():%H:%M:%SZ}"
    for one in delivered:
        say(f"{at}  {place_name(one.source)} -> {place_name(one.target)}: {counted(one.rows, 'change')}")
    for url, why in unreachable.items():
        if before.get(url) != why:
            warn(f"{at}  {place_name(url)} cannot be reached: {why}")
    for url in before.keys() - unreachable.keys():
        say(f"{at}  {place_name(url)} can be reached again")


def _tell_as_json(
    delivered: Iterable[Delivered], before: Mapping[str, str], unreachable: Mapping[str, str]
) -> None:
    at = moment(clock.now())
    for one in delivered:
        emit_line({"at": at, "source": one.source, "target": one.target, "changes": one.rows})
    for url in before.keys() | unreachable.keys():
        if before.get(url) != unreachable.get(url):
            emit_line({"at": at, "replica": url, "why": unreachable.get(url, "")})
