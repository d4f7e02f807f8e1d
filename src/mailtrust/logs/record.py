"""
One line for a log, and what every log can do.

A record has the fields that systemd's journal takes; the other logs write of them what they can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

IDENTIFIER = "mailtrust"
FACILITY = 2
"""``mail``: where the mail servers of the host write as well."""
NONE = "-"
"""Stands in a field that every line has, where there is nothing to say."""
PREFIX, VALUE = "MAILTRUST_", "MAILTRUST_VALUE_"


@dataclass(frozen=True, slots=True)
class Record:
    """A line: what it says, how urgent it is, and its fields by their names in systemd's journal."""

    at: datetime
    message: str
    priority: int
    """As syslog counts: 3 an error, 4 a warning, 5 a notice, 6 information."""
    message_id: str
    fields: Mapping[str, str] = field(default_factory=dict)


class Log(Protocol):
    """Where lines go.  Whoever sends is never kept waiting."""

    @property
    def name(self) -> str:
        """What it is and where, for people."""

    def send(self, record: Record) -> bool:
        """False where it can take none just now; ask again later.  Raises: LogUnavailable."""

    def close(self) -> None:
        """Give it back."""
