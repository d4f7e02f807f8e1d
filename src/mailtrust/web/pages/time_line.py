"""The part of a server's page on which each of its certificates has its time line, place by place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailtrust.core.model.server import ServerName
from mailtrust.core.timeline import Life, Moment, Step, TimeLine, time_line
from mailtrust.core.why.value import Column, Copy
from mailtrust.web.asked import Asked
from mailtrust.web.pages.part import Part
from mailtrust.web.scale import Scale, scale

_MOST = 12
"""A server has two or three certificates; of one that has had many, the older ones are counted."""


class Now(StrEnum):
    """Whether it is at a place now."""

    THERE = "there"
    ABSENT = "absent"
    UNSEEN = "unseen"
    """Nobody could look."""
    PAST = "past"
    """It was one moment."""
    AHEAD = "ahead"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a certificate's time line."""

    step: Step
    place: str
    """As the directory or the configuration has it; empty where there is none."""
    at: datetime | None
    """When; None: never, as far as anybody saw."""
    now: Now
    start: int
    end: int
    """Where on the axis its bar begins and ends."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A certificate with its lines."""

    life: Life
    lines: tuple[Line, ...]


def part(asked: Asked, server: ServerName) -> Part:
    """The part; every server has one."""
    seen = asked.present.corners[server].seen
    line = time_line(seen.view, server)
    axis = _axis(line, seen.checked_at)
    shown = line.lives[:_MOST]
    return Part(
        "time_line.html.j2",
        {
            "axis": axis,
            "drawn": [Drawn(life, tuple(_lines(life, axis))) for life in shown],
            "more": len(line.lives) - len(shown),
            "unseen": line.unseen,
            "remembers": line.remembers,
        },
    )


def _axis(line: TimeLine, now: datetime) -> Scale:
    moments = [one.at for life in line.lives for one in life.moments]
    return scale(now, min(moments, default=now), max(moments, default=now))


def _lines(life: Life, axis: Scale) -> Iterator[Line]:
    """Moments that have a place of their own in turn, and what is known of each place now."""
    told = {(one.step, one.place): one for one in life.moments}
    copies = life.copies if life.is_around else ()
    installed = next((copy for copy in copies if copy.column is Column.INSTALLED), None)
    made = told.pop((Step.MADE, ""), None)
    if made is not None:
        yield _line(life, axis, Step.MADE, "", made, installed)
    published = told.pop((Step.PUBLISHED, ""), None)
    if published is not None:
        yield _line(life, axis, Step.PUBLISHED, "", published, None)
    for column, step in ((Column.PUBLISHED, Step.SEEN), (Column.PRESENTED, Step.PRESENTED)):
        for copy in copies:
            if copy.column is column:
                yield _line(life, axis, step, copy.place, told.pop((step, copy.place), None), copy)
    for one in told.values():
        yield _line(life, axis, one.step, one.place, one, None)


def _line(life: Life, axis: Scale, step: Step, place: str, moment: Moment | None, copy: Copy | None) -> Line:
    if moment is None:
        return Line(step, place, None, _now_of(copy), axis.at(axis.now), axis.at(axis.now))
    now = Now.AHEAD if moment.at > axis.now else _now_of(copy)
    if now is Now.AHEAD:
        ends = axis.now
    elif now is Now.ABSENT:
        ends = life.withdrawn_at or moment.at
    elif now is Now.PAST:
        ends = moment.at
    else:
        ends = axis.now
    start, end = sorted((axis.at(moment.at), axis.at(max(ends, moment.at) if now is not Now.AHEAD else ends)))
    return Line(step, place, moment.at, now, start, end)


def _now_of(copy: Copy | None) -> Now:
    if copy is None:
        return Now.PAST
    return {True: Now.THERE, False: Now.ABSENT, None: Now.UNSEEN}[copy.there]
