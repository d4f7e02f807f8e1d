"""
Writes the manual pages, one for the program and one per command, and the completions of each shell.

    python -m tools.make_man [FOLDER]

FOLDER (./man if not given) gets ``man1/*.1``, and ``completions/`` with a file for bash, zsh and fish.  They
are made from the program itself, and are not committed: `make man` makes them for whoever packages.
$SOURCE_DATE_EPOCH dates them, so that two builds are alike.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import mailtrust
from mailtrust import clock
from mailtrust.cli.completions import ShellName, script
from mailtrust.cli.outline import Outline, Parameter, outline
from mailtrust.cli.program import SECTIONS

COMPLETIONS = {
    ShellName.BASH: "mailtrust.bash", ShellName.ZSH: "_mailtrust", ShellName.FISH: "mailtrust.fish",
}  # fmt: skip
_ENVIRONMENT = (
    ("MAILTRUST_CONFIG", "The configuration to use, where --config names none."),
    (
        "LC_ALL, LC_MESSAGES, LANG",
        "The language of what is said: English, or Chinese where it begins with zh.",
    ),
    ("MAILTRUST_DEBUG", "If set, a fault of the program is shown in full."),
)
_FILES = (
    ("./mailtrust.toml, /etc/mailtrust/mailtrust.toml", "The configuration, the first that is there."),
    ("/var/lib/mailtrust", "Keys, journal, snapshot and queue, unless server.store says otherwise."),
)
_EXITS = re.compile(r"Exits ([^.]*\.)")
"""The sentence in which a command's help says how it ends."""
_STATUS = (
    ("0", "Done, or nothing to do."),
    ("1", "Failed, and said why."),
    ("2", "Wrong syntax."),
    ("3", "Only of the monitoring plugins, check and postfix check, where 1 is a warning and 2 an error: "
     "it cannot be said; and of analyze and analyze --which, where what matters could not be looked at."),
    ("130", "Interrupted."),
)  # fmt: skip


def pages(now: datetime) -> Mapping[str, str]:
    """Every page by its file's name."""
    root = outline()
    found = {"mailtrust.1": _page(root, now, _program(root), root.commands)}
    for command in root.commands:
        found[f"mailtrust-{command.path[1]}.1"] = _page(command, now, _command(command), root.commands)
    return found


def made(now: datetime) -> Mapping[str, str]:
    """All pages and completions by their paths: ``man1/mailtrust.1``, ``completions/mailtrust.bash``."""
    root = outline()
    files = {f"man1/{name}": text for name, text in pages(now).items()}
    for shell, name in COMPLETIONS.items():
        files[f"completions/{name}"] = script(shell, root, mailtrust.__version__)
    return files


def _page(one: Outline, now: datetime, body: Iterator[str], commands: tuple[Outline, ...]) -> str:
    title = "-".join(one.path)
    head = (
        f'.TH {title.upper()} 1 {now:%Y-%m-%d} "mailtrust {mailtrust.__version__}" "User Commands"',
        ".SH NAME",
        rf"{_text(title)} \- {_text(one.summary.rstrip('.'))}",
    )
    others = ["mailtrust", *("-".join(command.path) for command in commands)]
    also = ", ".join(rf"\fB{_text(other)}\fR(1)" for other in others if other != title)
    return "\n".join((*head, *body, ".SH SEE ALSO", f"{also}.")) + "\n"


def _program(root: Outline) -> Iterator[str]:
    yield from _synopsis(root)
    yield ".SH DESCRIPTION"
    yield from _prose(root.help)
    yield from _parameters("OPTIONS", root.options)
    summaries = {command.path[1]: command.summary for command in root.commands}
    yield ".SH COMMANDS"
    for title, words in SECTIONS:
        yield f".SS {_text(title)}"
        yield from _pairs((rf"mailtrust-{word.name}(1)", summaries[word.name]) for word in words)
    yield ".SH EXIT STATUS"
    yield from _pairs(_STATUS)
    yield ".SH ENVIRONMENT"
    yield from _pairs(_ENVIRONMENT)
    yield ".SH FILES"
    yield from _pairs(_FILES)


def _command(command: Outline) -> Iterator[str]:
    yield from _synopsis(*command.everything())
    yield ".SH DESCRIPTION"
    yield from _prose(command.help)
    yield from _parameters("OPTIONS", (*command.arguments, *command.options))
    if command.commands:
        yield ".SH COMMANDS"
    for below in (one for one in command.everything() if one is not command):
        yield f".SS {_text(below.name)}"
        yield from _prose(below.help)
        yield from _pairs((_shown(each), each.help) for each in (*below.arguments, *below.options))
    examples = [one.example for one in command.everything() if one.example]
    if examples:
        yield ".SH EXAMPLES"
        for number, example in enumerate(examples):
            yield from (*((".PP",) if number else ()), ".nf", ".RS 4", _text(example), ".RE", ".fi")
    yield ".SH EXIT STATUS"
    own = [
        f"{one.name} exits {exits}"
        for one in command.everything()
        for exits in _EXITS.findall(" ".join(" ".join(one.help).split()))
    ]
    for said in own:
        yield from (_text(said), ".PP")
    yield f"{'Otherwise ' if own else ''}0 done, or nothing to do; 1 failed, and said why; 2 wrong syntax."


def _synopsis(*each: Outline) -> Iterator[str]:
    yield ".SH SYNOPSIS"
    for number, one in enumerate(each):
        if number:
            yield ".br"
        words = one.usage.removeprefix(one.name)
        yield rf"\fB{_text(one.name)}\fR{_text(words)}"


def _parameters(title: str, parameters: tuple[Parameter, ...]) -> Iterator[str]:
    if parameters:
        yield f".SH {title}"
        yield from _pairs((_shown(each), each.help) for each in parameters)


def _shown(parameter: Parameter) -> str:
    is_option = parameter.names[0].startswith("-")
    return parameter.shown if is_option else parameter.names[0]


def _pairs(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, text in pairs:
        yield from (".TP", rf"\fB{_text(name)}\fR", _text(text) or r"\&")


def _prose(paragraphs: tuple[str, ...]) -> Iterator[str]:
    for number, paragraph in enumerate(filter(None, paragraphs)):
        if number:
            yield ".PP"
        yield _text(paragraph)


def _text(text: str) -> str:
    """As roff takes it: nothing in it is a request, and a hyphen is the one that is typed."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("`", "")
    escaped = re.sub(r"[^\x00-\x7f]", lambda found: rf"\[u{ord(found[0]):04X}]", escaped)
    return rf"\&{escaped}" if escaped[:1] in (".", "'") else escaped


def main(arguments: list[str]) -> int:
    """Write them all."""
    folder = Path(arguments[0]) if arguments else Path("man")
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    files = made(datetime.fromtimestamp(int(epoch), UTC) if epoch else clock.now())
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    print(f"wrote {len(files)} files below {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
