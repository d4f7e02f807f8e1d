"""
Who can reach whom: a session of our own with every server of the directory, and what follows for the others.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from mailtrust import clock
from mailtrust.agent.flow import Desk, Walked, facts_of, sighting, take
from mailtrust.agent.flow_report import hop_report
from mailtrust.agent.report import moment
from mailtrust.agent.route import Leg, first_legs
from mailtrust.core.flow import How, Verdict, judge, worst
from mailtrust.core.flow.conclude import nowhere
from mailtrust.core.flow.matrix import Cell, Matrix, Side, matrix
from mailtrust.core.model.event import Said
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import View
from mailtrust.smtp.rehearsal import POSTMASTER
from mailtrust.texts import Texts

REACH_SCHEMA = "mailtrust.flow-matrix/1"
AT_ONCE = 100
"""Each is another server's; more would only fill our file descriptors."""
_MOST_IN_PAIRS = 100
"""Up to that many servers each pair is written out; beyond it follows from the two servers' sides."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The matrix, and when it was looked at."""

    at: datetime
    # As in `look`: `asyncio.run` would write out a whole organization in words.
    matrix: Matrix = field(repr=False)
    view: View = field(repr=False)

    @property
    def verdict(self) -> Verdict:
        """The worst of all cells."""
        return worst(tuple(one for one, count in self.matrix.counts().items() if count))


async def reach(desk: Desk) -> Reach:
    """Everybody in the directory.  Never raises for a server."""
    site = desk.site
    servers = tuple(sorted({site.server, *desk.view.servers()}))
    others = [one for one in servers if one != site.server]
    legs = await asyncio.to_thread(first_legs, site, desk.view, others)
    room = asyncio.Semaphore(AT_ONCE)

    async def one(server: ServerName, leg: Leg) -> Walked:
        async with room:
            return await take(desk, leg, f"{POSTMASTER}@{server}", otherwise=POSTMASTER)

    went = {server: leg for server, leg in legs.items() if leg.where is not None}
    walked = dict(zip(went, await asyncio.gather(*(one(*each) for each in went.items())), strict=True))
    view = desk.view.see(sighting(each.leg.receiver, each.trace) for each in walked.values())
    nobody = Leg(site.server, site.server, None, Said("flow.route-none", {}), known=True)
    facts = facts_of(desk, view, nobody, servers)
    seen = {}
    for server, leg in legs.items():
        about = replace(facts, peer=leg.receiver, known=leg.known, hop=leg.hop or str(leg.where))
        if server in walked:
            met = walked[server]
            hop = judge(met.trace, about, met.picture, met.memory)
            seen[server] = replace(hop, route=leg.route)
        else:
            seen[server] = nowhere(about, leg.route)
    return Reach(clock.now(), matrix(facts, seen, servers), view)


def reach_report(told: Reach, texts: Texts) -> dict[str, Any]:
    """The matrix for programs: the schema ``mailtrust.flow-matrix/1``."""
    table = told.matrix
    return {
        "schema": REACH_SCHEMA,
        "at": moment(told.at),
        "from": table.here,
        "verdict": told.verdict.value,
        "counts": {verdict.value: count for verdict, count in table.counts().items()},
        "servers": [
            {
                "server": one,
                "receives": _side(table.receiving[one]),
                "sends": _side(table.sending[one]),
            }
            for one in table.servers
        ],
        "seen": [hop_report(hop, 1, texts) for hop in table.seen.values()],
        "pairs": _pairs(table) if len(table.servers) <= _MOST_IN_PAIRS else None,
    }


def _pairs(table: Matrix) -> list[dict[str, Any]]:
    return [
        {"from": sender, "to": receiver, **_cell(cell)}
        for sender in table.servers
        for receiver, cell in table.row(sender)
    ]


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "verdict": cell.verdict.value,
        "how": cell.how.value,
        "stage": cell.stage.value if cell.stage is not None else None,
        "event": cell.event.code if cell.event is not None else None,
        "about": cell.about,
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "verdict": side.verdict.value,
        "how": How.CONCLUDED.value,
        "stage": side.stage.value if side.stage is not None else None,
        "event": side.finding.event.code if side.finding is not None else None,
    }
