"""
What every command shares: its options, its configuration, its questions, and how it says what went wrong.

Sentences go to standard output, warnings and errors to standard error.  With ``--json`` standard output
holds one JSON value and nothing else, also when the command failed.
"""

from __future__ import annotations

import getpass
import os
import re
import shlex
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailtrust.cli.output import caution, emit, say, warn
from mailtrust.errors import MailtrustError, Refused

if TYPE_CHECKING:
    from mailtrust.config import Config
    from mailtrust.texts import Texts

ERROR_SCHEMA = "mailtrust.error/1"

_DOCTOR = ["postfix", "check"]
_COMMAND = re.compile(r"\bmailtrust(?= (?!explain|lab)[a-z])")

UsageError: type[typer.BadParameter] = typer.BadParameter.__mro__[1]
"""What the parser raises for wrong syntax."""
Abort = typer.Abort

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
CertificateArgument = Annotated[
    str,
    typer.Argument(
        metavar="CERTIFICATE",
        show_default=False,
        help="Its fingerprint, thumbprint or pin, in any spelling, or the first 8 digits of one.",
    ),
]


def given(text: str, *names: str, metavar: str | None = None, **limits: Any) -> Any:
    """An option that has no default of its own; *text* is its help."""
    return typer.Option(*names, metavar=metavar, help=text, show_default=False, **limits)


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of the program, as far as it matters before its arguments are understood."""

    json_output: bool
    is_check: bool
    """`check`, also of Postfix, is a monitoring plugin: its first line and its exit code have a meaning."""
    config: str = ""
    """The configuration that was named, as it was typed."""
    pipes_metrics: bool = False
    """What goes to standard output is metrics, or nothing."""

    @classmethod
    def of(cls, arguments: Sequence[str]) -> Invocation:
        """Read off what was typed."""
        words = _words(arguments)
        is_check = words[:1] == ["check"] or words == _DOCTOR
        pipes_metrics = "prometheus" in arguments and "--output" not in arguments
        return cls("--json" in arguments, is_check, _config(arguments), pipes_metrics)

    def tell(self, error: MailtrustError) -> None:
        """Say what went wrong, why, and what next."""
        self._tell(error.message, _because(error), self._typed(error.hint))

    def tell_usage(self, error: typer.BadParameter) -> None:
        """Say what was wrong with the words that were typed."""
        path = error.ctx.command_path if error.ctx else "mailtrust"
        self._tell(error.format_message().rstrip("."), "", f"{path} --help")

    def _typed(self, hint: str) -> str:
        """The commands of a hint, as they have to be typed here: who gave it knows of no configuration."""
        named = shlex.join(("mailtrust", "--config", self.config))
        return _COMMAND.sub(lambda _: named, hint) if self.config else hint

    def _tell(self, message: str, because: str, hint: str) -> None:
        if self.json_output:
            emit({"schema": ERROR_SCHEMA, "error": message, "because": because, "hint": hint})
            return
        if self.is_check and not self.pipes_metrics:
            say(f"MAILTRUST UNKNOWN - {message}")
        else:
            warn(f"mailtrust: {message}")
        if because:
            warn(f"because: {because}")
        if hint:
            warn(f"hint: {hint}")


@dataclass(frozen=True, slots=True)
class Session:
    """What stands before the command: the one global option that has a value."""

    config_file: Path | None = None

    def config(self) -> Config:
        """The configuration that holds; who can read its secrets is said.  Raises: BadConfiguration."""
        from mailtrust.config import load
        from mailtrust.config.exposed import exposed

        config = load(self.config_file, os.environ, default_name=socket.getfqdn)
        for sentence in exposed(config.directory, config.notify):
            caution(sentence)
        return config

    def command(self, *words: str) -> str:
        """A command as it has to be typed next, with the configuration that was named here."""
        named = ("--config", str(self.config_file)) if self.config_file is not None else ()
        return shlex.join(("mailtrust", *named, *words))

    def typed(self, action: str) -> str:
        """The action of a finding, as it has to be typed here."""
        return self.command(*shlex.split(action)[1:])


def session(context: typer.Context) -> Session:
    """What stood before the command."""
    found = context.find_root().obj
    return found if isinstance(found, Session) else Session()


def texts(language: str | None = None) -> Texts:
    """The texts in the reader's language.  Raises: BadInput for one that we do not have."""
    from mailtrust import texts as shelf

    return shelf.load(shelf.language(language, os.environ))


def at_a_terminal() -> bool:
    """True where somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str, *, yes: bool) -> None:
    """
    Ask before something is changed; return when the answer is yes.

    Raises: Refused where it is no, or where there is nobody to ask.
    """
    if yes:
        return
    if not at_a_terminal():
        raise Refused(
            f"nothing was changed: there is no terminal to ask at. The question was: {question}",
            hint="add --yes to do it, or --dry-run to see what it would do",
        )
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Refused("nothing was changed")


def ask_password(question: str) -> str:
    """A password typed at the terminal, unseen."""
    return getpass.getpass(f"{question}: ", stream=sys.stderr)


def unexpected(error: Exception) -> MailtrustError:
    """What we say about a fault of our own."""
    found = MailtrustError(
        f"this is a fault in mailtrust, and not yours ({type(error).__name__}: {error})",
        hint="run it again with MAILTRUST_DEBUG=1, and report what it prints to the project",
    )
    found.__suppress_context__ = True
    return found


def _words(arguments: Sequence[str]) -> list[str]:
    """The command, and what may be a command of it."""
    words, found = iter(arguments), list[str]()
    for word in words:
        if word == "--config":
            next(words, None)
        elif not word.startswith("-"):
            found.append(word)
    return found[:2]


def _config(arguments: Sequence[str]) -> str:
    words = iter(arguments)
    for word in words:
        if word == "--config":
            return next(words, "")
        if word.startswith("--config="):
            return word.partition("=")[2]
        if not word.startswith("-"):
            break
    return ""


def _because(error: MailtrustError) -> str:
    cause = error.__cause__
    match cause:
        case None:
            return ""
        case MailtrustError():
            return cause.message
        case OSError() if cause.strerror:
            return cause.strerror.lower()
        case _:
            return str(cause) or type(cause).__name__
