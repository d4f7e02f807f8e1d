"""
What the checklist ticks somebody has seen: a look that failed, or is old, ticks nothing.

Sessions alone do not show it: where several lines go by one look, another holds back the same.  But what an
administrator reads off a list that ticks too much is wrong.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from mailtrust.core.model.plan import Phase, Rotation
from mailtrust.core.model.sighting import View
from mailtrust.core.rotation import checklist
from mailtrust.core.succession import pace_of
from mailtrust.simulation.values import POLICY

if TYPE_CHECKING:
    from mailtrust.simulation.host import Host
    from mailtrust.simulation.world import World

_LOOK_MAX_AGE = pace_of("start", POLICY).look_max_age


def judge_ticks(world: World, host: Host, view: View, now: datetime) -> None:
    """Each line of the rotation that was asked for, as its agent reads it now."""
    intent = view.history.intent
    if intent is None:
        return
    unseen = [phase for phase in Phase if not _is_seen(phase, intent.rotation, view, now)]
    if not unseen:
        return
    for line in checklist(intent.rotation, view, pace_of(intent.why, POLICY), now):
        if line.phase in unseen and not line.obstacles:
            world.breaks(f"{host.name} ticks {line.phase.value}, and nobody has seen it")


def _is_seen(phase: Phase, rotation: Rotation, view: View, now: datetime) -> bool:
    server, replaced = rotation.server, rotation.old - {rotation.new}
    new = [one for one in view.installed(server) if one.certificate.fingerprint == rotation.new]
    match phase:
        case Phase.INSTALL:
            return any(one.has_key for one in new)
        case Phase.PUBLISH:
            return not any(view.is_withdrawn(server, one.certificate) for one in new)
        case Phase.SETTLE if replaced and not rotation.compromised:
            oldest = now - _LOOK_MAX_AGE
            return all(look.found is not None and look.seen_at >= oldest for look in view.wires(server))
        case Phase.WITHDRAW if replaced:
            return all(look.found is not None for look in view.replicas(server) if look.primary)
        case Phase.FADE if replaced:
            living = (look for look in view.replicas(server) if not view.history.is_dead(look.place, now))
            return all(look.found is not None for look in living)
        case _:
            return True
