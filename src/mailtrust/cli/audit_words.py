"""The words of the audit's page that a terminal and a browser share: head, grid, endings, changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from mailtrust.agent.last_run import Changes, Found
from mailtrust.cli.render import LETTER
from mailtrust.core.checks import Verdict
from mailtrust.core.exchange.case import some
from mailtrust.core.exchange.grid import Mark, Row, Shown
from mailtrust.core.exchange.judgement import Audit, Ending, Explained, Judgement, Route, Shell, Step, Use
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Said, Severity, when
from mailtrust.texts import Texts

MARKS = {Mark.HOLDS: "●", Mark.OTHER: "○", Mark.EMPTY: "·", Mark.GARBAGE: "!", Mark.UNREAD: "?"}
SHOWN = {
    Shown.PUBLISHED: "●", Shown.UNPUBLISHED: "≠", Shown.SEEN: "", Shown.NOT_OFFERED: "·", Shown.UNSEEN: "?",
}  # fmt: skip
_MOST_MARKS = 9
_DIGITS = 8
_SHELLS = {
    Shell.EXCHANGE: "shell.exchange", Shell.THERE: "shell.there", Shell.DOMAIN: "shell.domain",
    Shell.POWERSHELL: "shell.powershell", Shell.SAMBA: "shell.samba",
}  # fmt: skip
_VERDICTS = {
    Verdict.OK: "verdict-ok", Verdict.WARNING: "verdict-warning", Verdict.UNKNOWN: "verdict-unknown",
    Verdict.ERROR: "verdict-error",
}  # fmt: skip
_USES = {Use.INTERNAL: "use-internal", Use.STARTTLS: "use-starttls", Use.STORED: "use-stored"}


@dataclass(frozen=True, slots=True)
class Cells:
    """A row of the grid, in words."""

    server: str
    role: str
    release: str
    site: str
    directory: str
    internal: str
    public: str
    ends: str


def head(audit: Audit, texts: Texts) -> tuple[tuple[str, str], ...]:
    """Whose page it is, when it was made, and from where it was seen."""
    organization = audit.organization
    asked = [one for one in organization.controllers if one.asked]
    read = {
        "read": str(sum(one.readable for one in asked)),
        "asked": str(len(asked)),
        "known": str(len(organization.controllers)),
    }
    addresses = some(sorted(set(organization.sources.values())))
    where = f"({addresses})" if addresses else ""
    rows = (
        (texts.label("organization"), organization.name),
        (texts.label("forest"), organization.forest),
        (texts.label("audited"), when(audit.judged_at)),
        (texts.label("seen-from"), " ".join(filter(None, (organization.seen_from, where)))),
        (texts.label("account"), organization.account),
        (texts.label("controllers"), texts.say(Said("page.controllers", read)) if asked else ""),
    )
    return tuple((label, value) for label, value in rows if value)


def summary(audit: Audit, texts: Texts) -> str:
    """The verdict, and how much there is of what."""
    counts = Counter(one.finding.severity for one in audit.judgements)
    figures = ", ".join(f"{texts.label(f'severity-{one.value}')} {counts[one]}" for one in Severity)
    worse = sum(one.worst is not one.finding.severity for one in audit.judgements)
    more = texts.say(Said("page.worse-by-route", {"count": str(worse)})) if worse else ""
    return f"{texts.label(_VERDICTS[audit.verdict])} - {figures}{more}"


def loud(audit: Audit) -> tuple[Judgement, ...]:
    """What is told in full."""
    return tuple(one for one in audit.judgements if one.worst is not Severity.INFORMATION)


def quiet(audit: Audit) -> tuple[Judgement, ...]:
    """What is for information, and told in a line each."""
    return tuple(one for one in audit.judgements if one.worst is Severity.INFORMATION)


def titles(texts: Texts) -> Cells:
    """The head of the grid."""
    return Cells(
        texts.label("server"), texts.label("role"), texts.label("release"), texts.label("site"),
        texts.label("directory"), texts.label("presented"), "STARTTLS", texts.label("ends"),
    )  # fmt: skip


def cells(row: Row, texts: Texts) -> Cells:
    """One server in the grid."""
    server = row.server
    return Cells(
        server.name,
        texts.label("role-edge" if server.is_edge else "role-mailbox"),
        server.version.release if server.version else "-",
        server.site or "-",
        _marks(row.marks),
        _leaf(SHOWN[row.internal], row.internal_leaf if row.internal in _WITH_LEAF else None),
        _leaf(SHOWN[row.public], row.public_leaf),
        f"{row.ends:%Y-%m-%d}" if row.ends else "-",
    )


_WITH_LEAF = (Shown.PUBLISHED, Shown.UNPUBLISHED, Shown.SEEN)


def legend(audit: Audit, texts: Texts) -> tuple[str, ...]:
    """What the marks mean, and which controller each stands for."""
    asked = [one for one in audit.organization.controllers if one.asked]
    names = (f"{number} {one.name}" for number, one in enumerate(asked[:_MOST_MARKS], 1))
    which = texts.say(Said("page.marks", {"controllers": ", ".join(names)})) if asked else ""
    if len(asked) > _MOST_MARKS:
        which = texts.say(Said("page.marks-counted", {"count": str(len(asked))}))
    return tuple(filter(None, (texts.say(Said("page.legend")), which)))


def _marks(marks: tuple[Mark, ...]) -> str:
    if len(marks) <= _MOST_MARKS:
        return "".join(MARKS[one] for one in marks) or "-"
    counts = Counter(marks)
    return " ".join(f"{MARKS[one]}{counts[one]}" for one in Mark if counts[one])


def _leaf(mark: str, leaf: Certificate | None) -> str:
    name = leaf.thumbprint[:_DIGITS].upper() if leaf else ""
    return " ".join(filter(None, (mark, name)))


def title(one: Judgement, texts: Texts) -> str:
    """Severity, number, whom it is about, symbolic name."""
    finding = one.finding
    suspected = f" ({texts.label('suspected')})" if one.suspected else ""
    return (
        f"{LETTER[finding.severity]} {finding.event.code}  {finding.server}  {finding.event.name}{suspected}"
    )


def route(one: Route, texts: Texts) -> str:
    """What becomes of mail on a route, with the answer that it gets and what is logged at its other end."""
    logged = ""
    if one.event is not None and one.logged_at:
        names = some(name.partition(".")[0].upper() for name in one.logged_at)
        logged = texts.say(Said("page.logged", {"event": str(one.event.code), "servers": names}))
    more = "; ".join(filter(None, (one.reply, logged)))
    return f"{texts.say(one.said)}{f' ({more})' if more else ''}"


def hence(one: Judgement, explained: tuple[Explained, ...]) -> tuple[str, ...]:
    """What this server says because of it, and is not counted."""
    return tuple(
        f"{each.judgement.finding.event.code} {each.judgement.finding.event.name}"
        for each in explained
        if each.by is one
    )


def shells(steps: tuple[Step, ...], texts: Texts) -> tuple[str, ...]:
    """Where to type each; empty where there is nothing to type, or where the one before was typed."""
    places: list[str] = []
    before = ""
    for step in steps:
        place = texts.say(Said(_SHELLS[step.shell], {"server": step.on or "-"})) if step.commands else before
        places.append("" if place == before else place)
        before = place
    return tuple(places)


def ending(one: Ending, audit: Audit, texts: Texts) -> tuple[str, str, str, str]:
    """When, whose, what for, which."""
    left = (one.certificate.not_after - audit.judged_at).days
    return (
        f"{one.certificate.not_after:%Y-%m-%d} ({left:+d} d)",
        one.server,
        texts.label(_USES[one.use]),
        f"{one.certificate.thumbprint[:12].upper()} {one.certificate.subject}",
    )


def since(changes: Changes, texts: Texts) -> Iterator[str]:
    """What is new since the former run, a line each."""
    for label, found in (
        (texts.label("opened"), changes.opened),
        (texts.label("closed"), changes.closed),
        (texts.label("changed"), changes.changed),
        (texts.label("not-seen-now"), changes.unseen),
    ):
        yield from (f"{label}: {_found(one)}" for one in found)
    for each in changes.certificates:
        values = {
            "server": each.server,
            "use": each.use,
            "was": ", ".join(each.was) or "-",
            "now": ", ".join(each.now) or "-",
        }
        yield texts.say(Said("page.replaced", values))


def _found(one: Found) -> str:
    return f"{one.event} {one.server} {one.name}: {one.message}"
