"""The lab, and the simulation."""

from __future__ import annotations

from typing import Literal

from tools.json_shapes.copies import Server
from tools.json_shapes.kinds import Finding, Strict


class LabMoment(Strict, frozen=True):
    """A line each time that the lab is looked at, until it is closed."""

    schema: Literal["mailtrust.lab/1"]
    folder: str
    servers: list[Server]
    findings: list[Finding]
    mail: str
    dashboard: str | None


class LabMail(Strict, frozen=True):
    """What became of the mail, in messages."""

    sent: int
    authenticated: int
    delivered: int
    deferred: int
    refused: int
    waiting: int
    lost: int


class LabStory(Strict, frozen=True):
    """A story, told to its end."""

    schema: Literal["mailtrust.lab/1"]
    story: str
    seconds: float
    told: list[str]
    dashboard: str | None
    mail: LabMail


class StoryTitle(Strict, frozen=True):
    """A story; `inside` where it stays within what is promised."""

    name: str
    title: str
    inside: bool


class Stories(Strict, frozen=True):
    """The stories that there are."""

    schema: Literal["mailtrust.simulate/1"]
    stories: list[StoryTitle]


class StoryRow(Strict, frozen=True):
    """One moment of a story. Letters are certificates; null is a replica that cannot be read."""

    minute: int
    happens: str
    did: list[str]
    presents: list[str]
    published: dict[str, list[str] | None]
    rejected: int
    unmet: list[str]


class SimulatedStory(Strict, frozen=True):
    """A story, and whether it went as it has to."""

    schema: Literal["mailtrust.simulate/1"]
    story: str
    title: str
    inside: bool
    rows: list[StoryRow]
    holds: bool


class Broken(Strict, frozen=True):
    """A schedule that broke what has to hold."""

    seed: int
    what: str


class Shrunk(Broken, frozen=True):
    """The same, as short as it breaks it; each event is a word and two numbers."""

    setting: str
    events: list[tuple[str, int, int]]


class Searched(Strict, frozen=True):
    """Random schedules, from the seed `first` on."""

    schema: Literal["mailtrust.simulate/1"]
    first: int
    schedules: int
    rotations_finished: int
    rejected_outside: int
    broken: list[Broken]
    shrunk: list[Shrunk]


class Plotted(Strict, frozen=True):
    """A picture of sessions that were rejected: by each way, minutes of lag and how many."""

    schema: Literal["mailtrust.simulate/1"]
    plot: str
    rejected_by_lag: dict[str, list[tuple[int, int]]]
