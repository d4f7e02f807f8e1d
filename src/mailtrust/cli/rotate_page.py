"""A rotation's checklist on the screen."""

from __future__ import annotations

from mailtrust.agent.checklist import dead, is_presented, ticks
from mailtrust.agent.site import Site
from mailtrust.cli.fix import describe_action
from mailtrust.cli.output import say
from mailtrust.cli.render import place_name
from mailtrust.core.model.certificate import short
from mailtrust.core.model.event import when
from mailtrust.core.model.plan import Plan
from mailtrust.core.model.sighting import View
from mailtrust.core.succession import due_at
from mailtrust.texts import Texts


def checklist_page(site: Site, view: View, shelf: Texts) -> None:
    """
    What is under way, line by line: what is ticked, and what stands in the way of the first that is not.
    """
    checklist, found = ticks(site.server, view, site.policy)
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
    if not checklist:
        say(f"  [ ] {found.plan.phase}")
    first = next((line for line in checklist if line.obstacles), None)
    mark = "x"
    if first is not None and any(is_presented(line, view) for line in checklist[checklist.index(first) :]):
        say(
            f"it presents {new} already"
            + (f"; what is open holds back the withdrawal of {old}" if old else "")
        )
    for line in checklist:
        mark = " " if line is first else mark
        say(f"  [{'x' if is_presented(line, view) else mark}] {line.phase}")
        if line is first:
            _tell_obstacles(line, shelf)
    for one in dead(view):
        say(f"{place_name(one.place)} counts as dead until {when(one.until)}: {one.reason}")


def _tell_obstacles(line: Plan, shelf: Texts) -> None:
    for obstacle in line.obstacles:
        say(f"        {shelf.say(obstacle.said)}")
    if line.action is not None:
        say(f"        to be done now: {describe_action(line.action)}")


_WHY = {
    "start": "rotates to", "now": "rotates at once to", "undo": "goes back to",
    "due": "rotates, as is due, to", "compromised": "was compromised, and rotates to", "enable": "enables",
    "finish": "finishes its rotation to", "successor": "makes known its next certificate,",
}  # fmt: skip
