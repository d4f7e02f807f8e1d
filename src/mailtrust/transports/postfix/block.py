"""
Our lines in master.cf: found again later, and told from what others wrote between them.

They stand between two comments.  The second one is preceded by a digest of each line, so that an
edit by hand is seen line by line, whatever release wrote them and whatever the configuration says by now.
"""

from __future__ import annotations

import hashlib
import textwrap
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from mailtrust.errors import BadInput
from mailtrust.transports.postfix.master_cf import Entry, continues, entries, is_silent
from mailtrust.transports.postfix.ours import Wanted

BEGIN = "# mailtrust begin: written by `mailtrust postfix setup`, taken back by `mailtrust postfix undo`"
END = "# mailtrust end"
_DIGESTS = "# mailtrust sha256 "
_UNENDED = "# no line feed stood before these lines"
_LEFT = "# left by `mailtrust postfix undo`, because it was edited by hand; was in force for {key}"
_DIGEST_DIGITS, _COLUMNS = 10, 110


@dataclass(frozen=True, slots=True)
class Block:
    """Where our lines stand in a file, and which of them are as we wrote them."""

    start: int
    """The number of the first comment's line, from 0."""
    stop: int
    """The number of the line behind the last comment."""
    ours: frozenset[int]
    """Lines that are as we wrote them, our comments included."""
    edited: tuple[int, ...]
    """Lines between ours that somebody else wrote or changed; empty ones do not count."""
    missing: int
    """How many of our lines are not there any more."""

    @property
    def touched(self) -> bool:
        """True where somebody edited it."""
        return bool(self.edited or self.missing)


@dataclass(frozen=True, slots=True)
class Kept:
    """A line that undo leaves."""

    line: str
    """As it stood there."""
    key: str
    """The service that it was said of."""
    silenced: bool
    """True where it stays as a comment: alone it would be said of the service above it."""


@dataclass(frozen=True, slots=True)
class Undone:
    """A file without our lines."""

    text: str
    gone: frozenset[str] = frozenset()
    """The keys of our services."""
    kept: tuple[Kept, ...] = ()


def written(services: Iterable[Wanted], *, unended: bool = False) -> str:
    """The lines of *services* between our comments; *unended* where what is above had no line feed."""
    lines = [line for service in services for line in service.lines()]
    if unended:
        lines.insert(0, _UNENDED)
    digests = textwrap.wrap(" ".join(map(_digest, lines)), _COLUMNS - len(_DIGESTS))
    return "\n".join((BEGIN, *lines, *(_DIGESTS + some for some in digests), END)) + "\n"


def find(text: str) -> Block | None:
    """Our lines in *text*; None where there are none.  Raises: BadInput where our comments are damaged."""
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.rstrip() == BEGIN]
    ends = [number for number, line in enumerate(lines) if line.rstrip() == END]
    if not starts and not ends:
        return None
    if len(starts) != 1 or len(ends) != 1 or starts[0] > ends[0]:
        raise BadInput(
            "the comments around mailtrust's lines in master.cf are damaged: there must be one "
            f"{BEGIN[:17]!r} and, behind it, one {END!r}",
            hint="mend the comments, or take the lines out by hand",
        )
    start, end = starts[0], ends[0]
    inner = range(start + 1, end)
    notes = {number for number in inner if lines[number].startswith(_DIGESTS)}
    left = Counter(word for number in notes for word in lines[number].removeprefix(_DIGESTS).split())
    ours, edited = {start, end, *notes}, []
    for number in inner:
        if number in notes:
            continue
        digest = _digest(lines[number])
        if left[digest] > 0:
            left[digest] -= 1
            ours.add(number)
        elif lines[number].strip():
            edited.append(number)
    edited += _dragged_along(lines, end)
    return Block(start, end + 1, frozenset(ours), tuple(edited), left.total())


def with_block(text: str, services: Sequence[Wanted]) -> str:
    """*text* with *services*: in the place of our lines, else at the end.  Raises: BadInput as `find`."""
    block = find(text)
    if not services:
        return without_block(text).text
    if block is None:
        unended = bool(text) and not text.endswith("\n")
        gap = "\n" if unended else ""
        return f"{text}{gap}{written(services, unended=unended)}"
    lines = text.splitlines(keepends=True)
    unended = any(lines[number].rstrip() == _UNENDED for number in block.ours)
    return "".join((*lines[: block.start], written(services, unended=unended), *lines[block.stop :]))


def without_block(text: str, keys: Collection[str] = ()) -> Undone:
    """
    *text* without our lines; lines that somebody edited stay.

    An entry of somebody else's stays in force.  An edited line of one of our services stays as a comment:
    without its service it would be read as an option of whatever stands above it, and without our other
    options its service would be an open door.  Raises: BadInput as `find`, and where a service of ours, by
    one of *keys* or because no digest is left to tell, would stay in force.
    """
    block = find(text)
    if block is None:
        return Undone(text)
    lines = text.splitlines(keepends=True)
    bare = [line.rstrip("\n") for line in lines]
    owners = {number: entry for entry in entries(bare) for number in entry.numbers}
    out, kept = [], []
    for number, line in enumerate(lines):
        if number in block.ours:
            continue
        if number in block.edited:
            owner = owners.get(number)
            silenced = not is_silent(line) and (owner is None or _is_ours(owner, block))
            if silenced:
                out.append(f"{_LEFT.format(key=owner.key if owner else '?')}\n#")
            kept.append(Kept(bare[number], owner.key if owner else "", silenced))
        out.append(line)
    if len(out) == block.start and any(bare[number].rstrip() == _UNENDED for number in block.ours):
        out[-1:] = [one.removesuffix("\n") for one in out[-1:]]
    _refuse_half(lines, block, kept, keys)
    gone = frozenset(one.key for one in owners.values() if _is_ours(one, block))
    return Undone("".join(out), gone, tuple(kept))


def _refuse_half(lines: list[str], block: Block, kept: list[Kept], keys: Collection[str]) -> None:
    """Without our comments around it, a service of ours that stayed would never be found again."""
    signed = any(line.startswith(_DIGESTS) for line in lines[block.start : block.stop])
    stay = dict.fromkeys(one.key for one in kept if one.key and (one.key in keys or not signed))
    in_force = [key for key in stay if any(one.key == key and not one.silenced for one in kept)]
    if in_force:
        raise BadInput(
            f"nothing was changed: whether {', '.join(in_force)} is as mailtrust wrote it cannot be told any "
            f"more, because {_DIGESTS.strip()!r} of its lines is gone or every line was edited",
            hint="take these services out of master.cf by hand, with our comments around them; or put back "
            "the comments with digests as `mailtrust postfix setup --print` shows them, and undo again",
        )


def _is_ours(entry: Entry, block: Block) -> bool:
    """True for one of our services, also where its first line was edited: its options still tell."""
    return any(number in block.ours for number in entry.numbers)


def _dragged_along(lines: list[str], end: int) -> list[int]:
    """Continuation lines behind our last comment: they are said of our last service."""
    found = []
    for number in range(end + 1, len(lines)):
        line = lines[number]
        if is_silent(line):
            continue
        if not continues(line):
            break
        found.append(number)
    return found


def _digest(line: str) -> str:
    """Of what a line says: how far it is indented and spaced does not count, whether it is does."""
    said = (" " if continues(line) else "") + " ".join(line.split())
    return hashlib.sha256(said.encode()).hexdigest()[:_DIGEST_DIGITS]
