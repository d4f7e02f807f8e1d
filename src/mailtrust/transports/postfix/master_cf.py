"""
master.cf as text: which physical lines make up which entry (master(5)).

An entry begins in the first column and goes on in lines that begin with a blank; comments and empty lines
belong to nobody, also where they stand between the lines of one entry.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One logical line."""

    head: int
    """The number of its first line, from 0."""
    rest: tuple[int, ...]
    """Those of its continuation lines."""
    key: str
    """Name and kind, as ``hub/unix``."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """All of its lines."""
        return (self.head, *self.rest)


def entries(lines: list[str]) -> tuple[Entry, ...]:
    """The entries of a file, in their order; what is no entry is skipped, as Postfix does."""
    found: list[tuple[int, list[int], str]] = []
    for number, line in enumerate(lines):
        if is_silent(line):
            continue
        if continues(line):
            if found:
                found[-1][1].append(number)
            continue
        words = line.split()
        found.append((number, [], "/".join(words[:2])))
    return tuple(Entry(head, tuple(rest), key) for head, rest, key in found)


def is_silent(line: str) -> bool:
    """True for a comment and an empty line."""
    text = line.strip()
    return not text or text.startswith("#")


def continues(line: str) -> bool:
    """True for a line that belongs to the entry above it, if it says anything."""
    return line[:1].isspace()
