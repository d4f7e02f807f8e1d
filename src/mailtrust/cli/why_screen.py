"""
The screen at three in the morning: seven answers within 20 lines of 80 columns.

What is known and does not fit is left to --json, never the cause, what to do, or what could not be seen.
Names are shortened to their first label where that is clear; a command is never shortened, and where it is
longer than a line it goes on behind a backslash, so that it can be pasted as it stands.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mailtrust.agent.why import Answers
from mailtrust.cli.prose import wide, wrapped
from mailtrust.cli.render import place_name
from mailtrust.core.model.event import RuledOut, Said, when
from mailtrust.core.model.sighting import View
from mailtrust.core.why import Column, Copy, Direction, Owner, Why
from mailtrust.texts import Texts

LINES, COLUMNS = 20, 80
_LABEL_COLUMNS, _NAME_COLUMNS = 9, 22
_LABEL_CHARACTERS = 24
_NAME_LENGTHS = (_LABEL_CHARACTERS, 18, 12)
_MARK_COLUMNS = 2
"""A Chinese mark stays with the word before it."""
# Chinese breaks between characters, so a word of it is never too long.
_WORD = re.compile(r"[^\s\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60]+")
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d):\d\dZ")
_BETWEEN = " | "
_MARK = {True: "●", False: "·", None: "?"}
_LEAVE_OUT = (
    ("changed", 3), ("looked", 3), ("not", 3), ("proof", 4), ("changed", 2), ("not", 2), ("proof", 3),
    ("else", 2), ("unseen", 2), ("changed", 1), ("not", 1), ("proof", 2), ("else", 1), ("looked", 1),
    ("unseen", 1), ("proof", 1), ("changed", 0), ("not", 0),
)  # fmt: skip
"""Which answer is cut down first, and to how many items."""

Typed = Callable[[str], str]
"""Turns a command of ours into what has to be typed here."""


@dataclass(slots=True)
class _Section:
    """One answer: its label and its lines, item by item."""

    kind: str
    label: str
    items: list[str] = field(default_factory=list)
    command: str = ""
    left_out: int = 0

    def lines(self, columns: int) -> list[str]:
        lead, blank = _padded(self.label), " " * _LABEL_COLUMNS
        found: list[str] = []
        for at, item in enumerate(self.items):
            more = f" (+{self.left_out})" if self.left_out and at == len(self.items) - 1 else ""
            found += wrapped(
                _fitted(item + more, columns - _LABEL_COLUMNS - _MARK_COLUMNS), columns, lead, blank
            ).splitlines()
            lead = blank
        return found + (_typed_lines(self.command, columns) if self.command else [])


def screen(answers: Answers, shelf: Texts, typed: Typed, columns: int = COLUMNS) -> str:
    """The answer that matters most, in full, and a line about the others."""
    if not answers.found:
        return _empty(answers, shelf, columns)
    first, others = answers.found[0], answers.found[1:]
    words = _Words(shelf, _Names(answers.view, first.judged_at.strftime("%Y-%m-%d")), columns)
    sections = [one for one in _sections(first, others, words, typed) if one.items]
    _shorten(sections, columns)
    return "\n".join((_head(first, shelf, columns), *_all_lines(sections, columns)))


def _head(one: Why, shelf: Texts, columns: int) -> str:
    values = {"asked": one.asked, "server": str(one.here), "at": when(one.judged_at)}
    head = shelf.say(Said("blocked.head", values))
    if wide(head) <= columns:
        return head
    short = {name: _middle(value, _NAME_COLUMNS) for name, value in values.items()}
    return shelf.say(Said("blocked.head", short))


def _empty(answers: Answers, shelf: Texts, columns: int) -> str:
    sections = [_Section("why", shelf.label("why-why"), [shelf.say(Said("why.queue-empty"))])]
    if answers.fine:
        fine = Said("else.fine", {"hops": ", ".join(answers.fine)})
        sections.append(_Section("looked", shelf.label("why-looked"), [shelf.say(fine)]))
    sections.append(_Section("do", shelf.label("why-do"), [shelf.say(Said("act.nothing"))]))
    return "\n".join(_all_lines(sections, columns)[:LINES])


def _sections(one: Why, others: Sequence[Why], words: _Words, typed: Typed) -> list[_Section]:
    label, found = words.shelf.label, one.conclusion
    command = found.command or ""
    if command.startswith("mailtrust ") and not found.there:
        command = typed(command)
    do = words.say(found.act)
    if found.is_trouble:
        owner = words.say(found.owner.said(one.peer or one.asked))
        do = f"[{owner}] {do}"
    trouble = found.is_trouble
    return [
        _Section("blocked", label("why-blocked"), [_blocked(one, words)]),
        _Section("why", label("why-why"), [_cause(one, words), *_copies(one, words)]),
        _Section("proof", label("why-proof"), [words.say(said) for said in one.proof] if trouble else []),
        _Section("not", label("why-not"), [words.ruled_out(out) for out in one.ruled_out]),
        _Section("looked", label("why-looked"), [] if trouble else [words.say(said) for said in one.looked]),
        _Section("unseen", label("why-unseen"), [words.say(said) for said in one.unseen]),
        _Section("changed", label("why-changed"), [words.say(change.said) for change in one.changed]),
        _Section("do", label("why-do"), [do], command=command),
        _Section("else", label("why-else"), _otherwise(one, others, words, typed)),
    ]


def _blocked(one: Why, words: _Words) -> str:
    held = one.blocked
    hop = held.hop if held is not None else ""
    route = one.peer or hop or one.asked
    if hop.rpartition(":")[0].strip("[]") == route:
        route = hop
    elif hop and hop != route:
        route = f"{route} ({hop})"
    if held is None:
        return words.fill(Said("blocked.none", {"route": route}))
    values = {"route": route, "count": str(held.count), "since": when(held.since)}
    if held.bounces_at is None:
        return words.fill(Said("blocked.waiting-on", values))
    return words.fill(Said("blocked.waiting", {**values, "bounces": when(held.bounces_at)}))


def _cause(one: Why, words: _Words) -> str:
    finding, text = one.conclusion.finding, words.say(one.conclusion.why)
    if finding is None:
        return text
    event = f"{finding.event.code} {finding.cause}" if finding.cause else str(finding.event.code)
    return f"[{event}] {text}"


def _copies(one: Why, words: _Words) -> list[str]:
    """The three copies in a line: whole, with shorter names, or only what lacks it and how many have it."""
    if one.conclusion.about is None or not one.copies:
        return []
    server, leaf = one.conclusion.about
    lacking = [copy for copy in one.copies if copy.there is not True]
    having = len(one.copies) - len(lacking)
    counted = [f"{having} ●"] if having else []
    for length in _NAME_LENGTHS:
        head = f"{_middle(words.names.short(server), length)} {leaf.fingerprint[:12]}: "
        room = words.columns - _LABEL_COLUMNS - wide(head)
        for copies, rest in ((one.copies, []), (lacking, counted)):
            marks = [f"{_middle(words.place(copy), length)} {_MARK[copy.there]}" for copy in copies]
            line = _BETWEEN.join((*marks, *rest))
            if wide(line) <= room:
                return [head + line]
    while marks and wide(_BETWEEN.join((*marks, *counted, "…"))) > room:
        marks.pop()
    return [head + _BETWEEN.join((*marks, *counted, "…"))]


def _otherwise(one: Why, others: Sequence[Why], words: _Words, typed: Typed) -> list[str]:
    found = [words.say(one.conclusion.otherwise)] if one.conclusion.otherwise is not None else []
    for other in others[:2]:
        count = other.blocked.count if other.blocked is not None else 0
        hop = words.names.short(other.peer) if other.peer else other.asked
        # What a peer has to mend, the next peer has to mend as well.
        alike = other.conclusion.code == one.conclusion.code and one.conclusion.owner is not Owner.PEER
        same = other.reason == one.reason or alike
        command = typed(f"mailtrust why {other.peer or other.asked}")
        said = Said(
            "else.also" if same else "else.another", {"count": str(count), "hop": hop, "command": command}
        )
        found.append(words.fill(said))
    if others[2:]:
        found.append(words.say(Said("else.more", {"count": str(len(others) - 2)})))
    if one.fine:
        found.append(words.say(Said("else.fine", {"hops": ", ".join(one.fine)})))
    held = one.blocked
    if held is not None and held.bounces_at is not None and one.conclusion.is_trouble:
        found.append(words.say(Said("else.bounce", {"at": when(held.bounces_at)})))
    return found


def _shorten(sections: list[_Section], columns: int) -> None:
    """Leave out what matters least, item by item, until it fits; what was left out is counted."""
    by_kind = {one.kind: one for one in sections}
    for kind, keep in _LEAVE_OUT:
        section = by_kind.get(kind)
        while (
            section is not None and len(section.items) > keep and len(_all_lines(sections, columns)) >= LINES
        ):
            section.items.pop()
            section.left_out += 1


def _all_lines(sections: Iterable[_Section], columns: int) -> list[str]:
    return [line for one in sections for line in one.lines(columns)]


@dataclass(frozen=True, slots=True)
class _Words:
    """Sentences as this screen says them: short names, and the date only where it is another day."""

    shelf: Texts
    names: _Names
    columns: int

    def say(self, said: Said) -> str:
        return self.names.shortened(self.fill(said))

    def fill(self, said: Said) -> str:
        return self.names.dated(self.shelf.say(said))

    def ruled_out(self, one: RuledOut) -> str:
        """A direction is said in the sentence itself; a cause goes by its code, which is never translated."""
        said = self.say(one.why)
        return said if one.cause in list(Direction) else f"{one.cause}: {said}"

    def place(self, copy: Copy) -> str:
        match copy.column:
            case Column.INSTALLED:
                return self.shelf.say(Said("copy.installed"))
            case Column.PRESENTED:
                return self.shelf.say(Said("copy.presented"))
            case Column.PUBLISHED:
                return self.names.shortened(copy.place)


class _Names:
    """Every name on the screen, by what is written for it."""

    def __init__(self, view: View, today: str) -> None:
        servers = view.servers()
        urls = {look.place for server in servers for look in view.replicas(server)}
        self._short = {**_unique(urls, place_name), **_unique(servers, _label)}
        words = "|".join(re.escape(one) for one in sorted(self._short, key=len, reverse=True))
        self._pattern = re.compile(rf"(?<![\w./@-])(?:{words})(?![\w-]|\.\w)") if words else None
        self._today = today

    def short(self, name: str) -> str:
        return self._short.get(name, name)

    def shortened(self, text: str) -> str:
        return self._pattern.sub(lambda found: self._short[found[0]], text) if self._pattern else text

    def dated(self, text: str) -> str:
        def told(found: re.Match[str]) -> str:
            if found[1] == self._today:
                return found[0].partition(" ")[2]
            same_year = found[1][:4] == self._today[:4]
            return f"{found[1][5:] if same_year else found[1]} {found[2]}Z"

        return _STAMP.sub(told, text)


def _label(name: str) -> str:
    """The first label of a name; an address is one whole."""
    return name if name.rpartition(".")[2].isdecimal() else name.partition(".")[0]


def _unique(names: Iterable[str], short: Callable[[str], str]) -> dict[str, str]:
    found = {name: _middle(short(name), _LABEL_CHARACTERS) for name in names}
    used = Counter(found.values())
    return {name: brief if used[brief] == 1 else name for name, brief in found.items()}


def _fitted(text: str, columns: int) -> str:
    """Words that are longer than a line, with their middle left out."""
    return _WORD.sub(lambda found: _middle(found[0], columns), text)


def _middle(word: str, columns: int) -> str:
    if wide(word) <= columns:
        return word
    head, tail = word[: columns // 2], word[-(columns // 2) :]
    while wide(head) + wide(tail) >= columns:
        head, tail = (head[:-1], tail) if wide(head) >= wide(tail) else (head, tail[1:])
    return f"{head}…{tail}"


def _typed_lines(command: str, columns: int) -> list[str]:
    """A command as it can be pasted: between words it goes on indented, within one at the very beginning."""
    room = columns - _LABEL_COLUMNS - 2
    lines, line = [], ""
    for word in command.split(" "):
        if line and len(line) + 1 + len(word) > room:
            lines.append(f"{line} \\")
            line = ""
        line = f"{line} {word}" if line else word
    lines.append(line)
    found: list[str] = []
    for at, text in enumerate(lines):
        lead = " " * (_LABEL_COLUMNS + (2 if at else 0))
        # A long word may begin at the very left: that keeps it whole more often.
        whole = lead + text if len(lead + text) <= columns else text
        while len(whole) > columns:
            found.append(f"{whole[: columns - 1]}\\")
            whole = whole[columns - 1 :]
        found.append(whole)
    return found


def _padded(label: str) -> str:
    return label + " " * (_LABEL_COLUMNS - wide(label))
