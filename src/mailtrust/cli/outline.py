"""
The program's commands as plain values: what completions and manual pages are made from.

Every command's file is imported for it; so nothing that has to be quick asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from mailtrust.cli.program import WORDS, program
from mailtrust.core.advice import RULES
from mailtrust.core.events.catalog import CATALOG
from mailtrust.lab.stories import STORIES
from mailtrust.simulation.stories import stories
from mailtrust.texts import LANGUAGES

FILES = ("FILE", "FOLDER", "PATH")


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
            _parameter(path, one, shown[0], shown[1])
            for one, shown in parameters
            if one.param_type_name == "option" and shown
        ),
        tuple(
            _parameter(path, one, *(shown or (one.metavar or "", "")))
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


def _parameter(path: tuple[str, ...], parameter: Any, shown: str, text: str) -> Parameter:
    is_option = parameter.param_type_name == "option"
    metavar = (parameter.metavar or "").rstrip(".")
    names = sorted(parameter.opts, key=len, reverse=True) if is_option else [metavar]
    known = _known_words().get(f"{path[-1]} {names[0]}") or _known_words().get(metavar, ())
    choices = parameter.type_descriptor.choices or known
    return Parameter(
        tuple(names),
        shown.replace("{", "").replace("}", ""),
        " ".join(text.split()),
        takes_value=not (is_option and parameter.is_flag),
        is_file=metavar in FILES,
        words=tuple(str(getattr(one, "value", one)) for one in choices),
    )


@cache
def _known_words() -> Mapping[str, tuple[str, ...]]:
    """What stands for a value, or the option alone of which it is true, and what that may be."""
    events = tuple(str(one.code) for one in CATALOG)
    return {
        "LANGUAGE": LANGUAGES,
        "EVENT": events,
        "ID": (*(rule.code for rule in RULES), *events),
        "STORY": tuple(stories()),
        "WHICH": ("in-site", "all"),
        "lab --story": tuple(STORIES),
    }
