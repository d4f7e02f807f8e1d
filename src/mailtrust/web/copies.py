"""
The grid: one row per server, one cell per place, and in it the certificates that stand there.

A certificate's key decides its mark, so that a renewal with the same key looks the same and another key jumps
to the eye; its fingerprint is its name. The mark 0 is the key that peers ought to meet everywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from mailtrust.core.checks import cases
from mailtrust.core.checks.case import Case
from mailtrust.core.model.certificate import Certificate, Pin
from mailtrust.core.model.event import Finding, Severity
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import ReplicaSighting, Slot, View
from mailtrust.directory.place_name import place_name
from mailtrust.web.source import Present

NEXT, PREVIOUS = "n", "p"
"""The marks of what stands by, and of what was replaced: both are meant to stand beside the present one."""
_NAME_DIGITS = 8
_MARKS = 5


class Standing(StrEnum):
    """How it is with a server, or with a copy; only GOOD is ever green."""

    GOOD = "good"
    WARNING = "warning"
    UNKNOWN = "unknown"
    """Nobody could look."""
    BAD = "bad"


ORDER = (Standing.BAD, Standing.UNKNOWN, Standing.WARNING, Standing.GOOD)


@dataclass(frozen=True, slots=True)
class Chip:
    """One certificate in a cell."""

    name: str
    """The first digits of its fingerprint."""
    mark: str
    """``0`` for what is expected, ``1`` to ``5`` for other keys, NEXT or PREVIOUS."""
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands at one place."""

    chips: tuple[Chip, ...] | None
    """None: nobody could look."""
    why: str = ""
    unparsable: int = 0
    is_elsewhere: bool = False
    """The store of another host: there is nothing to look at from here."""
    is_missing: bool = False
    """The place is none of this server's: it has no listener, or this replica does not belong to it."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """Whether peers believe what it presents."""

    standing: Standing
    replicas: int
    """How many replicas there are."""
    believing: int
    """At how many of them what it presents is published."""
    unread: int
    """How many could not be looked at."""
    is_presented_seen: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One server."""

    server: ServerName
    standing: Standing
    findings: tuple[Finding, ...]
    installed: Cell
    presented: Cell
    published: tuple[Cell, ...]
    """In the order of the columns."""
    trusted: Trusted


@dataclass(frozen=True, slots=True)
class Column:
    """One replica."""

    url: str
    title: str
    """Its short name; with a number where two are short for the same."""
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """The whole."""

    columns: tuple[Column, ...] = ()
    rows: tuple[Row, ...] = ()
    counts: dict[Standing, int] = field(default_factory=dict)


@lru_cache(maxsize=2)
def grid(present: Present) -> Grid:
    """Every server's copies side by side."""
    columns = _columns(present)
    found: dict[ServerName, list[Finding]] = {}
    for one in present.findings():
        found.setdefault(one.server, []).append(one)
    rows = tuple(_row(case, columns, tuple(found.get(case.server, ()))) for case in _cases(present))
    return Grid(columns, rows, {one: sum(row.standing is one for row in rows) for one in ORDER})


def row(present: Present, server: ServerName) -> tuple[tuple[Column, ...], Row]:
    """One server's row, with the columns of all."""
    found = grid(present)
    return found.columns, next(one for one in found.rows if one.server == server)


def _cases(present: Present) -> Iterator[Case]:
    """In the order of the servers; all of a corner at once, for each call weighs everybody's keys."""
    found: dict[ServerName, Case] = {}
    for corner in {id(one): one for one in present.corners.values()}.values():
        seen = corner.seen
        mine = [server for server in seen.scope if present.corners.get(server) is corner]
        for case in cases(seen.view, {}, seen.policy, seen.checked_at, mine, seen.viewpoint):
            found[case.server] = case
    return (found[server] for server in present.servers)


def _columns(present: Present) -> tuple[Column, ...]:
    looks: dict[str, ReplicaSighting] = {}
    for server in present.servers:
        for look in present.view(server).replicas(server):
            looks.setdefault(look.place, look)
    names = Counter(map(place_name, looks))
    return tuple(
        Column(
            url,
            place_name(url) if names[place_name(url)] == 1 else f"{place_name(url)}#{number}",
            look.primary,
        )
        for number, (url, look) in enumerate(looks.items(), 1)
    )


def _row(case: Case, columns: tuple[Column, ...], found: tuple[Finding, ...]) -> Row:
    marks = _marks(case)
    looks = {look.place: look for look in case.replicas}
    trusted = _trusted(case)
    return Row(
        case.server,
        _standing(case, found, trusted),
        found,
        _installed(case, marks),
        _presented(case, marks),
        tuple(_published(looks.get(column.url), marks) for column in columns),
        trusted,
    )


def _standing(case: Case, found: tuple[Finding, ...], trusted: Trusted) -> Standing:
    severities = {one.severity for one in found}
    if Severity.ERROR in severities or trusted.standing is Standing.BAD:
        return Standing.BAD
    if trusted.standing is Standing.UNKNOWN or (case.store is not None and case.store.found is None):
        return Standing.UNKNOWN
    if Severity.WARNING in severities or trusted.standing is Standing.WARNING:
        return Standing.WARNING
    return Standing.GOOD


def _trusted(case: Case) -> Trusted:
    """Presented against published, replica by replica: that is all that trust is."""
    shown = [wire for wire in case.wires if wire.found]
    pins = {leaf.pin for leaf in case.presented}
    believing = sum(pins <= look.pins for look in case.readable) if pins else 0
    total, unread = len(case.replicas), len(case.replicas) - len(case.readable)
    is_seen = bool(shown) and len(shown) == len(case.wires)
    if not is_seen or not case.readable:
        standing = Standing.UNKNOWN
    elif believing < len(case.readable):
        standing = Standing.WARNING if believing else Standing.BAD
    else:
        standing = Standing.UNKNOWN if unread else Standing.GOOD
    return Trusted(standing, total, believing, unread, is_seen)


def _marks(case: Case) -> dict[Pin, str]:
    """By key: what is expected, what stands by, what was replaced; then the others, as they are met."""
    marks: dict[Pin, str] = {}
    if case.expected is not None:
        marks[case.expected.pin] = "0"
    for one in case.view.installed(case.server):
        if one.slot in (Slot.NEXT, Slot.PREVIOUS):
            marks.setdefault(one.certificate.pin, NEXT if one.slot is Slot.NEXT else PREVIOUS)
    named = {pin for look in case.readable for pin in look.pins}
    if case.store is None and not case.presented and len(named) == 1:
        # Nothing else was seen of it than what the directory names, and that does not disagree with itself.
        marks.setdefault(named.pop(), "0")
    if case.store is None and case.readable:
        # From outside nobody sees what is which; what every replica has beside it is not in disagreement.
        for pin in frozenset.intersection(*(look.pins for look in case.readable)):
            marks.setdefault(pin, NEXT)
    for number, leaf in enumerate(_others(case, marks)):
        marks[leaf.pin] = str(min(number + 1, _MARKS))
    return marks


def _others(case: Case, known: dict[Pin, str]) -> Iterable[Certificate]:
    leaves: dict[Pin, Certificate] = {}
    for leaf in _met(case.view, case.server):
        if leaf.pin not in known:
            leaves.setdefault(leaf.pin, leaf)
    return leaves.values()


def _met(view: View, server: ServerName) -> Iterator[Certificate]:
    yield from (one.certificate for one in view.installed(server))
    for wire in view.wires(server):
        yield from wire.found or ()
    for look in view.replicas(server):
        yield from (one.certificate for one in look.found or ())


def _installed(case: Case, marks: dict[Pin, str]) -> Cell:
    store = case.store
    if store is None:
        return Cell(None, is_elsewhere=True)
    if store.found is None:
        return Cell(None, store.why)
    return Cell(_chips((one.certificate for one in store.found), marks))


def _presented(case: Case, marks: dict[Pin, str]) -> Cell:
    if not case.wires:
        return Cell(None, is_missing=True)
    silent = [wire for wire in case.wires if wire.found is None]
    if silent and not case.presented:
        return Cell(None, silent[0].why)
    return Cell(_chips(case.presented, marks), silent[0].why if silent else "")


def _published(look: ReplicaSighting | None, marks: dict[Pin, str]) -> Cell:
    if look is None:
        return Cell(None, is_missing=True)
    if look.found is None:
        return Cell(None, look.why)
    return Cell(_chips((one.certificate for one in look.found), marks), unparsable=len(look.unparsable))


def _chips(leaves: Iterable[Certificate], marks: dict[Pin, str]) -> tuple[Chip, ...]:
    found = dict.fromkeys(leaves)
    chips = [
        Chip(one.fingerprint[:_NAME_DIGITS], marks.get(one.pin, str(_MARKS)), one.fingerprint)
        for one in found
    ]
    return tuple(sorted(chips, key=lambda one: (one.mark, one.name)))
