"""Imported event logs on a terminal: each server's time line, what to type next, and what it all means."""

from __future__ import annotations

from collections import Counter

from mailtrust.agent.windows_log.importing import Imported, ReadFile
from mailtrust.agent.windows_log.report import explanation, logged_kinds, title
from mailtrust.cli.output import fitted, say
from mailtrust.cli.render import LETTER, STYLE
from mailtrust.core.eventlog.event import Fault
from mailtrust.core.eventlog.history import ServerLog, Span, Trouble, Unknown
from mailtrust.core.eventlog.known import Known
from mailtrust.core.eventlog.next_steps import NextStep, next_steps
from mailtrust.core.model.event import Said, Severity, when
from mailtrust.texts import Texts
from mailtrust.texts.logged import parameter

_MOST_FAULTS, _MOST_UNKNOWN = 10, 12
_NO_TIME = "-" * len("2026-01-01 00:00:00Z")


def show_imported(found: Imported, texts: Texts) -> None:
    """All of it."""
    say(_summary(found, texts), "bold")
    for file in found.files:
        _file(file, texts)
    if found.history.left_out:
        _line("  ", texts.say(Said("imported.left-out", {"count": _n(found.history.left_out)})))
    if found.twice:
        _line("  ", texts.say(Said("imported.twice", {"count": _n(found.twice)})))
    for log in found.history.servers:
        _server(log, texts)
    kinds = logged_kinds(found.history.servers)
    if kinds:
        say()
        say(texts.label("imported-meaning"), "bold")
        for known in kinds:
            _meaning(known, texts)
    _unknown(found.history.unknown, texts)


def _summary(found: Imported, texts: Texts) -> str:
    troubles = [one for log in found.history.servers for one in log.timeline()]
    counts = Counter(one.severity for one in troubles)
    figures = ", ".join(f"{texts.label(f'severity-{one.value}')} {counts[one]}" for one in Severity)
    values = {"events": _n(found.history.seen.count), "known": _n(found.history.of_certificates),
              "servers": _n(len(found.history.servers)), "figures": figures}  # fmt: skip
    span = found.history.seen
    if span.first is None or span.last is None:
        return texts.say(Said("imported.summary-timeless", values))
    return texts.say(Said("imported.summary", {**values, "first": when(span.first), "last": when(span.last)}))


def _file(file: ReadFile, texts: Texts) -> None:
    values = {"file": str(file.path), "events": _n(file.events), "known": _n(file.known)}
    if file.refused is not None:
        _line("  ", file.refused.message, "bold red")
        _line("    ", file.refused.hint)
        return
    _line("  ", texts.say(Said("imported.file", values)))
    for fault in file.faults[:_MOST_FAULTS]:
        _line("    ", fault_said(fault, texts), "" if fault.harmless else "bold red")
    more = file.fault_count - _MOST_FAULTS
    if more > 0:
        _line("    ", texts.say(Said("imported.more-faults", {"count": _n(more)})), "bold red")


def fault_said(fault: Fault, texts: Texts) -> str:
    """Where a file broke, and how."""
    values = {"offset": _n(fault.offset)}
    place = "imported.at-byte"
    if fault.line is not None and fault.record is not None:
        place = "imported.at-line-of"
        values |= {"line": _n(fault.line), "record": _n(fault.record)}
    elif fault.line is not None:
        place = "imported.at-line"
        values |= {"line": _n(fault.line)}
    elif fault.record is not None:
        place = "imported.at-record"
        values |= {"record": str(fault.record)}
    said = texts.label(_DAMAGES[fault.damage.value])
    why = f": {fault.why}" if fault.why else ""
    harmless = f" ({texts.label('imported-harmless')})" if fault.harmless else ""
    return f"{said}, {texts.say(Said(place, values))}{why}{harmless}"


_DAMAGES = {
    "cut-off": "imported-cut-off",
    "unreadable": "imported-unreadable",
    "checksum": "imported-checksum",
    "refused": "imported-refused",
}


def _server(log: ServerLog, texts: Texts) -> None:
    say()
    say(log.name or texts.label("imported-nameless"), "bold")
    for one in log.timeline():
        _trouble(one, texts)
    steps = next_steps(log)
    if steps:
        say(f"  {texts.label('next')}", "bold")
    before: NextStep | None = None
    for number, step in enumerate(steps, 1):
        _step(number, step, before, texts)
        before = step


def _trouble(one: Trouble, texts: Texts) -> None:
    begin = when(one.span.first) if one.span.first else _NO_TIME
    lead = f"  {begin}  {LETTER[one.severity]} {one.known.number:>5}  "
    source = "" if one.known.family == "transport" else f" ({min(one.sources, default='')})"
    parts = [title(one.known, texts) + source, _values(one, texts), _repeated(one.span, texts)]
    if one.together:
        parts[1] = texts.label("imported-together")
    _line(lead, "; ".join(filter(None, parts)), STYLE[one.severity], " " * len(lead))


def _values(one: Trouble, texts: Texts) -> str:
    named = [f"{parameter(texts.language, name)} {text}" for name, text in one.values.items()]
    if one.ends is not None:
        named.append(texts.say(Said("imported.ends", {"at": when(one.ends)})))
    return ", ".join(named)


def _repeated(span: Span, texts: Texts) -> str:
    if span.count == 1:
        return ""
    values = {"count": _n(span.count), "last": when(span.last) if span.last else "-"}
    return texts.say(Said("imported.repeated", values))


def _step(number: int, step: NextStep, before: NextStep | None, texts: Texts) -> None:
    """Where it is typed, and what the shell asks, is told when it is not as just before."""
    where = "" if before and step.where == before.where else f" [{texts.say(step.where)}]"
    about = ", ".join(map(str, step.about))
    _line(f"    {number}. ", f"{about}: {texts.say(step.said)}{where}", "", "       ")
    for command in step.commands:
        # Never wrapped, and nothing before it but blanks: it is copied as it stands.
        say(f"         {command}", "bold")
    if step.asks and not (before and step.asks == before.asks):
        _line(f"       {texts.label('asks')}: ", texts.say(step.asks), "", "         ")


def _meaning(known: Known, texts: Texts) -> None:
    paragraphs, actions = explanation(known, texts)
    name = f" ({known.name})" if known.name else ""
    _line(f"  {known.number:>5}  ", f"{title(known, texts)}{name}", "", "         ")
    _line("         ", paragraphs[0], "dim")
    if known.page is None:
        for action in actions:
            _line("         ", action)
    else:
        say(f"         mailtrust explain {known.number}")


def _unknown(unknown: tuple[Unknown, ...], texts: Texts) -> None:
    if not unknown:
        return
    say()
    say(texts.label("imported-unknown"), "bold")
    ours = [one for one in unknown if one.of_exchange]
    others = [one for one in unknown if not one.of_exchange]
    _counted(ours, len(ours), texts)
    _counted(others, _MOST_UNKNOWN, texts)


def _counted(unknown: list[Unknown], most: int, texts: Texts) -> None:
    for one in unknown[:most]:
        number = "" if one.number is None else f" {one.number}"
        _line("  ", f"{one.source or '…'}{number}: {_n(one.span.count)}")
    rest = unknown[most:]
    if rest:
        values = {"kinds": _n(len(rest)), "count": _n(sum(one.span.count for one in rest))}
        _line("  ", texts.say(Said("imported.more-unknown", values)))


def _n(number: int) -> str:
    return f"{number:,}"


def _line(lead: str, text: str, style: str = "", rest: str | None = None) -> None:
    if text:
        say(fitted(lead, text, lead if rest is None else rest), style)
