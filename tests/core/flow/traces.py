"""Sessions as they were traced, and what was made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from mailtrust.core.flow import Hop, Memory, Passage, Picture, Stage, State, Stop, Trace, Verdict, judge
from mailtrust.core.model.sighting import WireFailure
from mailtrust.core.model.trust import Trusted
from mailtrust.core.why import Facts
from tests.core.why import both_sides
from tests.core.why.both_sides import OURS, THEIRS, THERE
from tests.make import HUB2, NOON, a_dead_wire

QUICK = timedelta(milliseconds=5)
VERBS = ("X-ANONYMOUSTLS", "STARTTLS")
GOOD = Picture(Trusted(HUB2))
_SAID = {
    Stage.BANNER: "220 hub2", Stage.MAIL: "250 ok", Stage.RCPT: "250 ok", Stage.MESSAGE: "250 queued as 7",
    Stage.RSET: "250 ok", Stage.QUIT: "221 bye",
}  # fmt: skip
SESSION = (
    Stage.RESOLVE, Stage.CONNECT, Stage.BANNER, Stage.EHLO, Stage.VERBS, Stage.HANDSHAKE, Stage.EHLO_AGAIN,
    Stage.MAIL, Stage.RCPT, Stage.RSET, Stage.QUIT,
)  # fmt: skip


def a_trace(
    *,
    until: Stage | None = None,
    stop: Stop | None = None,
    said: str = "",
    took: Mapping[Stage, timedelta] | None = None,
    **more: Any,
) -> Trace:
    """A session that passed every stage, or stopped at *until*."""
    passages: dict[Stage, Passage] = {}
    for stage in SESSION:
        ends = stage is until
        words = said if ends else _SAID.get(stage, "")
        passages[stage] = Passage((took or {}).get(stage, QUICK), words, stop if ends else None)
        if ends:
            break
    inside = Stage.EHLO_AGAIN in passages
    given: dict[str, Any] = {
        "offered": VERBS, "offered_inside": ("SIZE",) if inside else None, "verb": "X-ANONYMOUSTLS",
        "leaf": THEIRS if Stage.HANDSHAKE in passages and until is not Stage.HANDSHAKE else None,
        "asked": True if inside else None, "shown": OURS, "protocol": "TLSv1.3", **more,
    }  # fmt: skip
    return Trace(THERE, NOON, passages, "192.0.2.2", **given)


def facts_of(*looks: Any, well: bool = True) -> Facts:
    """Both sides as they should be, but for *looks*."""
    return both_sides.facts_of(both_sides.view_of(*looks, well=well))


def dead(failure: WireFailure, phase: str = "connect", why: str = "connection refused") -> Any:
    return replace(a_dead_wire(failure, server=HUB2), endpoint=THERE, phase=phase, why=why)


def judged(trace: Trace, facts: Facts | None = None, picture: Picture = GOOD, **more: Any) -> Hop:
    return judge(trace, facts or facts_of(), picture, more.pop("memory", Memory()), **more)


def failed(hop: Hop) -> tuple[Stage, int]:
    assert hop.trouble is not None
    assert hop.line(hop.trouble.stage).state is State.FAILED
    assert hop.verdict is Verdict.BLOCKED
    return hop.trouble.stage, hop.trouble.event.code


def phrases(hop: Hop) -> set[str]:
    assert hop.trouble is not None
    return {one.phrase for one in hop.trouble.evidence}


def said_at(hop: Hop, stage: Stage) -> list[str]:
    return [one.phrase for one in hop.line(stage).said]


def warned(hop: Hop) -> list[tuple[Stage, int]]:
    return [(one.stage, one.event.code) for one in hop.warnings]
