"""`mailtrust lab`: a whole organization on this machine, to break and to mend."""

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import timedelta
from os.path import relpath
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live as LiveScreen
from rich.text import Text

from mailtrust import clock
from mailtrust.agent.report import copies, finding_report
from mailtrust.cli.frame import JsonOption, given, texts
from mailtrust.cli.grid import LEGEND, grid
from mailtrust.cli.lab_dashboard import dashboard_beside
from mailtrust.cli.output import counted, emit, emit_line, fitted, is_terminal, say, screen, width
from mailtrust.cli.program import application
from mailtrust.cli.render import brief
from mailtrust.config import duration
from mailtrust.errors import BadInput
from mailtrust.lab.mail import Counts
from mailtrust.lab.organization import DIRECTORIES, Organization
from mailtrust.lab.run import Live, Size, attend, play, stay, story_named
from mailtrust.lab.stage import Pause, Stage
from mailtrust.lab.stories import STORIES, Story

app = application()

LAB_SCHEMA = "mailtrust.lab/1"


@app.command(epilog="Example: mailtrust lab --story second-enable")
def lab(
    *,
    servers: Annotated[int, typer.Option("--servers", metavar="N", help="How many mail servers.")] = 3,
    replicas: Annotated[int, typer.Option("--replicas", metavar="N", help="How many replicas.")] = 3,
    directory: Annotated[
        str,
        typer.Option(
            "--directory",
            metavar="NAME",
            help="What holds the directory: embedded (files), or openldap (real slapd processes).",
        ),
    ] = DIRECTORIES[0],
    lag: Annotated[
        str | None, given("How long replication takes. Default: 5s, or the story's.", metavar="DURATION")
    ] = None,
    story: Annotated[str | None, given(f"Play one: {', '.join(STORIES)}.", metavar="NAME")] = None,
    folder: Annotated[
        Path | None, given("Where it lives; kept afterwards. Default: a new one, removed.", metavar="FOLDER")
    ] = None,
    staying: Annotated[
        bool | None,
        typer.Option(
            "--stay/--no-stay",
            show_default=False,
            help="With --story: stay until Ctrl-C when it has ended. Default: at a terminal.",
        ),
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """
    Run a whole organization on loopback: real servers, real TLS, real replicas that lag; and its dashboard.

    With --story, play one; at a terminal it then stays, with something for you to mend. Without, stay until
    Ctrl-C, show the copies, and say what to type in another terminal to break and mend things.
    """
    size = Size(servers, replicas, duration(lag) if lag else None, directory)
    told = story_named(story) if story else None
    with _ends_in_order(), _folder(folder) as there:
        if told is not None:
            stays = is_terminal() and not json_output if staying is None else staying
            _play(told, there, size, stays=stays, json_output=json_output)
        else:
            _stay(there, size, json_output=json_output)


@contextmanager
def _ends_in_order() -> Iterator[None]:
    """Whoever asks us to end, or closes the terminal, means Ctrl-C: all is stopped and tidied up."""
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    # A shell starts what is to run in the background without ears for it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for one in (signal.SIGTERM, signal.SIGHUP):
        # Who starts us by nohup means us to stay.
        if before[one] is not signal.SIG_IGN:
            signal.signal(one, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def _folder(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        if folder.exists() and any(folder.iterdir()):
            raise BadInput(f"{folder} is not empty", hint="give a new folder, or none")
        folder.mkdir(parents=True, exist_ok=True)
        yield folder.absolute()
        return
    made = Path(tempfile.mkdtemp(prefix="mailtrust-lab-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _play(story: Story, folder: Path, size: Size, *, stays: bool, json_output: bool) -> None:
    lines: list[str] = []
    address: list[str] = []
    began = clock.now()

    def told(found: str, why: str) -> None:
        address.append(found)
        if not json_output:
            _say_dashboard(found, why)

    async def afterwards(stage: Stage, counted: Counts) -> None:
        _say_end(story, clock.now() - began, counted)
        await _your_turn(stage, address[0])

    try:
        counted = asyncio.run(
            play(
                story, folder, size, lines.append if json_output else _tell, width(),
                beside=lambda organization: dashboard_beside(organization, told),
                afterwards=afterwards if stays and not json_output else None,
            )
        )  # fmt: skip
    except KeyboardInterrupt:
        if not stays:
            raise
        say()
        say("the lab is closed")
        return
    took = clock.now() - began
    if json_output:
        emit(_story_report(story, took, counted, lines, address[0]))
        return
    _say_end(story, took, counted)
    typed = _typed()
    say(f"go on: {typed} lab     an organization for you to break, with its dashboard")
    say(f"       {typed} init    your own server")


def _tell(text: str) -> None:
    if text.startswith("\n──"):
        say()
        say(_prose(text.strip(), "   "), "bold cyan")
    else:
        say(text, "bold" if text.startswith("$ ") else "")
    sys.stdout.flush()


def _say_end(story: Story, took: timedelta, counted: Counts) -> None:
    say()
    seconds = f"{took.total_seconds():.0f} s"
    say(f"story {story.name}: explained, mended and checked clean, in {seconds}", "bold green")
    say(_prose(f"mail meanwhile: {counted}"))


def _story_report(
    story: Story, took: timedelta, counted: Counts, lines: list[str], address: str
) -> dict[str, object]:
    return {
        "schema": LAB_SCHEMA, "story": story.name, "seconds": round(took.total_seconds(), 1), "told": lines,
        "dashboard": address or None,
        "mail": {
            "sent": counted.sent, "authenticated": counted.authenticated, "delivered": counted.delivered,
            "deferred": counted.deferred, "refused": counted.refused, "waiting": counted.waiting,
            "lost": counted.lost,
        },
    }  # fmt: skip


async def _your_turn(stage: Stage, address: str) -> None:
    hub1 = stage.organization.members[0]
    stage.tell(
        "Now it is your turn. Somebody makes another certificate on hub1, and goes home. "
        + (f"What is wrong, and what to type: {address} says it." if address else "What is wrong?")
    )
    await stage.must(hub1, "new", shown=False)
    _introduce(stage.organization)
    await _shown(lambda show: attend(stage.organization, show))


def _say_dashboard(address: str, why: str) -> None:
    say(f"dashboard: {address}" if address else why, "bold")
    sys.stdout.flush()


def _stay(folder: Path, size: Size, *, json_output: bool) -> None:
    address: list[str] = []

    def told(found: str, why: str) -> None:
        address.append(found)
        if not json_output:
            _say_dashboard(found, why)

    def beside(organization: Organization) -> AbstractAsyncContextManager[Pause]:
        return dashboard_beside(organization, told)

    def report(live: Live) -> None:
        emit_line({**_report(live), "dashboard": address[0] or None})

    try:
        if json_output:
            asyncio.run(stay(folder, size, lambda _: None, report, beside))
        else:
            asyncio.run(_shown(lambda show: stay(folder, size, _introduce, show, beside)))
    except KeyboardInterrupt:
        say()
        say("the lab is closed")


async def _shown(going_on: Callable[[Callable[[Live], None]], Awaitable[None]]) -> None:
    """What goes on until it is interrupted: on a terminal in one place, else as it changes."""
    if not is_terminal():
        await going_on(_Changes().show)
        return
    with LiveScreen(console=screen(), auto_refresh=False) as live_screen:
        await going_on(lambda live: live_screen.update(_drawn(live), refresh=True))


class _Changes:
    """Shows a moment where nobody watches: only what differs from the one before."""

    def __init__(self) -> None:
        self._before: tuple[tuple[str, ...], ...] | None = None

    def show(self, live: Live) -> None:
        """Write the grids, if something opened or closed."""
        found = tuple(tuple(map(brief, seen.diagnosis.findings)) for seen in live.seen)
        if found != self._before:
            self._before = found
            screen().print(_drawn(live))
            sys.stdout.flush()


def _drawn(live: Live) -> RenderableType:
    parts: list[RenderableType] = []
    for seen in live.seen:
        parts.append(grid(seen.view, seen.viewpoint, seen.checked_at))
        found = ", ".join(
            brief(finding) for finding in seen.diagnosis.findings if finding.event.code != 12108
        )
        parts += [Text(f"  {found}", "bold yellow") if found else Text("  all quiet", "green"), Text()]
    return Group(*parts, Text(LEGEND, "dim"), Text(f"mail: {live.mail}".replace("; ", "\n      "), "bold"))


def _introduce(organization: Organization) -> None:
    members, replicas = organization.members, organization.replicas
    names = [replicas.name(url) for url in replicas.urls]
    first, last = members[0], members[-1]
    config = f"mailtrust --config {first.config_name}"
    garbage = organization.garbage(first.name)
    found = () if shutil.which("mailtrust") else ((f"PATH={Path(sys.executable).parent}:$PATH", ""),)
    lines = (
        *found,
        (f"cd {organization.folder}", ""),
        (f"{config} new", "a new one, not enabled: 12012"),
        (f"{config} check", "what is wrong, and what to type"),
        (f"{config} fix --yes", "mend it; again once it has spread"),
        (f"touch control/cut-{names[-1]}", "cut that replica's link; rm mends it"),
        (f"touch control/damage-{names[-1]}", "make it unreadable; rm mends it"),
        (f"touch control/stop-{last.short_name}", "stop that server; rm starts it"),
        (f"touch control/freeze-{last.short_name}", "keep it on its old file; rm mends it"),
        (f"touch control/strip-{last.short_name}", "a device takes its STARTTLS out; rm mends it"),
        (f"touch control/slow-{last.short_name}", "a device is late with each answer; rm mends it"),
        (f"{config} flow {first.short_name} {last.short_name}", "where mail stops; --all: who reaches whom"),
        (f"# {garbage} is no certificate; published all the same: 12022", ""),
        (f"{config} directory put {first.name} {garbage} --yes", ""),
    )
    servers, copies = counted(len(members), "server"), counted(len(names), "replica")
    there = f"{servers}, {copies} ({replicas.kind}), in {organization.folder}"
    say(f"{there}; Ctrl-C ends them.")
    say("In another terminal:", "bold")
    column = 2 + max(len(command) for command, effect in lines if effect)
    for command, effect in lines:
        say(f"  {command:<{column}}# {effect}" if effect else f"  {command}")
    say()
    sys.stdout.flush()


def _prose(text: str, rest: str = "") -> str:
    return fitted("", text, rest)


def _typed() -> str:
    """The program, as it has to be typed from here."""
    return "mailtrust" if shutil.which("mailtrust") else relpath(Path(sys.executable).with_name("mailtrust"))


def _report(live: Live) -> dict[str, object]:
    shelf = texts()
    return {
        "schema": LAB_SCHEMA,
        "folder": str(live.organization.folder),
        "servers": [copies(seen.view, seen.viewpoint) for seen in live.seen],
        "findings": [
            finding_report(finding, shelf) for seen in live.seen for finding in seen.diagnosis.findings
        ],
        "mail": str(live.mail),
    }
