"""Who can reach whom, drawn in the terminal: a row sends, a column receives."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rich.text import Text

from mailtrust.agent.reach import Reach
from mailtrust.cli.flow_screen import show_trouble
from mailtrust.cli.output import fitted, say, show
from mailtrust.cli.prose import wide
from mailtrust.core.flow import How, Verdict
from mailtrust.core.flow.matrix import Cell, Matrix
from mailtrust.core.flow.words import LABELS
from mailtrust.core.model.event import Said, when
from mailtrust.core.model.server import ServerName
from mailtrust.texts import Texts

_MOST_COLUMNS = 24
"""Up to that many servers are drawn; more get a line for each that is in trouble."""
_MOST_LINES = 40
_SEEN = {
    Verdict.FLOWS: ("●", "green"), Verdict.SLOW: ("◐", "yellow"), Verdict.UNPROVEN: ("!", "bold red"),
    Verdict.UNKNOWN: ("?", "magenta"), Verdict.BLOCKED: ("✗", "bold red"),
}  # fmt: skip
_CONCLUDED = {**_SEEN, Verdict.FLOWS: ("○", "green"), Verdict.BLOCKED: ("×", "red")}
_EXPLAINED = 5

Typed = Callable[[str], str]


def show_matrix(told: Reach, shelf: Texts, typed: Typed) -> None:
    """The grid, its legend, and what stands in the way."""
    table = told.matrix
    head = Said("flow.matrix-head", {"server": table.here, "at": when(told.at)})
    say(shelf.say(head), "bold")
    say()
    if len(table.servers) <= _MOST_COLUMNS:
        _draw(table)
        say()
        _prose(shelf.say(Said("flow.matrix-legend")), "dim")
    _prose(shelf.say(Said("flow.matrix-honest", {"server": table.here})), "dim")
    say()
    _tell_sides(table, shelf)
    for one in table.troubles()[:_EXPLAINED]:
        owner = one.finding.server if one.finding is not None else table.here
        say()
        show_trouble(one, owner, shelf, typed, is_error=one.severity.value == "error")
    say()
    counts = {verdict.value: str(count) for verdict, count in table.counts().items()}
    say(shelf.say(Said("flow.matrix-counts", counts)), _SEEN[told.verdict][1])


def _draw(table: Matrix) -> None:
    names = short_names(table)
    column = max(wide(name) for name in names.values())
    digits = len(str(len(table.servers)))
    heads = Text(" " * (digits + 1 + column + 2))
    for number in range(1, len(table.servers) + 1):
        heads.append(f"{number:>{digits}} ", "dim")
    show(heads)
    for number, sender in enumerate(table.servers, 1):
        line = Text(f"{number:>{digits}} ", "dim")
        name = names[sender]
        line.append(name + " " * (column - wide(name) + 2), "bold" if sender == table.here else "")
        for receiver in table.servers:
            mark, style = _mark(table.cell(sender, receiver))
            line.append(f"{mark:>{digits}} ", style)
        show(line)


def _mark(cell: Cell | None) -> tuple[str, str]:
    if cell is None:
        return " ", ""
    return (_SEEN if cell.how is How.SEEN else _CONCLUDED)[cell.verdict]


def _tell_sides(table: Matrix, shelf: Texts) -> None:
    """A line for each server that is in trouble, and for each pair that only we could see."""
    lines: list[tuple[Cell, str]] = []
    for receiver, cell in table.row(table.here) if table.here in table.servers else ():
        if cell.verdict is not Verdict.FLOWS:
            lines.append((cell, f"{table.here} ──▶ {receiver}"))
    for server, side in table.sides():
        sends = side is table.sending[server] and side is not table.receiving[server]
        event = side.finding.event if side.finding is not None else None
        if side.stage is not None:
            cell = Cell(side.verdict, How.CONCLUDED, side.stage, event, server)
            lines.append((cell, f"{server} ──▶ *" if sends else f"* ──▶ {server}"))
    for cell, pair in lines[:_MOST_LINES]:
        mark, style = _mark(cell)
        stage = shelf.label(LABELS[cell.stage]) if cell.stage is not None else ""
        event_text = f"{cell.event.code} {cell.event.name}" if cell.event is not None else ""
        line = Text(f"  {mark} ", style)
        line.append(f"{pair}  ").append("  ".join(filter(None, (stage, event_text))), style)
        show(line)
    if lines[_MOST_LINES:]:
        say(shelf.say(Said("flow.matrix-more", {"count": str(len(lines) - _MOST_LINES)})))


def short_names(table: Matrix) -> Mapping[ServerName, str]:
    """First labels, where each has only one server."""
    short = {one: one.partition(".")[0] for one in table.servers}
    return short if len(set(short.values())) == len(short) else {one: one for one in table.servers}


def _prose(text: str, style: str) -> None:
    say(fitted("", text, ""), style)
