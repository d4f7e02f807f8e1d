"""What a rotation's checklist shows on every screen, and to programs: the schema ``mailtrust.rotation/1``."""

from __future__ import annotations

from typing import Any

from mailtrust import clock
from mailtrust.agent.rotate import lines
from mailtrust.agent.site import Site
from mailtrust.core.doing import doing
from mailtrust.core.model.event import when
from mailtrust.core.model.plan import Phase, Plan
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import Dead, View
from mailtrust.core.policy import Policy
from mailtrust.core.succession import Course
from mailtrust.texts import Texts, load

ROTATION_SCHEMA = "mailtrust.rotation/1"


def report(site: Site, view: View, shelf: Texts) -> dict[str, Any]:
    """The checklist as JSON, its obstacles in the language of *shelf*."""
    checklist, found = ticks(site.server, view, site.policy)
    current = view.current(site.server)
    rotation = found.plan.rotation if found else None
    return {
        "schema": ROTATION_SCHEMA,
        "server": site.server,
        "why": found.why if found else None,
        "phase": found.plan.phase.value if found else Phase.DONE.value,
        "current": current.certificate.fingerprint if current else None,
        "new": (rotation.new or None) if rotation else None,
        "old": sorted(rotation.old) if rotation else [],
        "action": load("en").say(doing(found.plan.action)) if found and found.plan.action else None,
        "lines": [
            {
                "phase": line.phase.value,
                "ticked": not line.obstacles,
                "obstacles": [
                    {
                        "message": shelf.say(one.said), "place": one.place or None, "gate": one.gate.value,
                        "until": when(one.until) if one.until else None,
                    }
                    for one in line.obstacles
                ],
            }
            for line in checklist
        ],
        "dead": [
            {"replica": one.place, "until": when(one.until), "reason": one.reason}
            for one in dead(view)
        ],
    }  # fmt: skip


def ticks(server: ServerName, view: View, policy: Policy) -> tuple[list[Plan], Course | None]:
    """The checklist with one line a phase: to spread is to be known at every replica and to every peer."""
    checklist, course = lines(server, view, policy)
    found: dict[Phase, Plan] = {}
    for line in checklist:
        before = found.get(line.phase)
        if before is None or not before.obstacles:
            found[line.phase] = line
    return list(found.values()), course


def is_presented(line: Plan, view: View) -> bool:
    """
    True for the line `present` of what is current, whatever is open before it.

    So it is where a rotation is undone before its switch, and where a replica forgets after it: nobody is to
    read off the list that something else is presented.
    """
    current = view.current(line.rotation.server)
    if line.phase is not Phase.PRESENT or current is None:
        return False
    return current.certificate.fingerprint == line.rotation.new


def dead(view: View) -> list[Dead]:
    """The replicas that count as dead now."""
    now = clock.now()
    return [one for one in view.history.dead if now < one.until]
