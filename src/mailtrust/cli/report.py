"""`mailtrust report`: what enforcing would have done, peer by peer."""

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from mailtrust import clock
from mailtrust.agent.counting import Report
from mailtrust.agent.counting import report as counted
from mailtrust.agent.report import moment
from mailtrust.agent.site import open_site
from mailtrust.cli.frame import JsonOption, Session, session, texts
from mailtrust.cli.output import caution, emit, say, show
from mailtrust.cli.program import application
from mailtrust.cli.prose import wide
from mailtrust.config import Config
from mailtrust.core.clean import clean
from mailtrust.core.model.certificate import short
from mailtrust.core.sessions import ENOUGH_CLEAN_DAYS, PeerReport, Way
from mailtrust.texts import Texts

app = application()

REPORT_SCHEMA = "mailtrust.report/1"
_WORDS = 3


@app.command(epilog="Example: mailtrust report --days 14")
def report(
    context: typer.Context,
    *,
    days: Annotated[
        int, typer.Option("--days", metavar="N", min=1, max=400, help="So many days, today included.")
    ] = 7,
    json_output: JsonOption = False,
) -> None:
    """
    Show what enforcing would have done with each peer's sessions: accepted, or deferred and why.

    A hub counts its sessions itself; Postfix's are read from its log, from where the last report ended.
    """
    here = session(context)
    config = here.config()

    async def run() -> Report:
        async with open_site(config) as site:
            return await counted(site, clock.now(), days)

    found, shelf = asyncio.run(run()), texts()
    for note in found.notes:
        caution(shelf.say(note))
    if json_output:
        emit(_report(config, found, days, shelf))
        return
    if not found.peers:
        say(shelf.label("no-sessions"))
        return
    show(*_lines(config, found.peers, shelf))
    for line in _next(here, config, found.peers, shelf):
        say(line)


def mode_towards(config: Config, peer: str) -> str:
    """Whether that peer is deferred when it is not trusted, or only counted."""
    return config.transport.peer_modes.get(peer, config.transport.mode)


def _lines(config: Config, peers: Iterable[PeerReport], shelf: Texts) -> Iterable[RenderableType]:
    """A row for each peer, and below it why its sessions would be deferred, which may be long."""
    rows = [(_cells(config, one), one) for one in peers]
    heads = [
        shelf.label(name) for name in ("peer", "server", "mode", "would-accept", "would-defer", "clean-days")
    ]
    widths = [max(map(wide, column)) for column in zip(heads, *(cells for cells, _ in rows), strict=True)]
    yield Text(_row(heads, widths), "bold")
    for cells, one in rows:
        yield Text(_row(cells, widths), "green" if one.clean else "red")
        if not one.clean:
            yield Padding(Text(clean(_reasons(one, shelf)), overflow="fold"), (0, 0, 0, 4), expand=False)


def _cells(config: Config, one: PeerReport) -> list[str]:
    return [
        clean(f"→ {one.peer}" if one.way is Way.TO else one.peer),
        clean(", ".join(one.servers)) or "?",
        mode_towards(config, one.peer),
        str(one.would_accept),
        str(sum(one.would_defer.values())),
        str(one.clean_days),
    ]


def _row(cells: Iterable[str], widths: Iterable[int]) -> str:
    """Words to the left, numbers to the right."""
    padded = [
        text + " " * (width - wide(text)) if at < _WORDS else " " * (width - wide(text)) + text
        for at, (text, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()


def _reasons(one: PeerReport, shelf: Texts) -> str:
    said = [f"{count} {shelf.label(reason.value)}" for reason, count in one.would_defer.items()]
    last = one.last_deferred
    if last is not None and (name := last.met.fingerprint or last.met.pin):
        owner = f", {last.met.server}" if last.met.server else ""
        said.append(f"({short(name)}{owner})")
    return " ".join((", ".join(said[: len(one.would_defer)]), *said[len(one.would_defer) :]))


def _next(here: Session, config: Config, peers: Iterable[PeerReport], shelf: Texts) -> Iterable[str]:
    waiting = [one for one in peers if mode_towards(config, one.peer) == "report"]
    waiting = [one for one in waiting if one.clean and one.clean_days >= ENOUGH_CLEAN_DAYS]
    if waiting:
        best = max(waiting, key=lambda one: one.clean_days)
        yield f"{shelf.label('next')}: {here.command('enforce', best.peer)}"


def _report(config: Config, found: Report, days: int, shelf: Texts) -> dict[str, Any]:
    return {
        "schema": REPORT_SCHEMA,
        "server": config.server.name,
        "days": days,
        "peers": [_peer(config, one) for one in found.peers],
        "notes": [{"code": note.phrase, "message": shelf.say(note)} for note in found.notes],
    }


def _peer(config: Config, one: PeerReport) -> dict[str, Any]:
    last = one.last_deferred
    return {
        "peer": one.peer,
        "way": one.way.value,
        "servers": list(one.servers),
        "mode": mode_towards(config, one.peer),
        "would_accept": one.would_accept,
        "would_defer": sum(one.would_defer.values()),
        "reasons": {reason.value: count for reason, count in one.would_defer.items()},
        "first_at": moment(one.first_at),
        "last_at": moment(one.last_at),
        "clean_days": one.clean_days,
        "last_deferred": None
        if last is None
        else {
            "at": moment(last.last_at),
            "reason": last.met.reason.value,
            "server": last.met.server or None,
            "fingerprint": last.met.fingerprint or None,
            "pin": last.met.pin or None,
        },
    }
