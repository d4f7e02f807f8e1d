"""
An event of a Windows event log, as far as we read it, and what a file lacked.

A log says who wrote it (the *source*), a number that means something only together with that source, and a
list of values; its sentence is put together elsewhere, and is often not in the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

UNKNOWN_LEVEL = -1


@dataclass(frozen=True, slots=True)
class Value:
    """One value that goes into an event's sentence; most have no name, and their place says what they are."""

    text: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class WindowsEvent:
    """One event.  What is not in the file is empty, or None."""

    source: str
    number: int
    """The low 16 bits of the identifier: what people call the event's number."""
    computer: str = ""
    at: datetime | None = None
    qualifiers: int | None = None
    """The high 16 bits of the identifier: severity and facility."""
    level: int = UNKNOWN_LEVEL
    record: int | None = None
    channel: str = ""
    values: tuple[Value, ...] = ()
    message: str = ""
    """The sentence in the language of who exported it, where the export has it."""

    @property
    def identifier(self) -> int | None:
        """All 32 bits, as some tools show an event: 12012 is 0xC0042EEC."""
        return None if self.qualifiers is None else self.qualifiers << 16 | self.number


class Damage(StrEnum):
    """How a file is not what it should be."""

    CUT_OFF = "cut-off"
    """It ends in the middle of something, or before it should."""
    UNREADABLE = "unreadable"
    """A record or an event that could not be read; what follows it was."""
    CHECKSUM = "checksum"
    """A chunk's checksum does not fit what stands in it: a value may be wrong."""
    REFUSED = "refused"
    """Something that no Windows log holds; reading stopped there."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where a file broke."""

    damage: Damage
    offset: int
    """In bytes from the beginning of the file."""
    line: int | None = None
    """In a text: its line, from 1."""
    record: int | None = None
    """The record's number in a binary log; the place in the file, from 1, in a text."""
    why: str = ""
    """What the reader of that format said, in its own words."""
    harmless: bool = False
    """True for what is usual in the log of a running server, and cost nothing."""
