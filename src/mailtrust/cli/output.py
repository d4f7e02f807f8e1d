"""
Writing to the terminal, to a file, or to another program.

Colours and wrapping only where a terminal is; whatever came from outside (a subject, a banner, an answer)
loses its control characters, so that a hostile peer cannot write on the administrator's screen.
"""

from __future__ import annotations

import codecs
import io
import json
import os
import shutil
import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TextIO

from mailtrust.cli.prose import wrapped
from mailtrust.core.clean import clean

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

DRY_RUN_SCHEMA = "mailtrust.dry-run/1"
_PLAIN_WIDTH, _NARROWEST = 80, 40
_AS_IT_CAN = "mailtrust.as-it-can"
_STAND_INS = {
    "●": "#", "○": "o", "◐": "~", "✗": "x", "×": "X", "·": ".", "─": "-", "▶": ">",
    "≠": "!=", "…": "...", "→": "->", "↔": "<->", **dict.fromkeys("▏▎▍▌▋▊▉█", "="),
    "\N{REPLACEMENT CHARACTER}": "?",
}  # fmt: skip
"""Never `?` for what is there: in the grid that means that nobody could look."""


def say(text: str = "", style: str = "") -> None:
    """One or more lines on standard output; *style* is a rich style."""
    if not style or not sys.stdout.isatty():
        sys.stdout.write(f"{clean(text)}\n")
        return
    screen().print(clean(text), style=style, markup=False, highlight=False, soft_wrap=True)


def show(*parts: RenderableType) -> None:
    """Tables and styled lines on standard output."""
    for part in parts:
        screen().print(part, markup=False, highlight=False, emoji=False, crop=False)


def warn(text: str) -> None:
    """A line on standard error."""
    sys.stdout.flush()
    sys.stderr.write(f"{clean(text)}\n")


def caution(sentence: str) -> None:
    """What does not stop us, and should be known."""
    warn(f"warning: {sentence}")


def emit(value: Any) -> None:
    """One JSON value on standard output."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=not _speaks_unicode(sys.stdout))
    sys.stdout.write("\n")


def as_json(value: Any) -> str:
    """The same for a file."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def emit_line(value: Any) -> None:
    """One JSON value on a line of its own, at once: for what goes on until it is interrupted."""
    json.dump(value, sys.stdout, ensure_ascii=not _speaks_unicode(sys.stdout))
    sys.stdout.write("\n")
    sys.stdout.flush()


def foretell(*sentences: str, json_output: bool) -> None:
    """What a command would do, for --dry-run."""
    if json_output:
        emit({"schema": DRY_RUN_SCHEMA, "would": list(sentences)})
        return
    for sentence in sentences:
        say(sentence)


def fields(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values in two columns."""
    rows = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in rows)


def counted(count: int, one: str) -> str:
    """A number with its noun, which agrees: ``one key``, ``3 keys``."""
    return f"one {one}" if count == 1 else f"{count} {one}s"


def write_as_it_can() -> None:
    """Let standard output and standard error write what their encoding lacks with what it has."""
    codecs.register_error(_AS_IT_CAN, _stand_in)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_AS_IT_CAN)


def is_terminal() -> bool:
    """True where somebody reads what we write, as we write it."""
    return sys.stdout.isatty()


def width() -> int | None:
    """The columns to wrap sentences at, by the terminal or $COLUMNS; None where lines are to stay whole."""
    if is_terminal() or os.environ.get("COLUMNS", "").isdigit():
        return max(shutil.get_terminal_size((_PLAIN_WIDTH, 24)).columns, _NARROWEST)
    return None


def fitted(lead: str, text: str, rest: str) -> str:
    """*text* behind its lead, in lines of the terminal where there is one."""
    columns = width()
    return lead + text if columns is None else wrapped(text, columns, lead, rest)


def screen() -> Console:
    """The rich console on the present standard output."""
    return _console(sys.stdout)


@lru_cache(maxsize=2)
def _console(stream: TextIO) -> Console:
    from rich.console import Console

    columns = None if stream.isatty() else width() or _PLAIN_WIDTH
    return Console(file=stream, width=columns, markup=False, highlight=False, emoji=False)


def _speaks_unicode(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().replace("-", "") == "utf8"


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(one: str) -> str:
    return _STAND_INS.get(one) or one.encode("ascii", "backslashreplace").decode("ascii")
