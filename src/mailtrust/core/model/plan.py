"""What to do next, or what it waits on: plans are values that can be printed, compared and refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mailtrust.core.model.certificate import Fingerprint
from mailtrust.core.model.event import Said
from mailtrust.core.model.server import ServerName


class Phase(StrEnum):
    """Four acts and three waits; a rotation's phase is the first line of the checklist not ticked."""

    INSTALL = "install"
    PUBLISH = "publish"
    SPREAD = "spread"
    PRESENT = "present"
    SETTLE = "settle"
    WITHDRAW = "withdraw"
    FADE = "fade"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to hold still, and what may hold the switch back."""

    spread: timedelta = timedelta(0)
    """How long a replica must have held it before it counts as known there."""
    unreadable_blocks: bool = False
    """True: a replica that cannot be read holds the switch back; False: the readable ones decide."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """An intent: *server* should present *new*."""

    server: ServerName
    new: Fingerprint
    replica: str | None = None
    """Where to write; None: at the primary."""


@dataclass(frozen=True, slots=True)
class Install:
    """Make a key and a certificate for the server, and put them into its store."""

    server: ServerName


@dataclass(frozen=True, slots=True)
class Publish:
    """Put a certificate on the server's entry; at the primary where *replica* is None."""

    server: ServerName
    fingerprint: Fingerprint
    replica: str | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """Make a certificate the current one, so that the transport shows it from its next session on."""

    server: ServerName
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take a value out of the directory for good."""

    server: ServerName
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class Replicate:
    """Unite the replicas of an embedded directory once."""


@dataclass(frozen=True, slots=True)
class Restrict:
    """Take everybody else's right to read a key file away."""

    file: str


Action = Install | Publish | Present | Withdraw | Replicate | Restrict


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a line of the checklist is not ticked."""

    said: Said
    place: str = ""
    is_gap: bool = False
    """True where acting closes it; the rest is waited out."""
    until: datetime | None = None
    """The earliest moment at which it can end, where that is known."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The first line not ticked, what to do about it, and what stands in the way."""

    rotation: Rotation
    phase: Phase
    action: Action | None = None
    obstacles: tuple[Obstacle, ...] = ()
