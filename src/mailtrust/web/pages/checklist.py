"""The part of a server's page on which its rotation is ticked off, as the terminal shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mailtrust.agent.checklist import dead, is_presented, ticks
from mailtrust.core.checks.rotations import carry_on
from mailtrust.core.doing import doing
from mailtrust.core.model.plan import Gate, Obstacle, Phase, Plan
from mailtrust.core.model.server import ServerName
from mailtrust.core.succession import Course, due_at
from mailtrust.web.asked import Asked
from mailtrust.web.pages.part import Part

_MOST_OBSTACLES = 8
_SUCCESSOR, _PREPARE = "successor", "mailtrust rotate prepare"
_SUCCESSORS = (Phase.INSTALL, Phase.PUBLISH, Phase.SPREAD, Phase.DONE)
"""What is done about a certificate that stands by."""


class Mark(StrEnum):
    """How it is with a line."""

    DONE = "done"
    WAITS = "waits"
    """The first that is not ticked, and time or an act of ours ends it."""
    BLOCKED = "blocked"
    """The same, and somebody has to lend a hand, or nobody could look."""
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Line:
    """One phase of the rotation."""

    phase: Phase
    mark: Mark
    obstacles: tuple[str, ...] = ()
    """What stands in the way of the first that is not ticked."""
    more: int = 0
    """How many more do."""
    action: str = ""
    """What is to be done now; empty where it waits."""
    command: str | None = None
    """What to type where no agent does it."""


def part(asked: Asked, server: ServerName) -> Part | None:
    """The part; None for a server that is seen from outside: nobody can tell what is under way there."""
    corner = asked.present.corners[server]
    if corner.seen.viewpoint != server:
        return None
    view = corner.seen.view
    checklist, course = ticks(server, view, corner.seen.policy)
    current = view.current(server)
    rotation = course.plan.rotation if course is not None and not course.is_done else None
    return Part(
        "checklist.html.j2",
        {
            "why": course.why if course is not None and rotation is not None else "",
            "rotation": rotation,
            "lines": _lines(asked, course, checklist) if course is not None and rotation is not None else [],
            "current": current.certificate if current is not None else None,
            "due": due_at(server, current.certificate, corner.seen.policy) if current is not None else None,
            "store": view.store(server),
            "dead": dead(view),
            "where": corner.where,
        },
    )


def _lines(asked: Asked, course: Course, checklist: list[Plan]) -> list[Line]:
    if not checklist:
        # There is nothing yet that could be anywhere: first of all a certificate is made.
        later = list(_SUCCESSORS if course.why == _SUCCESSOR else Phase)
        return [_open(asked, course, course.plan), *(Line(one, Mark.LATER) for one in later[1:-1])]
    corner = asked.present.corners[course.plan.rotation.server]
    first = next((number for number, line in enumerate(checklist) if line.obstacles), len(checklist))
    return [
        Line(line.phase, Mark.DONE)
        if number < first or is_presented(line, corner.seen.view)
        else _open(asked, course, line)
        if number == first
        else Line(line.phase, Mark.LATER)
        for number, line in enumerate(checklist)
    ]


def _open(asked: Asked, course: Course, line: Plan) -> Line:
    corner, texts = asked.present.corners[line.rotation.server], asked.texts
    # To enable it would present it: a successor is made known, and no more.
    command = _PREPARE if course.why == _SUCCESSOR else carry_on(line)
    told = tuple(dict.fromkeys(texts.say(one.said) for one in line.obstacles))
    return Line(
        line.phase,
        Mark.BLOCKED if any(map(_needs_a_hand, line.obstacles)) else Mark.WAITS,
        told[:_MOST_OBSTACLES],
        max(len(told) - _MOST_OBSTACLES, 0),
        texts.say(doing(line.action)) if line.action is not None else "",
        corner.typed(command) if command is not None and line.action is not None else None,
    )


def _needs_a_hand(one: Obstacle) -> bool:
    return not one.is_gap and one.gate in (Gate.POLICY, Gate.EVIDENCE)
