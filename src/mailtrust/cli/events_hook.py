"""`mailtrust events test-hook`: try out the ways by which people are told."""

import time
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from mailtrust import clock
from mailtrust.agent.journal import Entry, EntryKind
from mailtrust.agent.noticing import Deliver, ways
from mailtrust.agent.outbox import notice_of
from mailtrust.cli.frame import DryRunOption, JsonOption, given, session, texts
from mailtrust.cli.output import emit, say
from mailtrust.config import Config
from mailtrust.core.events import catalog
from mailtrust.core.notices import Turn
from mailtrust.errors import BadConfiguration, BadInput, NotDelivered
from mailtrust.notices.notice import Notice
from mailtrust.texts import Texts

HOOK_SCHEMA = "mailtrust.events-test-hook/1"
EPILOG = "Example: mailtrust events test-hook --way webhook"


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one way."""

    way: str
    delivered: bool
    answer: str
    seconds: float

    @property
    def report(self) -> dict[str, Any]:
        """As JSON."""
        seconds = round(self.seconds, 3)
        return {"way": self.way, "delivered": self.delivered, "answer": self.answer, "seconds": seconds}


def try_out(
    context: typer.Context,
    *,
    way: Annotated[
        str | None, given("Only that one: command, webhook or mail. Default: all of them.", metavar="WAY")
    ] = None,
    closed: Annotated[bool, typer.Option("--closed", help="As if it closed, and not opened.")] = False,
    dry_run: DryRunOption = False,
    json_output: JsonOption = False,
) -> None:
    """
    Send a notice that says that it is a test, and say what came back.

    It goes by every way of [notify], at once and once. What is open, and what waits to be delivered, stays as
    it is. --dry-run shows the notice. Exits 1 where it did not get through.
    """
    config = session(context).config()
    chosen = _chosen(config, way)
    notice = _test(config, Turn.CLOSED if closed else Turn.OPENED, texts())
    if dry_run:
        emit({"schema": HOOK_SCHEMA, "would": sorted(chosen), "notice": dict(notice.fields)})
        return
    tried = [_try(name, deliver, notice) for name, deliver in chosen.items()]
    if json_output:
        emit({"schema": HOOK_SCHEMA, "ways": [one.report for one in tried], "notice": dict(notice.fields)})
    else:
        for one in tried:
            outcome = "delivered" if one.delivered else "NOT delivered"
            say(f"{one.way}: {outcome}: {one.answer} ({one.seconds:.2f}s)", "" if one.delivered else "red")
    raise typer.Exit(0 if all(one.delivered for one in tried) else 1)


def _chosen(config: Config, way: str | None) -> dict[str, Deliver]:
    found = dict(ways(config))
    if not found:
        raise BadConfiguration(
            "nobody is told anything: [notify] names no command, webhook or mail",
            hint="docs/logs.md shows how to set notify.command, notify.webhook or notify.mail_to",
        )
    if way is None:
        return found
    if way not in found:
        raise BadInput(f"{way!r} is not set up", hint=f"in [notify] there is {', '.join(sorted(found))}")
    return {way: found[way]}


def _try(way: str, deliver: Deliver, notice: Notice) -> Tried:
    began = time.monotonic()
    try:
        delivered, answer = True, deliver([notice], clock.now())
    except NotDelivered as error:
        delivered, answer = False, error.message
    return Tried(way, delivered, answer, time.monotonic() - began)


def _test(config: Config, turn: Turn, shelf: Texts) -> Notice:
    """A notice of 12012 at this server, as it could be."""
    now, event = clock.now(), catalog.CERTIFICATE_MISSING
    entry = Entry(
        0, now, EntryKind.OPENED, event, config.server.name, config.directory.home, catalog.NOT_ENABLED,
        event.severity, "mailtrust check", {"replica": config.directory.home, "fingerprint": "0" * 12},
    )  # fmt: skip
    notice = notice_of(entry, turn, shelf, config.file, now)
    marked = {name: f"TEST: {notice[name]}" for name in ("title", "message", "text")}
    return Notice({**notice.fields, **marked, "test": True})
