"""The facts about an Exchange organization that advice is given by: its audit, and the cases behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailtrust.agent.audit import Aim, Look, audit, saw_nothing
from mailtrust.core.advice.facts import Facts
from mailtrust.core.checks import Verdict
from mailtrust.core.exchange.case import Case
from mailtrust.core.exchange.facts import Collected
from mailtrust.core.exchange.judge import cases
from mailtrust.core.model.sighting import WireFailure
from mailtrust.core.policy import Policy


async def exchange_facts(
    aim: Aim | None, look: Look, collected: Sequence[Collected], scope: tuple[str, ...] | None
) -> tuple[Facts, bool]:
    """
    The facts, and whether what matters most was seen; *scope*: the servers asked about, None for all.

    Raises: DirectoryUnavailable; BadInput for a server that is not there.
    """
    policy = Policy()
    seen = await audit(aim, look, collected, policy)
    wanted = scope or None
    them = cases(seen.organization, seen.judged_at, policy, wanted)
    names = {case.name for case in them}
    controllers = {one.name.lower() for one in seen.organization.controllers if one.readable}
    facts = Facts(
        seen.judged_at,
        policy,
        (*(case.name for case in them), *sorted(controllers)),
        cases=them,
        judgements=tuple(one for one in seen.judgements if wanted is None or one.finding.server in names),
        unseen=seen.unseen,
        closed=frozenset(case.name for case in them if case.store is None),
        blind=frozenset(_blind(them)),
    )
    return facts, bool(them) and not saw_nothing(seen) and seen.verdict is not Verdict.UNKNOWN


def _blind(them: Sequence[Case]) -> Iterator[str]:
    for case in them:
        unread = bool(case.server.published) and not case.standings
        unmet = [
            one
            for one in case.server.wires
            if one.failure in (WireFailure.UNREACHABLE, WireFailure.NO_ANSWER)
        ]
        if unread or unmet:
            yield case.name
