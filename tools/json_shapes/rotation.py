"""Rotations, and the agent that carries them to their end."""

from __future__ import annotations

from typing import Literal

from mailtrust.core.model.plan import Gate, Phase
from tools.json_shapes.kinds import Exact, Fingerprint, Spaced, Strict


class Obstacle(Strict, frozen=True):
    """What a step of a rotation waits for."""

    message: str
    place: str | None
    gate: Gate
    until: Spaced | None


class ChecklistLine(Strict, frozen=True):
    """One phase of a rotation."""

    phase: Phase
    ticked: bool
    obstacles: list[Obstacle]


class DeadReplica(Strict, frozen=True):
    """A replica that no rotation waits for."""

    replica: str
    until: Spaced
    reason: str


class Rotation(Strict, frozen=True):
    """A rotation's checklist; `why` and `new` are null where none is under way."""

    schema: Literal["mailtrust.rotation/1"]
    server: str
    why: str | None
    phase: Phase
    current: Fingerprint | None
    new: Fingerprint | None
    old: list[Fingerprint]
    action: str | None
    lines: list[ChecklistLine]
    dead: list[DeadReplica]


class RotationNow(Rotation, frozen=True):
    """The same, and how long it took until every listener presented the new one."""

    took_seconds: float


class RotationCompromised(Rotation, frozen=True):
    """The same, and until when a peer may believe the old keys."""

    believed_at_most_until: Spaced


class AgentWaits(Strict, frozen=True):
    """What the agent's next action waits for."""

    code: str
    place: str | None
    gate: Gate
    until: Exact | None


class AgentRound(Strict, frozen=True):
    """One server's round."""

    server: str
    done: list[str]
    failed: list[str]
    unread: list[str]
    why: str | None
    phase: Phase | None
    waits_for: list[AgentWaits]


class Agent(Strict, frozen=True):
    """What the agent did in one round."""

    schema: Literal["mailtrust.agent/1"]
    servers: list[AgentRound]


class Units(Strict, frozen=True):
    """The units for systemd, by their names."""

    schema: Literal["mailtrust.agent/1"]
    units: dict[str, str]
