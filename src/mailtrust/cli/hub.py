"""`mailtrust hub`: the embedded transport; `mailtrust hub queue`: what waits in it."""

import asyncio
import signal
import sys
from collections.abc import Iterable

import typer
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from mailtrust import clock
from mailtrust.agent.report import moment
from mailtrust.agent.serve import hub_of
from mailtrust.agent.site import open_site
from mailtrust.cli import loop
from mailtrust.cli.frame import JsonOption, session
from mailtrust.cli.output import emit, emit_line, say, show
from mailtrust.cli.program import application
from mailtrust.config import Config
from mailtrust.core.clean import clean
from mailtrust.errors import BadConfiguration
from mailtrust.transports.hub import QueueRow, queue_view

app = application()

# The connections that the hub takes and makes, with their files, several times over.
_MOST_DESCRIPTORS = 8192

HUB_SCHEMA, QUEUE_SCHEMA = "mailtrust.hub/1", "mailtrust.queue/1"


@app.callback(invoke_without_command=True, epilog="Example: mailtrust --config hub1.toml hub")
def hub(context: typer.Context, *, json_output: JsonOption = False) -> None:
    """
    Run the embedded mail server until it is interrupted.

    It presents the current certificate, takes mail from servers whose key is published, and passes it on.
    """
    if context.invoked_subcommand is not None:
        return
    config = session(context).config()
    if config.transport.kind in ("postfix", "exim"):
        name = config.transport.kind
        raise BadConfiguration(
            f'transport.kind is "{name}": here {name.capitalize()} is the mail server',
            hint='set transport.kind = "hub" to run the embedded one',
        )
    loop.make_room(_MOST_DESCRIPTORS)
    loop.run(_serve(config, json_output=json_output))


@app.command(epilog="Example: mailtrust hub queue --json")
def queue(context: typer.Context, *, json_output: JsonOption = False) -> None:
    """Show what waits in the queue, oldest first, and what it waits for."""
    rows = queue_view(session(context).config().server.store)
    if json_output:
        emit({"schema": QUEUE_SCHEMA, "messages": [_report(row) for row in rows]})
    elif not rows:
        say("the queue is empty")
    else:
        show(*_lines(rows))


async def _serve(config: Config, *, json_output: bool) -> None:
    async with open_site(config) as site:
        hub = hub_of(site)
        asked = asyncio.Event()
        running_loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            running_loop.add_signal_handler(number, asked.set)
        await hub.start()
        _announce(config, [str(one) for one in hub.bound], json_output=json_output)
        asking, running = asyncio.create_task(asked.wait()), asyncio.create_task(hub.wait())
        try:
            await asyncio.wait((asking, running), return_when=asyncio.FIRST_COMPLETED)
        finally:
            asking.cancel()
            await hub.stop()
            await running
        if not json_output:
            say("stopped; what waits in the queue is tried again when the hub starts")


def _announce(config: Config, bound: list[str], *, json_output: bool) -> None:
    if json_output:
        emit_line({"schema": HUB_SCHEMA, "server": config.server.name, "bound": bound})
        return
    say(f"{config.server.name} listens on {', '.join(bound)}; mode {config.transport.mode}")
    sys.stdout.flush()


def _report(row: QueueRow) -> dict[str, object]:
    return {
        "id": row.id,
        "sender": row.sender,
        "recipients": list(row.recipients),
        "size_bytes": row.size_bytes,
        "accepted_at": moment(row.accepted_at),
        "attempts": row.attempts,
        "next_try": moment(row.next_try),
        "hop": row.hop or None,
        "last_reply": row.last_reply or None,
        "why": row.why or None,
    }


def _lines(rows: Iterable[QueueRow]) -> Iterable[RenderableType]:
    """A line for each message; below it where it goes and what it waits for, which may be long."""
    yield Text(
        f"{'id':8}  {'age':>4}  {'bytes':>8}  {'next try':9}  sender, recipients, what it waits for", "bold"
    )
    now = clock.now()
    for row in rows:
        age = _length(int((now - row.accepted_at).total_seconds()))
        more = f" +{len(row.recipients) - 1}" if len(row.recipients) > 1 else ""
        start = f"{row.id:8}  {age:>4}  {row.size_bytes:>8}  {row.next_try:%H:%M:%SZ}"
        yield Text(f"{start}  {clean(row.sender or '<>')}")
        yield _below(clean(f"to {row.recipients[0]}{more}"))
        waits = row.last_reply or row.why
        if waits:
            yield _below(clean(waits), "yellow")


def _below(text: str, style: str = "") -> RenderableType:
    return Padding(Text(text, style, overflow="fold"), (0, 0, 0, 10), expand=False)


def _length(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds}s"
    return f"{seconds // 60}m" if seconds < 7200 else f"{seconds // 3600}h"
