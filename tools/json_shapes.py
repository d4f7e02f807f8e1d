"""
The JSON that programs rely on, as types: docs/reference is generated from them.

`tests/docs/test_json.py` reads what the program really writes by these types and takes no field more or less.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from mailtrust.core.model.event import Severity
from mailtrust.core.model.sighting import Slot

Fingerprint = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="SHA-256, 64 hex digits")]
Moment = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", description="UTC, to the second")]


class Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """Every field is always there."""


class Certificate(Strict, frozen=True):
    """A certificate of the store: what `new` and `show` give, and `list` in an array."""

    fingerprint: Fingerprint
    pin: Fingerprint
    thumbprint: Annotated[str, Meta(pattern="^[0-9a-f]{40}$", description="SHA-1, as Windows shows it")]
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


class Presented(Strict, frozen=True):
    """One look at a listener; `found` is null where we could not look."""

    endpoint: str
    found: list[Fingerprint] | None
    why: str
    phase: str | None
    verb: str | None
    protocol: str | None
    asks_client_certificate: bool | None


class Behind(Strict, frozen=True):
    """What a replica does not show yet."""

    fingerprint: Fingerprint
    since: Moment
    due: Moment
    proof: str


class Published(Strict, frozen=True):
    """One look at a replica; `found` is null where we could not look."""

    replica: str
    found: list[Fingerprint] | None
    unparsable: list[str]
    withdrawn: list[str]
    why: str
    home: bool
    primary: bool
    since: dict[str, Moment]
    behind: list[Behind]


class Server(Strict, frozen=True):
    """The three copies of one server; `installed` is null where its store could not be seen."""

    server: str
    installed: list[Certificate] | None
    installed_why: str
    presented: list[Presented]
    published: list[Published]


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


class Silenced(Strict, frozen=True):
    """A finding that another one explains."""

    event: int
    explained_by: int
    server: str
    place: str | None


class Check(Strict, frozen=True):
    """What `check --json` gives."""

    schema: Literal["mailtrust.check/1"]
    checked_at: Moment
    verdict: Literal["ok", "warning", "unknown", "error"]
    servers: list[Server]
    findings: list[Finding]
    silenced: list[Silenced]
    acknowledged: list[Finding]
    notes: list[str]


class Blocked(Strict, frozen=True):
    """The mail that waits for one next hop."""

    hop: str | None
    domains: list[str]
    messages: int
    since: Moment
    bounces_at: Moment | None
    next_try: Moment | None
    complaint: str
    said: str | None


class Copy(Strict, frozen=True):
    """Whether a certificate is at a place; null where we could not look."""

    copy: Literal["installed", "presented", "published"]
    place: str
    there: bool | None


class Change(Strict, frozen=True):
    """What changed, and when."""

    at: Moment
    what: str


class Answer(Strict, frozen=True):
    """Why mail to one peer waits, and whose job it is."""

    asked: str
    server: str
    peer: str | None
    judged_at: Moment
    blocked: Blocked | None
    conclusion: str
    direction: Literal["they-refuse-us", "we-refuse-them", "nobody-listens", "not-about-trust", "nothing"]
    message: str
    event: int | None
    cause: str | None
    place: str | None
    fingerprint: Fingerprint | None
    owner: Literal[
        "this-host", "peer-administrator", "directory-administrator", "network-administrator", "nobody"
    ]
    action: str
    command: str | None
    typed_at: Literal["here", "peer"]
    otherwise: str | None
    until: Moment | None
    copies: list[Copy]
    proof: list[str]
    ruled_out: list[RuledOut]
    changed: list[Change]
    looked: list[str]
    unseen: list[str]


class Why(Strict, frozen=True):
    """What `why --json` gives, the answer that matters most first."""

    schema: Literal["mailtrust.why/1"]
    answers: list[Answer]
    fine: list[str]
    unseen: list[str]


SHAPES: dict[str, tuple[type[Strict], str]] = {
    "check": (Check, "mailtrust check --json"),
    "certificate": (Certificate, "mailtrust show CERTIFICATE --json"),
    "why": (Why, "mailtrust why hub2.example.test --json"),
}
"""Each schema's name, its type, and a command that writes it."""
