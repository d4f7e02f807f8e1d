"""What a rotation waits on, when it is neither time nor the directory that will end the wait."""

from __future__ import annotations

from collections.abc import Iterator

from mailtrust.core.checks.case import Case, enable_command
from mailtrust.core.events import catalog
from mailtrust.core.model.certificate import short
from mailtrust.core.model.event import Finding, Said
from mailtrust.core.model.plan import Gate, Phase, Plan


def rotation_blocked(case: Case) -> Iterator[Finding]:
    """
    A certificate was enabled and is not current yet, or a rotation does not go on: it waits for a replica,
    for a peer, or for a hand.  What time alone will end is no trouble.
    """
    if case.plan is None or case.plan.phase in (Phase.DONE, Phase.PUBLISH) or not _is_blocked(case.plan):
        return
    if _is_travelling(case, case.plan):
        return
    new, intent = case.plan.rotation.new, case.history.intent
    act = case.history.last("enable", case.server, new)
    begun = intent.asked_at if intent else act.done_at if act else None
    values = {"fingerprint": short(new), "gate": case.plan.phase.value}
    evidence = tuple(obstacle.said for obstacle in case.plan.obstacles)
    ready = Said("rotation.ready", values)
    is_ready = case.plan.phase is Phase.PRESENT and case.plan.action is not None
    yield Finding(
        catalog.ROTATION_BLOCKED,
        case.server,
        cause=None,
        values=values,
        evidence=(*evidence, ready) if is_ready else evidence,
        action=carry_on(case.plan),
        since=begun,
    )


def carry_on(plan: Plan) -> str | None:
    """What to type where no agent carries it on; None where it waits, and nothing can be done."""
    if any(obstacle.said.phrase == "obstacle.peer-refuses" for obstacle in plan.obstacles):
        return "mailtrust flow --rehearse"
    if plan.action is None:
        return None
    return "mailtrust agent --once" if plan.rotation.old else enable_command(plan.rotation.new)


def _is_travelling(case: Case, plan: Plan) -> bool:
    """True while nothing but a withdrawal is on its way, no longer than replication takes."""
    withdrawn = [case.withdrawals.get(old) for old in plan.rotation.old]
    begun = max((at for at in withdrawn if at is not None), default=None)
    waits = {obstacle.said.phrase for obstacle in plan.obstacles if obstacle.gate is not Gate.TIME}
    return waits == {"obstacle.not-faded"} and begun is not None and case.now < begun + case.policy.latency


def _is_blocked(plan: Plan) -> bool:
    return any(obstacle.gate is not Gate.TIME for obstacle in plan.obstacles)
