"""A rotation's checklist on the screen and as JSON."""

from __future__ import annotations

from typing import Any

from mailtrust import clock
from mailtrust.agent.rotate import lines
from mailtrust.agent.site import Site
from mailtrust.cli.fix import describe_action
from mailtrust.cli.output import say
from mailtrust.cli.render import place_name
from mailtrust.core.model.certificate import short
from mailtrust.core.model.event import when
from mailtrust.core.model.plan import Phase, Plan
from mailtrust.core.model.sighting import Dead, View
from mailtrust.core.succession import Course, due_at
from mailtrust.texts import Texts

ROTATION_SCHEMA = "mailtrust.rotation/1"


def checklist_page(site: Site, view: View, shelf: Texts) -> None:
    """
    What is under way, line by line: what is ticked, and what stands in the way of the first that is not.
    """
    ticks, found = _lines(site, view)
    current = view.current(site.server)
    if found is None or found.is_done:
        say(f"{site.server} has nothing under way")
        if current is not None:
            due = due_at(site.server, current.certificate, site.policy)
            say(f"it presents {short(current.certificate.fingerprint)}; its next rotation is due {when(due)}")
        return
    old = ", ".join(sorted(map(short, found.plan.rotation.old)))
    new = short(found.plan.rotation.new) or "a new certificate"
    say(
        f"{site.server}: {_WHY.get(found.why, found.why)} {new}" + (f", in the place of {old}" if old else "")
    )
    if not ticks:
        say(f"  [ ] {found.plan.phase}")
    first = next((line for line in ticks if line.obstacles), None)
    mark = "x"
    for line in ticks:
        mark = " " if line is first else mark
        say(f"  [{mark}] {line.phase}")
        if line is first:
            _tell_obstacles(line, shelf)
    for one in _dead(view):
        say(f"{place_name(one.place)} counts as dead until {when(one.until)}: {one.reason}")


def report(site: Site, view: View, shelf: Texts) -> dict[str, Any]:
    """The same as JSON."""
    ticks, found = _lines(site, view)
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
        "action": describe_action(found.plan.action) if found and found.plan.action else None,
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
            for line in ticks
        ],
        "dead": [
            {"replica": one.place, "until": when(one.until), "reason": one.reason}
            for one in _dead(view)
        ],
    }  # fmt: skip


def _lines(site: Site, view: View) -> tuple[list[Plan], Course | None]:
    """The checklist with one line a phase: to spread is to be known at every replica and to every peer."""
    ticks, course = lines(site, view)
    found: dict[Phase, Plan] = {}
    for line in ticks:
        before = found.get(line.phase)
        if before is None or not before.obstacles:
            found[line.phase] = line
    return list(found.values()), course


def _tell_obstacles(line: Plan, shelf: Texts) -> None:
    for obstacle in line.obstacles:
        say(f"        {shelf.say(obstacle.said)}")
    if line.action is not None:
        say(f"        to be done now: {describe_action(line.action)}")


def _dead(view: View) -> list[Dead]:
    """The replicas that count as dead now."""
    now = clock.now()
    return [one for one in view.history.dead if now < one.until]


_WHY = {
    "start": "rotates to", "now": "rotates at once to", "undo": "goes back to",
    "due": "rotates, as is due, to", "compromised": "was compromised, and rotates to", "enable": "enables",
    "finish": "finishes its rotation to", "successor": "makes known its next certificate,",
}  # fmt: skip
