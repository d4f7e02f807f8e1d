"""The words of a report of advice that a terminal and a browser share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from mailtrust.agent.analysis_report import Analysis, Known, cause_of
from mailtrust.cli.render import LETTER, Typed
from mailtrust.core.advice import Advice, Area, Remedy, Where
from mailtrust.core.advice.compare import Compared, Line
from mailtrust.core.checks import Verdict
from mailtrust.core.exchange.judgement import Shell, Step
from mailtrust.core.model.event import Said, Severity, when
from mailtrust.texts import Texts

_VERDICTS = {
    Verdict.OK: "verdict-ok", Verdict.WARNING: "verdict-warning", Verdict.UNKNOWN: "verdict-unknown",
    Verdict.ERROR: "verdict-error",
}  # fmt: skip
_AREAS = {
    Area.CONFIGURATION: "area-configuration", Area.CERTIFICATES: "area-certificates",
    Area.DIRECTORY: "area-directory", Area.TRANSPORTS: "area-transports", Area.HISTORY: "area-history",
    Area.EXCHANGE: "area-exchange", Area.RENEWAL: "area-renewal", Area.PERFORMANCE: "area-performance",
}  # fmt: skip
_WHERE = {
    Where.SHELL: "advice-shell", Where.CONFIGURATION: "advice-lines", Where.EXCHANGE: "advice-exchange",
}  # fmt: skip
_SHELLS = {
    Shell.EXCHANGE: "shell.exchange", Shell.THERE: "shell.there", Shell.DOMAIN: "shell.domain",
    Shell.POWERSHELL: "shell.powershell", Shell.SAMBA: "shell.samba",
}  # fmt: skip


def verdict(seen: Analysis, texts: Texts) -> str:
    """The first line: the verdict, and how much there is of what."""
    counts = Counter(one.severity for one in seen.advice)
    values = {
        "servers": str(len(seen.facts.servers)),
        "profile": seen.profile.value,
        "errors": str(counts[Severity.ERROR]),
        "warnings": str(counts[Severity.WARNING]),
        "information": str(counts[Severity.INFORMATION]),
    }
    said = texts.say(Said("analysis.summary", values))
    return f"{texts.label(_VERDICTS[seen.verdict])} - {said}"


def nothing(seen: Analysis, texts: Texts) -> str:
    """What is said where there is no advice: never that all is well where not all was seen."""
    everything = seen.essential and not seen.facts.blind
    return texts.label("advice-none" if everything else "advice-none-seen")


def area(one: Area, texts: Texts) -> str:
    """What a rule is about."""
    return texts.label(_AREAS[one])


def head(one: Advice, title: str) -> str:
    """Severity, number, whom it is about, title."""
    return f"{LETTER[one.severity]} {one.code}  {one.server}  {title}"


def cause(one: Advice, texts: Texts) -> str:
    """The cause of an event, with what it means."""
    code = one.finding.cause if one.finding is not None else None
    return ": ".join(filter(None, (code, cause_of(one, texts)))) if code else ""


def typed(each: Remedy, command: Typed) -> tuple[str, ...]:
    """The lines of a remedy, our own commands as they have to be typed here."""
    ours = each.where is Where.SHELL
    return tuple(command(one) if ours and one.startswith("mailtrust ") else one for one in each.lines)


def where(each: Remedy, file: str, texts: Texts) -> str:
    """Where the lines of a remedy belong."""
    name = texts.label(_WHERE[each.where])
    return f"{name} ({file})" if each.where is Where.CONFIGURATION and file else name


def shells(steps: tuple[Step, ...], texts: Texts) -> tuple[str, ...]:
    """Where each step is typed; empty where there is nothing to type."""
    return tuple(
        texts.say(Said(_SHELLS[step.shell], {"server": step.on or "-"})) if step.commands else ""
        for step in steps
    )


def known(one: Known, texts: Texts) -> str:
    """What is acknowledged, until when and why."""
    values = {
        "rule": one.advice.code, "server": one.advice.server, "until": when(one.until), "reason": one.reason,
    }  # fmt: skip
    return texts.say(Said("analysis.acknowledged", values))


def since(found: Compared, texts: Texts) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The title of the comparison, and a line for each difference with its mark; what stays is counted."""
    title = texts.say(Said("analysis.since", {"at": when(found.since)}))
    return title, tuple(_differences(found, texts))


def _differences(found: Compared, texts: Texts) -> Iterator[tuple[str, str]]:
    for label, lines in (
        (texts.label("advice-new"), found.new),
        (texts.label("advice-gone"), found.gone),
        (texts.label("advice-not-now"), found.not_now),
        (texts.label("advice-not-then"), found.not_then),
    ):
        yield from ((label, _line(one)) for one in lines)
    if not (found.new or found.gone or found.not_now or found.not_then):
        yield "", texts.label("advice-nothing-new")
    if found.still:
        yield texts.label("advice-still"), str(len(found.still))


def _line(one: Line) -> str:
    return f"{one.rule} {one.server}: {one.message}"
