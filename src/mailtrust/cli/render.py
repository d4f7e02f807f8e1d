"""Findings and copies on the screen; readable at a glance in 80 columns, and without colours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from mailtrust.cli.output import counted, fitted, say
from mailtrust.cli.prose import wide
from mailtrust.core.checks import Verdict
from mailtrust.core.model.event import Finding, Severity, when
from mailtrust.directory.place_name import place_name as place_name
from mailtrust.texts import Texts

if TYPE_CHECKING:
    # The audit shows its findings with us, also on Windows, where there is no journal.
    from mailtrust.agent.look import Assessment

EXIT_CODES = {Verdict.OK: 0, Verdict.WARNING: 1, Verdict.ERROR: 2, Verdict.UNKNOWN: 3}
"""As monitoring plugins have them."""

PLUGIN_WORDS = {
    Verdict.OK: "OK", Verdict.WARNING: "WARNING", Verdict.ERROR: "CRITICAL", Verdict.UNKNOWN: "UNKNOWN",
}  # fmt: skip
VERDICT_STYLE = {
    Verdict.OK: "bold green", Verdict.WARNING: "bold yellow", Verdict.ERROR: "bold red",
    Verdict.UNKNOWN: "bold magenta",
}  # fmt: skip
STYLE = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFORMATION: "bold cyan"}
LETTER = {Severity.ERROR: "E", Severity.WARNING: "W", Severity.INFORMATION: "I"}

Typed = Callable[[str], str]
"""Turns an action of a finding into the command as it has to be typed here."""


def first_line(seen: Assessment) -> str:
    """The line that a monitoring system shows, and the figures that it draws."""
    counts = dict.fromkeys(Severity, 0)
    for finding in seen.diagnosis.findings:
        counts[finding.severity] += 1
    replicas = {look.place for server in seen.scope for look in seen.view.replicas(server)}
    figures = (
        f"errors={counts[Severity.ERROR]} warnings={counts[Severity.WARNING]} "
        f"information={counts[Severity.INFORMATION]} servers={len(seen.scope)} replicas={len(replicas)}"
    )
    return f"MAILTRUST {PLUGIN_WORDS[seen.verdict]} - {_summary(seen)} | {figures}"


def show_assessment(seen: Assessment, shelf: Texts, typed: Typed) -> None:
    """The first line, every finding with its proof, and what was left out of the count."""
    say(first_line(seen), VERDICT_STYLE[seen.verdict])
    for finding in seen.diagnosis.findings:
        say()
        show_finding(finding, shelf, typed)
        explained = [one.finding for one in seen.diagnosis.silenced if one.explained_by is finding]
        _field(shelf.label("explains"), [brief(one) for one in explained])
    if not seen.diagnosis.findings and seen.verdict is not Verdict.UNKNOWN:
        say(shelf.label("all-quiet"))
    for finding in seen.acknowledged:
        say(f"acknowledged: {brief(finding)}", "dim")


def show_finding(finding: Finding, shelf: Texts, typed: Typed) -> None:
    """What, proof, what was ruled out, since when and until when, what to type."""
    head = f"{LETTER[finding.severity]} {finding.event.code} {finding.event.name}"
    say(f"{head}  {finding.server}", STYLE[finding.severity])
    _field("", [shelf.message(finding)])
    _field(shelf.label("cause"), [finding.cause] if finding.cause else [])
    _field(shelf.label("proof"), [shelf.say(said) for said in finding.evidence])
    _field(shelf.label("not"), [f"{one.cause}: {shelf.say(one.why)}" for one in finding.ruled_out])
    _field(shelf.label("since"), [when(finding.since)] if finding.since else [])
    _field(shelf.label("until"), [when(finding.until)] if finding.until else [])
    if finding.action:
        say(f"{_label(shelf.label('do'))}{typed(finding.action)}", "bold")
    elif finding.severity is not Severity.INFORMATION:
        _field(shelf.label("do"), shelf.user_action(finding))


def symbol(*, there: bool | None) -> Text:
    """There, not there, or could not look."""
    match there:
        case None:
            return Text("?", "magenta")
        case True:
            return Text("●", "green")
        case False:
            return Text("·", "dim")


def _summary(seen: Assessment) -> str:
    findings = [one for one in seen.diagnosis.findings if one.severity is not Severity.INFORMATION]
    if findings:
        rest = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
        return f"{brief(findings[0])}{rest}"
    if seen.verdict is Verdict.UNKNOWN:
        return "; ".join(_unseen(seen)) or "not everything could be looked at"
    return f"{counted(len(seen.scope), 'server')}, no error and no warning"


def _unseen(seen: Assessment) -> Iterator[str]:
    for server in seen.scope:
        home, store = seen.view.home(server), seen.view.store(server)
        if home is None or home.found is None:
            yield f"home of {server} could not be read{f': {home.why}' if home else ''}"
        elif store is not None and store.found is None:
            yield f"the store of {server} could not be read: {store.why}"


def brief(finding: Finding) -> str:
    """A finding in a few words: `hub3 12012 overdue on dc3`."""
    words = [finding.server.partition(".")[0], str(finding.event.code)]
    if finding.cause:
        words.append(finding.cause)
    if finding.place:
        words += ["on", place_name(finding.place)]
    return " ".join(words)


def _field(label: str, values: Iterable[str]) -> None:
    lead = _label(label)
    for value in values:
        say(fitted(lead, value, _label("")))
        lead = _label("")


def _label(text: str) -> str:
    return f"  {text}{' ' * (6 - wide(text))}  "
