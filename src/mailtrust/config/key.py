"""What a key of the configuration is, and the readers that several tables share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from mailtrust.config.units import duration
from mailtrust.errors import BadInput

DURATION = 'a duration such as "0s", "15m", "2h" or "90d"'
PATH = "an absolute path"


@dataclass(frozen=True, slots=True)
class Key:
    """One key: how it is written, what it means, and what reads it."""

    table: str
    name: str
    expected: str
    """What may stand there, to go after "expected"."""
    read: Callable[[object], object]
    """Raises: BadInput; its hint is shown, its message only for one of several values."""
    default: str
    """As it would stand in the file; in words where it depends on something else."""
    about: str
    example: str = ""
    """As it could stand in the file, where the default is in words; empty where it is not."""

    @property
    def path(self) -> str:
        """``table.name``, as messages say it."""
        return f"{self.table}.{self.name}"


def text(value: object) -> str:
    """One printable line.  Raises: BadInput."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise BadInput("it is not a text")
    return value


def texts(value: object) -> tuple[str, ...]:
    """A list of them.  Raises: BadInput."""
    if not isinstance(value, list):
        raise BadInput("it is not a list")
    return tuple(map(text, value))


def folder(value: object) -> Path:
    """An absolute path.  Raises: BadInput."""
    path = Path(text(value))
    if not path.is_absolute():
        raise BadInput("it is not absolute", hint="a path begins with /; ~ and variables are not expanded")
    return path


def length(value: object) -> timedelta:
    """A length of time.  Raises: BadInput."""
    return duration(text(value))


def some_length(value: object) -> timedelta:
    """One that is more than nothing.  Raises: BadInput."""
    found = length(value)
    if not found:
        raise BadInput("it is nothing", hint="it must be longer than nothing")
    return found


def words(value: object) -> tuple[str, ...]:
    """A command as a list of words, for no shell.  Raises: BadInput."""
    words = texts(value)
    if not words:
        raise BadInput("it names no program")
    return words


def one_of(*words: str) -> Callable[[object], str]:
    """A reader that takes only these words."""

    def read(value: object) -> str:
        if value not in words:
            raise BadInput("it is another word")
        return str(value)

    return read
