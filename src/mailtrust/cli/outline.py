"""
The program's commands as plain values: what completions and manual pages are made from.

Every command's file is imported for it; so nothing that has to be quick asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mailtrust.cli.program import WORDS, program
from mailtrust.core.events.catalog import CATALOG
from mailtrust.texts import LANGUAGES

FILES = ("FILE", "FOLDER", "PATH")
_KNOWN_WORDS = {
    "LANGUAGE": LANGUAGES,
    "EVENT": tuple(str(one.code) for one in CATALOG),
    "WHICH": ("in-site", "all"),
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """An option, or an argument."""

    names: tuple[str, ...]
    """As it is typed, the longest first; of an argument, what stands for it."""
    shown: str
    """As help shows it, with its value."""
    help: str
    takes_value: bool = True
    is_file: bool = False
    words: tuple[str, ...] = ()
    """What it may be, where that is known."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A command, with those below it."""

    path: tuple[str, ...]
    summary: str
    help: tuple[str, ...]
    """In paragraphs."""
    usage: str
    options: tuple[Parameter, ...]
    arguments: tuple[Parameter, ...]
    example: str
    commands: tuple[Outline, ...] = ()

    @property
    def name(self) -> str:
        """The words to type."""
        return " ".join(self.path)

    def everything(self) -> Iterator[Outline]:
        """It, and all commands below it."""
        yield self
        for one in self.commands:
            yield from one.everything()


def outline() -> Outline:
    """The whole program."""
    return _outline(program(), ("mailtrust",), "Looks after the certificates of mail servers.")


def _outline(command: Any, path: tuple[str, ...], summary: str) -> Outline:
    context = command.context_class(command, info_name=" ".join(path))
    parameters = [(one, one.get_help_record(context)) for one in command.get_params(context)]
    _, _, example = (command.epilog or "").partition("Example: ")
    return Outline(
        path,
        summary,
        tuple(" ".join(part.split()) for part in (command.help or "").split("\n\n")),
        " ".join((*path, *command.collect_usage_pieces(context))),
        tuple(
            _parameter(one, shown[0], shown[1])
            for one, shown in parameters
            if one.param_type_name == "option" and shown
        ),
        tuple(
            _parameter(one, *(shown or (one.metavar or "", "")))
            for one, shown in parameters
            if one.param_type_name == "argument"
        ),
        example,
        tuple(_below(command, context, path)),
    )


def _below(command: Any, context: Any, path: tuple[str, ...]) -> Iterator[Outline]:
    if not hasattr(command, "list_commands"):
        return
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        known = WORDS[name].summary if len(path) == 1 else (found.help or "").strip().partition("\n\n")[0]
        yield _outline(found, (*path, name), " ".join(known.split()))


def _parameter(parameter: Any, shown: str, text: str) -> Parameter:
    is_option = parameter.param_type_name == "option"
    metavar = (parameter.metavar or "").rstrip(".")
    names = sorted(parameter.opts, key=len, reverse=True) if is_option else [metavar]
    choices = parameter.type_descriptor.choices or _KNOWN_WORDS.get(metavar, ())
    return Parameter(
        tuple(names),
        shown.replace("{", "").replace("}", ""),
        " ".join(text.split()),
        takes_value=not (is_option and parameter.is_flag),
        is_file=metavar in FILES,
        words=tuple(str(getattr(one, "value", one)) for one in choices),
    )
