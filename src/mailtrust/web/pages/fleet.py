"""The fleet: in one sentence what is wrong and what to type, then every server's copies in one grid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from starlette.responses import Response

from mailtrust.core.model.event import Event, Finding, Severity
from mailtrust.core.model.server import ServerName
from mailtrust.web.asked import Asked
from mailtrust.web.copies import ORDER, Grid, Row, Standing, grid
from mailtrust.web.pages.finding import Told, told

SORTS = ("state", "server", "installed", "presented", "trusted")
_MOST_NAMED = 6


@dataclass(frozen=True, slots=True)
class Problem:
    """One event with one cause, wherever it holds."""

    event: Event
    cause: str | None
    severity: Severity
    servers: tuple[ServerName, ...]
    more: int
    """How many servers are not named."""


def show(asked: Asked) -> Response:
    """The page."""
    found = grid(asked.present)
    query = asked.request.query_params
    words, state, order = query.get("q", "").strip(), query.get("state", ""), query.get("sort", "state")
    descending = query.get("order") == "down"
    if state not in {*ORDER}:
        state = ""
    findings = [one for one in asked.present.findings() if one.severity is not Severity.INFORMATION]
    return asked.render(
        "fleet.html.j2",
        grid=found,
        rows=_sorted(found, order, descending=descending),
        searched=searched,
        matches=lambda row: _matches(row, words.lower(), state),
        counts=[(one, found.counts.get(one, 0)) for one in ORDER],
        words=words,
        state=state,
        order=order,
        descending=descending,
        verdict=asked.present.verdict,
        first=_first(asked, findings),
        others=len(findings) - 1,
        problems=_problems(findings),
        unseen=_unseen(found),
    )


def _first(asked: Asked, findings: list[Finding]) -> Told | None:
    return told(asked, findings[0]) if findings else None


def _problems(findings: Iterable[Finding]) -> list[Problem]:
    held: dict[tuple[Event, str | None, Severity], list[ServerName]] = {}
    for one in findings:
        held.setdefault((one.event, one.cause, one.severity), []).append(one.server)
    return [
        Problem(event, cause, severity, tuple(names[:_MOST_NAMED]), max(len(names) - _MOST_NAMED, 0))
        for (event, cause, severity), names in ((key, [*dict.fromkeys(value)]) for key, value in held.items())
    ]


def _unseen(found: Grid) -> list[tuple[str, list[Row], int]]:
    """Why servers could not be looked at, which ones for each reason, and how many more."""
    reasons: dict[str, list[Row]] = {}
    for row in found.rows:
        if row.standing is Standing.UNKNOWN:
            cells = (row.installed, row.presented, *row.published)
            reasons.setdefault(next((one.why for one in cells if one.why), ""), []).append(row)
    return [
        (why, rows[:_MOST_NAMED], max(len(rows) - _MOST_NAMED, 0))
        for why, rows in [*reasons.items()][:_MOST_NAMED]
    ]


def _sorted(found: Grid, order: str, *, descending: bool) -> list[Row]:
    replicas = {column.title: place for place, column in enumerate(found.columns)}

    def key(row: Row) -> tuple[object, ...]:
        match order:
            case "server":
                return ()
            case "installed" | "presented":
                return (_name(row.installed if order == "installed" else row.presented),)
            case "trusted":
                return (ORDER.index(row.trusted.standing),)
            case _ if order in replicas:
                return (_name(row.published[replicas[order]]),)
            case _:
                return (ORDER.index(row.standing),)

    rows = sorted(found.rows, key=lambda row: (*key(row), row.server))
    return rows[::-1] if descending else rows


def _name(cell: object) -> str:
    chips = getattr(cell, "chips", None)
    return " ".join(one.name for one in chips) if chips else ""


def _matches(row: Row, words: str, state: str) -> bool:
    if state and row.standing != state:
        return False
    return all(word in searched(row) for word in words.split())


def searched(row: Row) -> str:
    """What the filter looks in: the server's name, its events, and the certificates of its row."""
    cells = (row.installed, row.presented, *row.published)
    chips = dict.fromkeys(chip.name for cell in cells for chip in cell.chips or ())
    events = dict.fromkeys(f"{one.event.code} {one.cause or ''}" for one in row.findings)
    return " ".join((row.server, *events, *chips)).lower()
