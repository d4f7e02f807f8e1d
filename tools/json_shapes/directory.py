"""The replicas."""

from __future__ import annotations

from typing import Literal

from mailtrust.directory.rights import Deed
from tools.json_shapes.kinds import Fingerprint, Moment, Spaced, Strict, Unreadable


class Dead(Strict, frozen=True):
    """A replica that counts as dead; with `--alive`, until now."""

    schema: Literal["mailtrust.dead/1"]
    replica: str
    until: Spaced
    reason: str


class Replica(Strict, frozen=True):
    """What a replica holds: null where it cannot be read; `site` and `read_only` of a controller alone."""

    replica: str
    home: bool
    primary: bool
    readable: bool
    why: str
    servers: int | None
    values: int | None
    withdrawn: int | None
    changed_at: Moment | None
    site: str | None
    read_only: bool | None
    partners: list[str]
    answered_in_seconds: float | None
    latency_seconds: float
    latency_measured_seconds: list[float]


class Directory(Strict, frozen=True):
    """The replicas."""

    schema: Literal["mailtrust.directory/1"]
    replicas: list[Replica]


class Replicate(Strict, frozen=True):
    """What each replica took in, by its URL, and which took no part."""

    schema: Literal["mailtrust.replicate/1"]
    changes: dict[str, int]
    skipped: list[Unreadable]
    complete: bool


class Delivered(Strict, frozen=True):
    """A line for what one replica took in from another one."""

    at: Moment
    source: str
    target: str
    changes: int


class Reached(Unreadable, frozen=True):
    """A line for a replica that cannot be reached any more; or can again, and `why` is empty."""

    at: Moment


class Put(Strict, frozen=True):
    """Bytes that were put on an entry."""

    schema: Literal["mailtrust.put/1"]
    server: str
    replica: str
    fingerprint: Fingerprint


class Pulled(Strict, frozen=True):
    """What a replica lacks, whether it was told to fetch it, and else what can be typed."""

    replica: str
    lacks: Fingerprint
    source: str
    told: bool
    why: str
    commands: list[str]


class Pull(Strict, frozen=True):
    """The replicas that lack something."""

    schema: Literal["mailtrust.pull/1"]
    server: str
    replicas: list[Pulled]


class Trial(Strict, frozen=True):
    """What this server's account tried; `allowed` and `right` are null where it could not be tried."""

    deed: Deed
    entry: str
    allowed: bool | None
    should_be: bool
    right: bool | None
    why: str


class Rights(Strict, frozen=True):
    """What this server's account may write."""

    schema: Literal["mailtrust.directory-check/1"]
    replica: str
    right: bool
    trials: list[Trial]
