"""
A piece of advice: what was found, where, how bad it is, and what to type.

Words stand elsewhere: a rule has a number, and its title, its reasons and its remedy are texts under that
number.  What is an event as well has the event's own number, and its words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from mailtrust.core.exchange.judgement import Step
from mailtrust.core.model.event import Event, Finding, Said, Severity

if TYPE_CHECKING:
    from mailtrust.core.advice.facts import Facts


class Area(StrEnum):
    """What a rule is about."""

    CONFIGURATION = "configuration"
    CERTIFICATES = "certificates"
    DIRECTORY = "directory"
    TRANSPORTS = "transports"
    HISTORY = "history"
    EXCHANGE = "exchange"
    RENEWAL = "renewal"
    PERFORMANCE = "performance"


class Profile(StrEnum):
    """A choice of rules."""

    DEFAULT = "default"
    """What is worth changing at any site: silent where all is as it should be."""
    STRICT = "strict"
    """All of them, also what is a site's own choice."""
    EXCHANGE = "exchange"
    POSTFIX = "postfix"
    PERFORMANCE = "performance"


class Need(StrEnum):
    """The facts that a rule judges by."""

    SETTINGS = "settings"
    VIEW = "view"
    POSTFIX = "postfix"
    PAST = "past"
    EXCHANGE = "exchange"


class Where(StrEnum):
    """Where a remedy is to be typed."""

    SHELL = "shell"
    CONFIGURATION = "configuration"
    """Lines of our own configuration file, with the table that they belong to."""
    EXCHANGE = "exchange"
    """The Exchange Management Shell."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to type."""

    lines: tuple[str, ...]
    where: Where = Where.SHELL


@dataclass(frozen=True, slots=True)
class Told:
    """What a rule found in one place; the rule itself says what is meant."""

    server: str
    values: dict[str, str] = field(default_factory=dict)
    """For the sentence of what was found; `server` is always there and not listed."""
    place: str = ""
    severity: Severity | None = None
    """Where it is another than the rule's."""
    evidence: tuple[Said, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    steps: tuple[Step, ...] = ()
    """Instead of remedies: what to do at an Exchange organization, one thing after the other."""
    until: datetime | None = None
    """When it becomes worse, or happens; None where time changes nothing."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.  *judge* is a pure function of the facts, and is asked only where its *need* is met."""

    number: int
    area: Area
    severity: Severity
    need: Need
    judge: Callable[[Facts], Iterator[Told]]
    profiles: frozenset[Profile] = frozenset({Profile.DEFAULT})
    """Beside STRICT, which has them all."""
    see: tuple[Event, ...] = ()
    """The events that it keeps from happening."""

    @property
    def code(self) -> str:
        """As people type it: ``A101``."""
        return f"A{self.number}"

    def belongs_to(self, profile: Profile) -> bool:
        """True if it is asked in that profile."""
        return profile is Profile.STRICT or profile in self.profiles


@dataclass(frozen=True, slots=True)
class Advice:
    """Something to change, or to know before something is changed."""

    number: int
    """Of the rule, or of the event that holds."""
    area: Area
    server: str
    severity: Severity
    place: str = ""
    values: dict[str, str] = field(default_factory=dict)
    evidence: tuple[Said, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    until: datetime | None = None
    finding: Finding | None = None
    """The event that holds, where it is one: its message says what was found."""
    said: Said | None = None
    """What was found, where somebody has better words for it than the event."""
    steps: tuple[Step, ...] = ()
    """What to do at an Exchange organization, with what it asks and may break."""

    @property
    def code(self) -> str:
        """Of the rule, as ``A101``; of an event its number alone."""
        return str(self.number) if self.finding is not None else f"A{self.number}"

    @property
    def key(self) -> str:
        """What makes it the same advice in two reports."""
        return f"{self.code}/{self.server}/{self.place}"
