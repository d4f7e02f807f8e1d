"""The way of mail in the terminal: hop by hop, a line for each stage, and what stands in the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

from rich.text import Text

from mailtrust.agent.flow import Flow
from mailtrust.cli.output import fitted, say, show, width
from mailtrust.cli.prose import wide, wrapped
from mailtrust.core.events.catalog import FLOW_STAGE_SLOW
from mailtrust.core.flow import Hop, How, Line, State, Trouble, Verdict
from mailtrust.core.flow.hop import said_time
from mailtrust.core.flow.judge import took_together
from mailtrust.core.flow.words import CONCLUDED, LABELS, SEEN
from mailtrust.core.model.event import Said, when
from mailtrust.texts import Texts

_COLUMNS = 80
_MARKS = {
    State.OK: ("●", "green"), State.SLOW: ("◐", "yellow"), State.WARNING: ("!", "bold yellow"),
    State.FAILED: ("✗", "bold red"), State.FOLLOWS: ("✗", "red"), State.UNKNOWN: ("?", "magenta"),
    State.NOT_REACHED: ("·", "dim"),
}  # fmt: skip
_STYLES = {
    Verdict.FLOWS: "bold green", Verdict.SLOW: "bold yellow", Verdict.UNPROVEN: "bold red",
    Verdict.UNKNOWN: "bold magenta", Verdict.BLOCKED: "bold red",
}  # fmt: skip
_BAR_COLUMNS, _TIME_COLUMNS = 8, 8
_LABEL_COLUMNS = 8

Typed = Callable[[str], str]


def show_flow(told: Flow, shelf: Texts, typed: Typed) -> None:
    """Everything."""
    head = Said("flow.head", {"server": told.sender, "to": told.asked, "at": when(told.at)})
    say(shelf.say(head), "bold")
    for number, hop in enumerate(told.hops, 1):
        say()
        _show_hop(hop, number, len(told.hops), shelf)
    for hop in told.hops:
        for one in _told(hop, shelf):
            say()
            show_trouble(one, hop.receiver, shelf, typed, is_error=one is hop.trouble)
    say()
    say(verdict_line(told, shelf), _STYLES[told.verdict])
    for note in (*((told.ends,) if told.ends is not None else ()), *told.notes):
        _field("", shelf.say(note))


def _told(hop: Hop, shelf: Texts) -> Iterator[Trouble]:
    """What is told in full; of several slow stages the slowest, which names the others."""
    if hop.trouble is not None:
        yield hop.trouble
    late = [one for one in hop.warnings if one.event is FLOW_STAGE_SLOW]
    slowest = max(late, key=lambda one: hop.line(one.stage).took or timedelta(), default=None)
    yield from (one for one in hop.warnings if one.event is not FLOW_STAGE_SLOW)
    if slowest is not None:
        others = [shelf.label(LABELS[one.stage]) for one in late if one is not slowest]
        said = (Said("flow.slow-too", {"stages": ", ".join(others)}),) if others else ()
        yield replace(slowest, evidence=(*slowest.evidence, *said))


def verdict_line(told: Flow, shelf: Texts) -> str:
    """The answer in a sentence."""
    failed = next((one.trouble for one in told.hops if one.trouble is not None), None)
    stage = shelf.label(LABELS[failed.stage]) if failed is not None else ""
    values = {
        "server": told.sender, "to": told.asked, "stage": stage,
        "event": str(failed.event.code) if failed is not None else "",
    }  # fmt: skip
    seen = all(one.how is How.SEEN for one in told.hops)
    return shelf.say(Said((SEEN if seen else CONCLUDED)[told.verdict], values))


def _show_hop(hop: Hop, number: int, count: int, shelf: Texts) -> None:
    where = str(hop.endpoint) if hop.endpoint is not None else "-"
    took = said_time(took_together(hop))
    line = Text()
    line.append(f"{number}/{count} " if count > 1 else "")
    line.append(hop.sender, "bold").append(" ──▶ ").append(hop.receiver, "bold")
    line.append(f"  {where}  {took}", "dim")
    show(line)
    if hop.route is not None:
        _field("", shelf.say(hop.route))
    if hop.how is How.CONCLUDED:
        _field("", shelf.say(Said("flow.concluded", {"server": hop.sender})))
    names = {one.stage: shelf.label(LABELS[one.stage]) for one in hop.lines}
    column = max(map(wide, names.values()))
    longest = max((one.took for one in hop.lines if one.took is not None), default=None)
    for one in hop.lines:
        share = one.took / longest if one.took is not None and longest else 0.0
        _show_line(one, names[one.stage], column, share, shelf)


def _show_line(line: Line, name: str, column: int, share: float, shelf: Texts) -> None:
    mark, style = _MARKS[line.state]
    drawn = Text()
    drawn.append(f"  {mark} ", style)
    drawn.append(name + " " * (column - wide(name)), style if line.state is not State.OK else "")
    took = said_time(line.took) if line.took is not None else ""
    bar = "▏▎▍▌▋▊▉█"
    cells = max(round(share * _BAR_COLUMNS * 8), 1) if line.took is not None else 0
    strip = "█" * (cells // 8) + (bar[cells % 8 - 1] if cells % 8 else "")
    drawn.append(f" {took:>{_TIME_COLUMNS}} ", style if line.state is State.SLOW else "")
    drawn.append(f"{strip:<{_BAR_COLUMNS}} ", "cyan" if line.state is State.OK else style)
    words = list(_words(line, shelf))
    lead = 4 + column + 1 + _TIME_COLUMNS + 1 + _BAR_COLUMNS + 1
    room = max((width() or _COLUMNS) - lead, 16)
    pieces = [piece for text in words for piece in wrapped(text, room).splitlines()]
    drawn.append(pieces[0] if pieces else "", "dim" if line.state is State.NOT_REACHED else "")
    show(drawn)
    for piece in pieces[1:]:
        show(Text(" " * lead + piece))


def _words(line: Line, shelf: Texts) -> Iterator[str]:
    if line.state is State.NOT_REACHED:
        yield shelf.label("flow-not-reached")
        return
    if line.words:
        yield line.words
    if line.state is State.UNKNOWN and not line.words and not line.said:
        yield shelf.label("flow-not-seen")
    yield from (shelf.say(one) for one in line.said)


def show_trouble(one: Trouble, peer: str, shelf: Texts, typed: Typed, *, is_error: bool) -> None:
    """What is wrong at a stage, what proves it, and what to type, by whom; *peer* is the receiver."""
    cause = f" {one.cause}" if one.cause else ""
    stage = shelf.label(LABELS[one.stage])
    style = "bold red" if is_error else "bold yellow"
    say(f"{one.event.code}{cause} {one.event.name}  [{stage}]", style)
    _field("", shelf.say(one.why))
    label = shelf.label("proof")
    for said in one.evidence:
        _field(label, shelf.say(said))
        label = ""
    owner = shelf.say(one.owner.said(peer))
    _field(shelf.label("do"), f"[{owner}] {shelf.say(one.act)}")
    if one.command:
        ours = one.command.startswith("mailtrust ") and not one.there
        say(f"{' ' * _LABEL_COLUMNS}{typed(one.command) if ours else one.command}", "bold")
    if one.otherwise is not None:
        _field("", shelf.say(one.otherwise))
    say(f"{' ' * _LABEL_COLUMNS}{typed(f'mailtrust explain {one.event.code}')}", "dim")


def _field(label: str, text: str) -> None:
    lead = f"  {label}{' ' * (_LABEL_COLUMNS - 2 - wide(label))}"
    say(fitted(lead, text, " " * _LABEL_COLUMNS))
