"""What was on record, what is told of it, and what events mean."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from mailtrust.agent.journal_rows import EntryKind
from mailtrust.core.eventlog.event import Damage
from mailtrust.core.eventlog.known import Family
from mailtrust.core.model.event import Category, Severity
from mailtrust.core.notices import Turn
from tools.json_shapes.kinds import Exact, Moment, Strict


class Evidence(Strict, frozen=True):
    """A sentence that bears it out; `code` is never translated."""

    code: str
    said: str


class Entry(Strict, frozen=True):
    """One entry of the journal. `suppressed` is how many alike were left out before it."""

    id: int
    at: Moment
    kind: EntryKind
    event: int | None
    name: str | None
    severity: Severity | None
    server: str | None
    place: str | None
    cause: str | None
    action: str | None
    message: str
    suppressed: int
    evidence: list[Evidence]


class AgentEntry(Entry, frozen=True):
    """A line for each entry; `of` is the server whose agent wrote it."""

    schema: Literal["mailtrust.agent-entry/1"]
    of: str


class LogLine(Strict, frozen=True):
    """A line for each entry; `priority` is syslog's, `suppressed` only there where some were left out."""

    schema: Literal["mailtrust.log/1"]
    identifier: Literal["mailtrust"]
    priority: int
    message_id: str
    at: Exact
    state: EntryKind
    event: int | None
    name: str | None
    severity: Severity | None
    server: str | None
    place: str | None
    cause: str | None
    action: str | None
    values: dict[str, str]
    message: str
    suppressed: int | UnsetType = UNSET


class Notice(Strict, frozen=True):
    """What opened, became worse or closed, as a webhook and a command get it."""

    schema: Literal["mailtrust.notice/1"]
    notice: str
    test: bool
    at: Moment
    state: Turn
    since: Moment
    event: int
    name: str
    severity: Severity
    server: str
    place: str | None
    cause: str | None
    title: str
    message: str
    explanation: str | None
    action: str | None
    text: str


class TriedWay(Strict, frozen=True):
    """What came of one way by which people are told."""

    way: Literal["command", "webhook", "mail"]
    delivered: bool
    answer: str
    seconds: float


class TriedHook(Strict, frozen=True):
    """A notice that was tried out."""

    schema: Literal["mailtrust.events-test-hook/1"]
    ways: list[TriedWay]
    notice: Notice


class ForetoldHook(Strict, frozen=True):
    """The notice that would be tried out, and the ways."""

    schema: Literal["mailtrust.events-test-hook/1"]
    would: list[str]
    notice: Notice


class Catalogs(Strict, frozen=True):
    """The message catalogs for systemd's journal, and what makes it read them."""

    schema: Literal["mailtrust.events-catalog/1"]
    files: list[str]
    installed: bool
    then: str


class Cause(Strict, frozen=True):
    """What a cause means."""

    cause: str
    text: str


class Explained(Strict, frozen=True):
    """The page of an event."""

    schema: Literal["mailtrust.explain/1"]
    product: str
    version: str
    event: int
    source: str
    exchange_source: str | None
    category: Category
    name: str
    severity: Severity
    title: str
    message: str
    parameters: list[str]
    explanation: str
    conditions: list[str]
    causes: list[Cause]
    user_action: list[str]
    see_also: list[str]


class EventLine(Strict, frozen=True):
    """One event."""

    event: int
    name: str
    severity: Severity
    title: str


class Contents(Strict, frozen=True):
    """Every event that there is."""

    schema: Literal["mailtrust.explain/1"]
    events: list[EventLine]


class FileFault(Strict, frozen=True):
    """Where a file broke, in bytes from its beginning."""

    damage: Damage
    offset: int
    line: int | None
    record: int | None
    why: str | None
    harmless: bool


class ReadLog(Strict, frozen=True):
    """One file; `refused` says why nothing of it could be used."""

    file: str
    events: int
    about_certificates: int
    complete: bool
    refused: str | None
    faults: list[FileFault]
    fault_count: int


class Counts(Strict, frozen=True):
    """How many entries there were."""

    read: int
    left_out: int
    twice: int
    about_certificates: int
    unknown: int


class Span(Strict, frozen=True):
    """How often, and from when to when; null where no entry had a time."""

    count: int
    first: Moment | None
    last: Moment | None


class Logged(Span, frozen=True):
    """One thing that a server logged; `together` where many that are alike are counted together."""

    event: int
    sources: list[str]
    identifier: int | None
    name: str | None
    severity: Severity
    title: str
    parameters: dict[str, str]
    ends_about: Moment | None
    together: bool
    message: str | None


class Next(Strict, frozen=True):
    """What to do about these events, and where."""

    about: list[int]
    said: str
    where: str
    commands: list[str]
    asks: str | None


class LoggingServer(Strict, frozen=True):
    """What one server logged; its name is null where the file does not say."""

    server: str | None
    timeline: list[Logged]
    next: list[Next]


class ExplainedKind(Strict, frozen=True):
    """What an event of Exchange means; `page` where `mailtrust explain` has it."""

    event: int
    family: Family
    name: str | None
    title: str
    explanation: str
    user_action: list[str]
    page: bool


class UnknownKind(Span, frozen=True):
    """Entries that we know nothing about; `number` is null where many are counted together."""

    source: str | None
    number: int | None
    of_exchange: bool


class Imported(Strict, frozen=True):
    """What event logs of Windows say about certificates."""

    schema: Literal["mailtrust.events-import/1"]
    complete: bool
    files: list[ReadLog]
    since: Moment | None
    only: list[str]
    events: Counts
    servers: list[LoggingServer]
    explained: list[ExplainedKind]
    unknown: list[UnknownKind]
