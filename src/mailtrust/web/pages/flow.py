"""Who can reach whom, concluded from the copies; and one pair, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from mailtrust.core.flow import Hop, Line, State, Verdict
from mailtrust.core.flow.conclude import concluded, nowhere, trace_of
from mailtrust.core.flow.matrix import Cell, Matrix, matrix
from mailtrust.core.flow.words import CONCLUDED, LABELS
from mailtrust.core.model.event import Diagnosis, Said, Silenced
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import View
from mailtrust.core.why import Facts
from mailtrust.web.asked import Asked
from mailtrust.web.copies import Standing
from mailtrust.web.source import Present

_MOST_DRAWN = 40
"""Up to that many servers have a row and a column; of more, those in trouble are listed."""
_MOST_LISTED = 200
_STANDINGS = {
    Verdict.FLOWS: Standing.GOOD, Verdict.SLOW: Standing.WARNING, Verdict.UNPROVEN: Standing.WARNING,
    Verdict.UNKNOWN: Standing.UNKNOWN, Verdict.BLOCKED: Standing.BAD,
}  # fmt: skip
_STATES = {
    State.OK: Standing.GOOD, State.SLOW: Standing.WARNING, State.WARNING: Standing.WARNING,
    State.FAILED: Standing.BAD, State.FOLLOWS: Standing.BAD, State.UNKNOWN: Standing.UNKNOWN,
    State.NOT_REACHED: None,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Side:
    """A server in trouble, as a sender or as a receiver."""

    server: ServerName
    sends: bool
    standing: Standing
    stage: str
    """The code of its label; empty where nothing is wrong, and not everything could be looked at."""
    event: int | None


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a pair, in words."""

    label: str
    standing: Standing | None
    """None: not reached."""
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """One sender and one receiver."""

    hop: Hop
    standing: Standing
    answer: str
    stages: tuple[Stage, ...]
    message: str
    """What stands in the way; empty where nothing does."""
    proof: tuple[str, ...]
    event: int | None
    command: str
    """What shows the session itself, typed on the sender."""


def show(asked: Asked) -> Response:
    """The page; with ``?from`` and ``?to`` that pair as well."""
    present = asked.present
    servers = present.servers
    facts = _facts(present) if servers else None
    table = matrix(facts, {}, servers) if facts is not None else None
    query = asked.request.query_params
    chosen = ServerName(query.get("from", "")), ServerName(query.get("to", ""))
    pair = None
    if facts is not None and chosen[0] in servers and chosen[1] in servers and chosen[0] != chosen[1]:
        pair = _pair(asked, facts, *chosen)
    drawn = table is not None and len(servers) <= _MOST_DRAWN
    sides = _sides(table) if table is not None else ()
    return asked.render(
        "flow.html.j2",
        table=table if drawn else None,
        servers=servers,
        counts={one.value: str(count) for one, count in table.counts().items()} if table else {},
        standing=_worst(table) if table is not None else Standing.UNKNOWN,
        cell=lambda sender, receiver: _cell(asked, table, sender, receiver),
        sides=sides[:_MOST_LISTED],
        more=max(len(sides) - _MOST_LISTED, 0),
        pair=pair,
    )


def _facts(present: Present) -> Facts:
    """Each server as its own corner sees it, in one view."""
    corners = present.corners
    latest = {name: corner.seen.view.latest.get(name, {}) for name, corner in corners.items()}
    findings = present.findings()
    hidden: list[Silenced] = []
    for name, corner in corners.items():
        hidden += (one for one in corner.seen.diagnosis.silenced if one.finding.server == name)
    first = next(iter(corners.values()))
    return Facts(
        View(latest, first.seen.view.history), Diagnosis(findings, tuple(hidden)), first.seen.policy,
        first.seen.checked_at, first.seen.viewpoint, first.seen.viewpoint, known=True,
    )  # fmt: skip


def _worst(table: Matrix) -> Standing:
    counts = table.counts()
    order = (Verdict.BLOCKED, Verdict.UNPROVEN, Verdict.UNKNOWN, Verdict.SLOW)
    return next((_STANDINGS[one] for one in order if counts[one]), Standing.GOOD)


def _cell(
    asked: Asked, table: Matrix | None, sender: ServerName, receiver: ServerName
) -> tuple[Standing, str] | None:
    """How it stands, and that in words; None on the diagonal."""
    cell = table.cell(sender, receiver) if table is not None else None
    return (_STANDINGS[cell.verdict], _said(asked, cell, sender, receiver)) if cell is not None else None


def _said(asked: Asked, cell: Cell, sender: ServerName, receiver: ServerName) -> str:
    stage = asked.texts.label(LABELS[cell.stage]) if cell.stage is not None else ""
    values = {
        "server": sender, "to": receiver, "stage": stage, "event": str(cell.event.code) if cell.event else "",
    }  # fmt: skip
    return asked.texts.say(Said(CONCLUDED[cell.verdict], values))


def _sides(table: Matrix) -> tuple[Side, ...]:
    return tuple(
        Side(
            server,
            side is not table.receiving[server],
            _STANDINGS[side.verdict],
            LABELS[side.stage] if side.stage is not None else "",
            side.finding.event.code if side.finding is not None else None,
        )
        for server, side in table.sides()
    )


def _pair(asked: Asked, facts: Facts, sender: ServerName, receiver: ServerName) -> Pair:
    texts = asked.texts
    about = Facts(
        facts.view, facts.diagnosis, facts.policy, facts.now, facts.here, receiver, known=True
    )  # fmt: skip
    wires = facts.view.wires(receiver)
    wire = next((one for one in wires if one.found is not None), wires[0] if wires else None)
    if wire is not None:
        hop = concluded(sender, about, trace_of(wire))
    else:
        hop = nowhere(about, Said("flow.route-none", {"server": receiver}))
    failed = hop.trouble
    finding = failed.finding if failed is not None else None
    values = {
        "server": sender, "to": receiver, "event": str(failed.event.code) if failed is not None else "",
        "stage": texts.label(LABELS[failed.stage]) if failed is not None else "",
    }  # fmt: skip
    return Pair(
        hop,
        _STANDINGS[hop.verdict],
        texts.say(Said(CONCLUDED[hop.verdict], values)),
        tuple(_stage(asked, one) for one in hop.lines),
        texts.message(finding) if finding is not None else "",
        tuple(texts.say(one) for one in failed.evidence) if failed is not None else (),
        failed.event.code if failed is not None else None,
        f"mailtrust flow {sender} {receiver}",
    )


def _stage(asked: Asked, line: Line) -> Stage:
    texts, words = asked.texts, tuple(asked.texts.say(one) for one in line.said)
    if line.state is State.NOT_REACHED:
        words = (texts.label("flow-not-reached"),)
    elif line.words:
        words = (line.words, *words)
    elif line.state is State.UNKNOWN and not words:
        words = (texts.label("flow-not-seen"),)
    return Stage(LABELS[line.stage], _STATES[line.state], words)
