"""Writes docs/commands.md from the commands' own parameters, help and examples; --check only compares."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mailtrust.cli.program import SECTIONS, program
from tools.generated import DOCS, head, table, write_or_compare


def pages() -> Mapping[Path, str]:
    """The page, by its path."""
    root = program()
    parts = [head("commands"), "## Before the command\n", _parameters(root, "mailtrust")]
    for title, words in SECTIONS:
        parts.append(f"## {title}\n")
        for word in words:
            command = root.get_command(None, word.name)  # type: ignore[arg-type]  # it needs no context
            assert command is not None
            parts += _command(command, f"mailtrust {word.name}", "###")
    return {DOCS / "commands.md": "\n".join(parts)}


def _command(command: Any, path: str, heading: str) -> Iterator[str]:
    context = command.context_class(command, info_name=path)
    usage = " ".join((path, *command.collect_usage_pieces(context)))
    yield f"{heading} {path}\n"
    yield f"{_prose(command.help)}\n"
    yield f"```text\n{usage}\n```\n"
    if parameters := _parameters(command, path):
        yield parameters
    if command.epilog:
        lead, _, example = command.epilog.partition(": ")
        yield f"{lead}:\n\n```sh\n{example}\n```\n"
    for name, below in getattr(command, "commands", {}).items():
        yield from _command(below, f"{path} {name}", f"{heading}#")


def _parameters(command: Any, path: str) -> str:
    context = command.context_class(command, info_name=path)
    rows = []
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None and parameter.name != "help":
            # The screen also shows an argument's type; that it is a text says nothing.
            typed = parameter.metavar if parameter.param_type_name == "argument" else None
            rows.append((f"`{typed or record[0]}`", record[1]))
    return table(("", ""), rows) + "\n" if rows else ""


def _prose(text: str | None) -> str:
    """The paragraphs of a help text, each on lines of its own."""
    paragraphs = (text or "").split("\n\n")
    return "\n\n".join(" ".join(one.split()) for one in paragraphs)


if __name__ == "__main__":
    sys.exit(write_or_compare(pages(), sys.argv[1:]))
