"""
The stories: what happens, minute by minute, and what must hold then, as the tables of `stories.md` have it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("stories.md")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a story."""

    minute: int
    happens: str
    """A sentence for people; empty where time alone passes."""
    events: tuple[str, ...] = ()
    """``start hub1``, ``cut dc3``, ``declare-dead dc3 8h`` …"""
    must: tuple[str, ...] = ()
    """``hub1 presents B``, ``dc2 holds AB``, ``hub1 waits spread``, ``rejected`` …"""


@dataclass(frozen=True, slots=True)
class Story:
    """A story, its world, and whether the guarantee covers it."""

    name: str
    title: str
    rows: tuple[Row, ...]
    inside: bool
    embedded: bool
    lags: tuple[int, ...]
    """By replica, in minutes."""
    hubs: tuple[bool, ...]
    """Which of the hosts look again for an unknown key; the others decide by tables."""


@cache
def stories() -> Mapping[str, Story]:
    """All of them, by name, in their order."""
    _, *parts = _FILE.read_text("utf-8").split("\n## ")
    return {story.name: story for story in map(_story, parts)}


def _story(text: str) -> Story:
    name, title, setting, table = (part.strip() for part in text.split("\n\n", 3))
    kind, directory, lags, readers = setting.split("; ")
    return Story(
        name,
        title,
        tuple(_rows(table)),
        inside=kind == "inside",
        embedded=directory == "embedded",
        lags=tuple(map(int, lags.split()[1:])),
        hubs=tuple(reader == "hub" for reader in readers.split()[1:]),
    )


def _rows(table: str) -> Iterator[Row]:
    for line in table.splitlines()[2:]:
        time, happens, events, must = (cell.strip() for cell in line.strip("|").split("|"))
        hours, minutes = time.split(":")
        yield Row(int(hours) * 60 + int(minutes), happens, _listed(events), _listed(must))


def _listed(cell: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in cell.split(",") if one.strip())
