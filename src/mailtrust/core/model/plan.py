"""What to do next, or what it waits on: plans are values that can be printed, compared and refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mailtrust.core.model.certificate import Fingerprint, Pin
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


class Gate(StrEnum):
    """Of which kind what stands in the way is, and so who or what ends it."""

    POLICY = "policy"
    """Somebody's rule: an operator may declare a replica dead, or say that it shall be done all the same."""
    INVARIANT = "invariant"
    """
    It would break trust: what is presented is published everywhere, and what was withdrawn never returns.
    """
    EVIDENCE = "evidence"
    """Nobody could look, or a peer said no."""
    TIME = "time"
    """It ends by itself."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to hold still, and what may hold a step back."""

    spread: timedelta = timedelta(0)
    """How long a replica must have held it before it counts as known there."""
    settle: timedelta = timedelta(0)
    """How long every listener must have presented it before what it replaces may go."""
    look_max_age: timedelta = timedelta(minutes=5)
    """An older look proves nothing: whoever looked may have slept since."""
    unreadable_blocks: bool = False
    """True: a replica that cannot be read holds the switch back; False: the readable ones decide."""
    rehearses: bool = False
    """True: every peer is asked beforehand whether it would believe it."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """An intent: *server* should present *new*, and *old* may go once it does."""

    server: ServerName
    new: Fingerprint
    replica: str | None = None
    """Where to write; None: at the primary."""
    old: frozenset[Fingerprint] = frozenset()
    standing: bool = False
    """True: make it known everywhere, and no more: the standing successor."""
    compromised: bool = False
    """
    True: whoever has the old keys is not to be believed a moment longer than need be; nothing is waited
    for.
    """

    def undone(self, to: Fingerprint) -> Rotation:
        """The same the other way: *to* is presented again, and what replaced it goes."""
        return Rotation(self.server, to, self.replica, (self.old | {self.new}) - {to})


@dataclass(frozen=True, slots=True)
class Install:
    """Make a key and a certificate for the server, and put them into its store."""

    server: ServerName
    successor: bool = False
    """True: it is to be the next one."""


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
class Rehearse:
    """Ask every peer whether it would believe a certificate that is not presented yet; no mail is moved."""

    server: ServerName
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take a value out of the directory for good."""

    server: ServerName
    fingerprint: Fingerprint
    pin: Pin | None = None
    """Where the key was stolen: and whatever else carries it, wherever it turns up."""


@dataclass(frozen=True, slots=True)
class Replicate:
    """Unite the replicas of an embedded directory once."""


@dataclass(frozen=True, slots=True)
class Restrict:
    """Take everybody else's right to read a key file away."""

    file: str


Action = Install | Publish | Rehearse | Present | Withdraw | Replicate | Restrict


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a line of the checklist is not ticked."""

    said: Said
    place: str = ""
    gate: Gate = Gate.INVARIANT
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
