"""The replicas: whether each has what the others have, how late it was over time, and what to type."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.responses import Response

from mailtrust.agent.spells import spells
from mailtrust.core.checks.case import Case
from mailtrust.core.events import catalog
from mailtrust.core.model.server import ServerName
from mailtrust.core.punctuality import Arrival, Punctuality, Spell, punctuality
from mailtrust.errors import StoreUnavailable
from mailtrust.web.asked import Asked
from mailtrust.web.charts import Chart, chart
from mailtrust.web.copies import Standing
from mailtrust.web.source import Corner, Present

_DAYS = 30
_MOST_MISSING, _MOST_ARRIVALS, _MOST_COMMANDS = 20, 20, 5


@dataclass(frozen=True, slots=True)
class Told:
    """One replica, as the page shows it."""

    replica: Punctuality
    standing: Standing
    homes: tuple[ServerName, ...]
    """The servers of ours that read it."""
    chart: Chart
    event: int | None
    """Whose page tells more; None where all is well."""
    commands: tuple[tuple[str, str], ...]
    """What to type, and where."""
    steps: tuple[str, ...]
    """What to do where no line of ours does it."""
    more: int
    """How many missing certificates are not listed."""
    latest: tuple[Arrival, ...]
    """The latest first."""


def show(asked: Asked) -> Response:
    """The page."""
    present = asked.present
    now = present.looked_at
    found, notes = _found(present, now - timedelta(days=_DAYS)) if now is not None else ((), ())
    return asked.render(
        "replicas.html.j2",
        replicas=[_told(asked, one, now) for one in found if now is not None],
        all_read=all(one.why is None for one in found),
        notes=notes,
        days=_DAYS,
        most_missing=_MOST_MISSING,
    )


def _found(present: Present, since: datetime) -> tuple[tuple[Punctuality, ...], tuple[str, ...]]:
    cases = [
        Case(server, corner.seen.view, corner.seen.policy, corner.seen.checked_at)
        for server, corner in present.corners.items()
    ]
    told: list[Spell] = []
    notes: list[str] = []
    for corner in present.viewpoints:
        try:
            told += spells(corner.site.journal, since)
        except StoreUnavailable as error:
            notes.append(error.message)
    return punctuality(cases, told, since, present.arrivals), tuple(notes)


def _told(asked: Asked, one: Punctuality, now: datetime) -> Told:
    corners = asked.present.corners
    event = _event(one)
    commands = {
        (corner.where, corner.typed(missing.command))
        for missing in one.missing
        for corner in (corners[missing.server],)
        if missing.command is not None
    }
    if one.why is not None:
        # It says of each replica what keeps it from answering.
        commands |= {(own.where, own.typed("mailtrust directory show")) for own in _readers(asked, one)}
    return Told(
        one,
        _standing(one),
        tuple(sorted({own.seen.viewpoint for own in corners.values() if _is_home(own, one.place)})),
        chart(one, now),
        event,
        tuple(sorted(commands))[:_MOST_COMMANDS],
        asked.texts.page(event).user_action if event is not None and _needs_steps(one) else (),
        max(len(one.missing) - _MOST_MISSING, 0),
        one.arrivals[: -_MOST_ARRIVALS - 1 : -1],
    )


def _readers(asked: Asked, one: Punctuality) -> tuple[Corner, ...]:
    """Whoever of ours cannot read it; one is enough to ask."""
    found = (
        corner
        for corner in asked.present.viewpoints
        if any(look.place == one.place for look in corner.seen.view.replicas(corner.seen.viewpoint))
    )
    return tuple(found)[:1]


def _needs_steps(one: Punctuality) -> bool:
    return one.why is not None or all(missing.command is None for missing in one.missing)


def _standing(one: Punctuality) -> Standing:
    if one.why is not None:
        return Standing.UNKNOWN
    return Standing.WARNING if one.is_late else Standing.GOOD


def _event(one: Punctuality) -> int | None:
    if one.why is not None:
        return catalog.REPLICA_UNREADABLE.code
    return catalog.REPLICA_BEHIND.code if one.is_late else None


def _is_home(corner: Corner, place: str) -> bool:
    home = corner.seen.view.home(corner.seen.viewpoint)
    return home is not None and home.place == place
