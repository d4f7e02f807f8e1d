"""What several shapes share."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from mailtrust.core.exchange.judgement import Shell
from mailtrust.core.model.event import Severity
from mailtrust.core.model.sighting import Slot

Fingerprint = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="SHA-256, 64 hex digits")]
Thumbprint = Annotated[str, Meta(pattern="^[0-9a-f]{40}$", description="SHA-1, as Windows shows it")]
Moment = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", description="UTC, to the second")]
Spaced = Annotated[
    str, Meta(pattern=r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$", description="UTC, with a space for the T")
]
Exact = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$",
        description="UTC, to the second or finer",
    ),
]


class Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """Every field is always there, but for those that say otherwise."""


class Certificate(Strict, frozen=True):
    """A certificate of the store."""

    fingerprint: Fingerprint
    pin: Fingerprint
    thumbprint: Thumbprint
    slot: Slot
    names: list[str]
    not_before: Moment
    not_after: Moment
    has_key: bool
    arrived_at: Moment
    key: str
    subject: str
    issuer: str
    self_signed: bool


class RuledOut(Strict, frozen=True):
    """A cause that it is not."""

    cause: str
    why: str


class Finding(Strict, frozen=True):
    """An event that holds now. `cause` is never translated; sentences are in the reader's language."""

    event: int
    name: str
    severity: Severity
    server: str
    place: str | None
    cause: str | None
    message: str
    evidence: list[str]
    ruled_out: list[RuledOut]
    action: str | None
    user_action: list[str]
    since: Moment | None
    until: Moment | None


class Step(Strict, frozen=True):
    """One thing to do. `shell` is null where nothing is to be typed, `on` where it is typed anywhere."""

    says: str
    commands: list[str]
    shell: Shell | None
    on: str | None
    asks: str | None
    may_break: list[str]
    mends: bool


class NotLookedAt(Strict, frozen=True):
    """What could not be looked at, and what to type for it."""

    what: str
    commands: list[str]


class Unreadable(Strict, frozen=True):
    """A replica, and why it could not be read; `why` is empty where it could."""

    replica: str
    why: str


class Told(Strict, frozen=True):
    """A sentence, and its code, which is never translated."""

    code: str
    message: str
