"""
What a log says, put together as it comes: for each server what happened, how often, from when to when.

The same trouble is logged again every quarter of an hour, for months.  So entries are folded by what they are
about, and however long the log is, this does not grow beyond what it is about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailtrust.core.eventlog.event import WindowsEvent
from mailtrust.core.eventlog.known import Known, is_exchange, known, severity_of
from mailtrust.core.model.event import Severity

MOST_TROUBLES, MOST_KINDS = 200, 5000
"""Of one number on one server; of sources and numbers.  What is beyond is counted together."""
_HOURS = re.compile(r"[0-9]{1,6}")
_LONGEST_VALUE, _LONGEST_MESSAGE, _MOST_SOURCES = 512, 4096, 16


@dataclass(slots=True)
class Span:
    """How often, and from when to when; None where no entry had a time."""

    count: int = 0
    first: datetime | None = None
    last: datetime | None = None

    def see(self, at: datetime | None) -> bool:
        """Count one; whether it is the latest so far."""
        self.count += 1
        if at is None:
            return self.last is None
        self.first = at if self.first is None else min(self.first, at)
        is_latest = self.last is None or at >= self.last
        self.last = at if is_latest else self.last
        return is_latest


@dataclass(slots=True)
class Trouble:
    """One thing that a server logged, however often."""

    known: Known
    sources: set[str]
    span: Span
    values: dict[str, str]
    """Of the latest entry; empty where several troubles are counted together."""
    severity: Severity
    message: str = ""
    """The server's own sentence, of the latest entry; empty where the file has none."""
    identifier: int | None = None
    together: bool = False
    """Many that are alike, counted together."""

    @property
    def ends(self) -> datetime | None:
        """When the certificate ends that the latest entry gave so many hours; None where it gave none."""
        hours = self.values.get("hours", "")
        if self.span.last is None or not _HOURS.fullmatch(hours):
            return None
        return self.span.last + timedelta(hours=int(hours))


@dataclass(slots=True)
class Unknown:
    """Entries that we know nothing about, by source and number."""

    source: str
    number: int | None
    """None where many numbers are counted together."""
    span: Span

    @property
    def of_exchange(self) -> bool:
        """Whether Exchange logged it."""
        return is_exchange(self.source)


@dataclass(slots=True)
class ServerLog:
    """What one server logged about transport certificates."""

    name: str
    troubles: dict[tuple[object, ...], Trouble] = field(default_factory=dict)
    kinds: dict[tuple[object, ...], int] = field(default_factory=dict)

    def timeline(self) -> tuple[Trouble, ...]:
        """In the order in which they began; those without a time last."""
        return tuple(sorted(self.troubles.values(), key=_begin))


class History:
    """Takes events in any order, and folds them."""

    def __init__(self, *, since: datetime | None = None, servers: Iterable[str] = ()) -> None:
        self.seen = Span()
        """Every event that was handed in."""
        self.left_out = 0
        """Of those, what was before *since*, or of another server."""
        self.of_certificates = 0
        self._since = since
        self._only = tuple(one.lower() for one in servers)
        self._servers: dict[str, ServerLog] = {}
        self._unknown: dict[tuple[str, int | None], Unknown] = {}

    def add(self, event: WindowsEvent) -> None:
        """Take one in."""
        self.seen.see(event.at)
        if not self._is_wanted(event):
            self.left_out += 1
            return
        found = known(event.source, event.number)
        if found is None:
            self._count(event)
        else:
            self.of_certificates += 1
            self._fold(event, found)

    @property
    def servers(self) -> tuple[ServerLog, ...]:
        """Those that logged something about certificates, by name."""
        return tuple(self._servers[name] for name in sorted(self._servers))

    @property
    def unknown(self) -> tuple[Unknown, ...]:
        """Exchange's first, then the most frequent."""
        order = sorted(self._unknown.values(), key=lambda one: (one.source.lower(), one.number or 0))
        return tuple(sorted(order, key=lambda one: (not one.of_exchange, -one.span.count)))

    def _is_wanted(self, event: WindowsEvent) -> bool:
        if self._since is not None and event.at is not None and event.at < self._since:
            return False
        return not self._only or is_server(event.computer, self._only)

    def _count(self, event: WindowsEvent) -> None:
        key: tuple[str, int | None] = (event.source, event.number)
        if key not in self._unknown and len(self._unknown) >= MOST_KINDS:
            key = ("", None)
        if key not in self._unknown:
            self._unknown[key] = Unknown(*key, Span())
        self._unknown[key].span.see(event.at)

    def _fold(self, event: WindowsEvent, found: Known) -> None:
        name = event.computer.lower()
        if name not in self._servers and len(self._servers) >= MOST_KINDS:
            name = ""
        log = self._servers.setdefault(name, ServerLog(event.computer if name else ""))
        values = found.named(tuple(one.text[:_LONGEST_VALUE] for one in event.values))
        kind: tuple[object, ...] = (found.family, found.number)
        key = (*kind, *found.key(values))
        if key not in log.troubles:
            if log.kinds.get(kind, 0) >= MOST_TROUBLES:
                key, values = (*kind, None), {}
            else:
                log.kinds[kind] = log.kinds.get(kind, 0) + 1
        trouble = log.troubles.get(key)
        if trouble is None:
            trouble = Trouble(found, set(), Span(), values, found.severity, together=key[-1] is None)
            log.troubles[key] = trouble
        if len(trouble.sources) < _MOST_SOURCES:
            trouble.sources.add(event.source)
        if trouble.span.see(event.at):
            trouble.values = values
            trouble.message = "" if trouble.together else event.message[:_LONGEST_MESSAGE]
            trouble.severity = severity_of(event.level, found.severity)
            trouble.identifier = event.identifier


def is_server(computer: str, names: Iterable[str]) -> bool:
    """Whether one of the lower-case *names* means that computer: whole, or its first part on either side."""
    name = computer.lower()
    first = name.partition(".")[0]
    return any(one in (name, first) or ("." not in name and one.partition(".")[0] == name) for one in names)


def _begin(one: Trouble) -> tuple[bool, float, int]:
    first = one.span.first
    return first is None, first.timestamp() if first else 0.0, one.known.number
