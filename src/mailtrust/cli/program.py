"""
The program's words: its commands in the order in which one needs them, each imported when it is typed.
"""

from __future__ import annotations

import difflib
import gc
import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core
import typer.main

import mailtrust
from mailtrust.cli.frame import Session, UsageError

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter
    from typer.core import TyperGroup


@dataclass(frozen=True, slots=True)
class Word:
    """One command: its name, the module that holds it, and what it does in a line."""

    name: str
    module: str
    summary: str


SECTIONS: tuple[tuple[str, tuple[Word, ...]], ...] = (
    ("Begin", (
        Word("init", "init", "Look around, then write an annotated configuration."),
        Word("lab", "lab", "Play a whole organization on this machine, with stories."),
        Word("simulate", "simulate", "Try rotations out in a simulated world: stories, and a search."),
        Word("explain", "explain", "The page of an event, in your language; alone: all events."),
        Word("completion", "completion", "What bash, zsh or fish needs to complete these words."),
    )),
    ("Certificates of this server", (
        Word("new", "new", "Make a key and a certificate, or a request to a CA."),
        Word("list", "list", "The certificates in the store."),
        Word("show", "show", "One certificate, in full."),
        Word("import", "import_", "Put a certificate with its key into the store."),
        Word("export", "export", "Write a certificate to a file."),
        Word("remove", "remove", "Take a certificate out of the store."),
    )),
    ("Trust", (
        Word("enable", "enable", "Publish a certificate, then present it."),
        Word("rotate", "rotate", "Move to the next certificate without one rejected session."),
        Word("withdraw", "withdraw", "Take a certificate out of the directory, for good."),
        Word("status", "status", "The copies side by side: installed, presented, published."),
        Word("check", "check", "What is wrong, causes first; a monitoring plugin."),
        Word("analyze", "analyze", "Best practices: what to change before it breaks."),
        Word("why", "why", "Why mail does not go: cause, proof, and whose job it is."),
        Word("fix", "fix", "Mend what check finds, then look again."),
        Word("wait", "wait", "Until every replica has the current certificate."),
        Word("events", "events", "What opened, changed and closed, and when; import: logs of Exchange."),
    )),
    ("Places", (
        Word("directory", "directory", "The replicas: show, check, pull, replicate, put."),
        Word("agent", "agent", "The loop: publish, keep a successor, rotate, mend."),
        Word("dashboard", "dashboard", "What check and status see, in a browser, kept up to date."),
        Word("hub", "hub", "The embedded transport, and its queue."),
        Word("monitoring", "monitoring", "Alert rules for Prometheus, and a dashboard for Grafana."),
        Word("flow", "flow", "Follow mail stage by stage: where it stops, and why; who reaches whom."),
        Word("postfix", "postfix", "Postfix as the transport: set up, compile, check, undo."),
        Word("exim", "exim", "Exim as the transport: compile its files."),
    )),
    ("From what was there before", (
        Word("adopt", "adopt", "How mail servers know each other today; nothing is changed."),
        Word("report", "report", "What enforcing would have done, peer by peer."),
        Word("enforce", "enforce", "From counting to deferring, peer by peer, and back."),
    )),
    ("Exchange", (
        Word("audit", "audit", "An Exchange organization on one page, from outside."),
    )),
)  # fmt: skip

WORDS = {word.name: word for _, words in SECTIONS for word in words}

EPILOG = "Every command has --help with an example, and --json. Documentation: docs/index.md."


class _Command(typer.core.TyperCommand):
    """A command whose help can be copied: no braces around its arguments, its example in one line."""

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        """What may be typed, in its order."""
        return [re.sub("[{}]", "", piece) for piece in super().collect_usage_pieces(ctx)]

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002
        """The example, however long."""
        formatter.write_paragraph()
        formatter.write(f"  {self.epilog}\n")


class _Application(typer.Typer):
    def command(self, name: str | None = None, *, epilog: str) -> Callable[..., Any]:  # type: ignore[override]
        return super().command(name, cls=_Command, epilog=epilog)


def application() -> _Application:
    """An empty application for one command's file; each command of it has an example."""
    return _Application(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


class _Program(typer.core.TyperGroup):
    """The group of all commands, which knows their summaries without importing them."""

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002
        """The names, in our order."""
        return list(WORDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:  # noqa: ARG002
        """The command, imported now."""
        word = WORDS.get(cmd_name)
        return _load(word) if word else None

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """The command that was typed, or an error that names the nearest."""
        if args and args[0] not in WORDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], WORDS, 1)
            suggestion = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(f"there is no command {args[0]!r}{suggestion}", ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002
        """The summaries, by section."""
        for title, words in SECTIONS:
            with formatter.section(title):
                formatter.write_dl([(word.name, word.summary) for word in words])


@cache
def program() -> TyperGroup:
    """The whole program, as the parser takes it."""
    root = typer.Typer(
        cls=_Program, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    root.callback(invoke_without_command=True, epilog=EPILOG)(_root)
    group = typer.main.get_command(root)
    assert isinstance(group, typer.core.TyperGroup)  # noqa: S101  # a callback makes it one
    return group


def _root(
    context: typer.Context,
    *,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", show_default=False, help="The configuration to use."),
    ] = None,
    version: Annotated[bool, typer.Option("--version", help="Say the version, and exit.")] = False,
) -> None:
    """Looks after the certificates by which your mail servers know each other."""
    context.obj = Session(config)
    if version:
        typer.echo(f"mailtrust {mailtrust.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


@cache
def _load(word: Word) -> Command:
    module: Any = importlib.import_module(f"mailtrust.cli.{word.module}")
    command: Command = typer.main.get_command(module.app)
    command.name = word.name
    # What was imported stays: passing through it for garbage, again and again, is a tenth of a second's work.
    gc.freeze()
    return command
