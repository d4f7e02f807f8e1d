"""
What we can say, and what we say now.

An *event* is a row of the catalog: a number, a name, a severity.  A *finding* is an event that holds
now, with its evidence.  Neither holds prose: a finding carries the codes of phrases and the values to
put in them, and `mailtrust.texts` turns them into the reader's language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from mailtrust.core.model.server import ServerName

_NAMED = 5


class Severity(StrEnum):
    """How bad it is, from the outside."""

    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"

    @property
    def rank(self) -> int:
        """0 for the worst: what is told first."""
        return tuple(Severity).index(self)


class Category(StrEnum):
    """The part that speaks, as Exchange groups its events."""

    TRANSPORT_SERVICE = "TransportService"
    SMTP_RECEIVE = "SmtpReceive"
    SMTP_SEND = "SmtpSend"
    DIRECTORY = "Directory"
    ROTATION = "Rotation"
    AGENT = "Agent"


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the catalog."""

    code: int
    name: str
    severity: Severity
    category: Category
    parameters: tuple[str, ...] = ()
    """What its message names; `server` is always there and not listed."""
    causes: tuple[str, ...] = ()
    """Codes of the causes it can have; never translated."""
    known_as: str = ""
    """Source and number in Exchange: what people search for.  Empty where it is ours."""


@dataclass(frozen=True, slots=True)
class Said:
    """A phrase by its code, and the values that go into it."""

    phrase: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuledOut:
    """A cause that does not hold, and why."""

    cause: str
    why: Said


@dataclass(frozen=True, slots=True)
class Finding:
    """An event that holds now, for one server."""

    event: Event
    server: ServerName
    place: str | None = None
    """The replica, endpoint or file it is about; None where it is about the server."""
    cause: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    """For the event's message: its parameters."""
    evidence: tuple[Said, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    action: str | None = None
    """The exact command that mends it; None where none of ours does."""
    since: datetime | None = None
    until: datetime | None = None
    """When it ends by itself or becomes worse; None where time changes nothing."""
    severity_here: Severity | None = None
    """Where it is milder than the catalog says."""

    @property
    def severity(self) -> Severity:
        """How bad it is here."""
        return self.severity_here or self.event.severity

    @property
    def incident(self) -> str:
        """The key under which it opens, changes and closes."""
        return f"{self.event.code}/{self.server}/{self.place or ''}"


@dataclass(frozen=True, slots=True)
class Silenced:
    """A finding that another one explains."""

    finding: Finding
    explained_by: Finding


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong, causes first; and what is merely a consequence."""

    findings: tuple[Finding, ...] = ()
    silenced: tuple[Silenced, ...] = ()


def when(moment: datetime) -> str:
    """A moment as our sentences write it, in UTC to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def kept_values(replica: str, servers: Sequence[ServerName], until: datetime) -> Mapping[str, str]:
    """The values of 12156; *servers* has one for each key, and a few of them are named."""
    names = sorted(set(servers))
    named = ", ".join(names[:_NAMED]) + (", …" if names[_NAMED:] else "")
    return {"replica": replica, "count": str(len(servers)), "servers": named, "until": when(until)}


def said_duration(seconds: float) -> str:
    """As people say it: the two largest units."""
    left, parts = int(seconds), []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"
