"""The audit on a terminal: what is wrong first, in 80 columns, with commands that can be copied whole."""

from __future__ import annotations

from dataclasses import astuple

from rich.table import Table
from rich.text import Text

from mailtrust.agent.last_run import Changes
from mailtrust.cli import audit_words as words
from mailtrust.cli.fields import LEAD, commands, field, lines, section, step
from mailtrust.cli.output import say, show
from mailtrust.cli.prose import wide
from mailtrust.cli.render import STYLE, VERDICT_STYLE
from mailtrust.core.clean import clean
from mailtrust.core.exchange.judgement import Audit, Judgement
from mailtrust.core.model.event import Said, when
from mailtrust.texts import Texts

_STYLES = {"●": "green", "○": "yellow", "·": "yellow", "!": "bold red", "?": "magenta", "≠": "bold red"}
_MOST_SERVER, _MOST_SITE = 15, 8
_MARGIN = LEAD + 3


def show_page(audit: Audit, texts: Texts, changes: Changes | None) -> None:
    """All of it."""
    say(words.summary(audit, texts), VERDICT_STYLE[audit.verdict])
    rows = words.head(audit, texts)
    widest = max(wide(label) for label, _ in rows)
    for label, value in rows:
        say(f"{label}{' ' * (widest - wide(label))}  {value}")
    if audit.grid:
        say()
        show(_grid(audit, texts))
        lines(words.legend(audit, texts), style="dim")
    for one in words.loud(audit):
        say()
        _judgement(one, audit, texts)
    section(texts.label("for-information"), (_in_a_line(one, texts) for one in words.quiet(audit)))
    _endings(audit, texts)
    _unseen(audit, texts)
    if changes is not None:
        said = texts.say(Said("page.since", {"at": when(changes.since)}))
        section(said, tuple(words.since(changes, texts)) or (texts.say(Said("page.nothing-new")),))


def _grid(audit: Audit, texts: Texts) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for title in astuple(words.titles(texts)):
        table.add_column(title, no_wrap=True, overflow="ellipsis")
    table.columns[0].max_width, table.columns[3].max_width = _MOST_SERVER, _MOST_SITE
    for row in audit.grid:
        each = words.cells(row, texts)
        late = row.ends is not None and row.ends < audit.judged_at
        table.add_row(
            clean(each.server), each.role, each.release, clean(each.site),
            _coloured(each.directory), _coloured(each.internal), _coloured(each.public),
            Text(each.ends, "red" if late else ""),
        )  # fmt: skip
    return table


def _coloured(text: str) -> Text:
    return Text.assemble(*((one, _STYLES.get(one, "")) for one in text))


def _judgement(one: Judgement, audit: Audit, texts: Texts) -> None:
    finding = one.finding
    say(words.title(one, texts), STYLE[one.worst])
    field("", [texts.say(one.said)])
    if one.cause:
        field(texts.label("cause"), [": ".join(filter(None, (finding.cause, texts.say(one.cause))))])
    field(texts.label("mail"), (words.route(route, texts) for route in one.routes))
    field(texts.label("proof"), map(texts.say, finding.evidence))
    field(texts.label("not"), (f"{out.cause}: {texts.say(out.why)}" for out in finding.ruled_out))
    field(texts.label("explains"), words.hence(one, audit.explained))
    field(texts.label("since"), [when(finding.since)] if finding.since else [])
    for number, (one_step, where) in enumerate(
        zip(one.steps, words.shells(one.steps, texts), strict=True), 1
    ):
        step(number, one_step, where, texts.label("do"), texts, _MARGIN)


def _in_a_line(one: Judgement, texts: Texts) -> str:
    return f"{one.finding.event.code} {one.finding.server}: {texts.say(one.said)}"


def _endings(audit: Audit, texts: Texts) -> None:
    ends = [", ".join(words.ending(one, audit, texts)) for one in audit.endings]
    section(texts.label("next-90-days"), ends or (texts.say(Said("page.nothing-ends")),))
    if ends:
        lines([texts.say(Said("page.before-update"))])


def _unseen(audit: Audit, texts: Texts) -> None:
    say()
    say(texts.label("not-looked-at"), "bold")
    for one in audit.unseen:
        lines([texts.say(one.said)])
        commands(one.commands, _MARGIN, "")
