"""Whether mail flows, whether it would, and why it does not."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from mailtrust.core.flow import How, Stage, State, Verdict
from mailtrust.core.model.event import Severity
from mailtrust.core.model.rehearsal import Verdict as Answered
from mailtrust.core.why.stuck import Complaint
from mailtrust.core.why.value import Column, Direction, Owner
from tools.json_shapes.kinds import Fingerprint, Moment, RuledOut, Strict

Typed = Literal["here", "peer"]


class StageLine(Strict, frozen=True):
    """One stage of a session, in milliseconds; null where it was not timed."""

    stage: Stage
    state: State
    how: How
    ms: float | None
    slow_over_ms: float | None
    words: str
    said: list[str]


class Trouble(Strict, frozen=True):
    """What stands in the way, or is wrong all the same; whose job it is, and what to type."""

    stage: Stage
    event: int
    name: str
    severity: Severity
    cause: str | None
    message: str
    event_message: str | None
    evidence: list[str]
    owner: Owner
    action: str
    command: str | None
    typed_at: Typed
    otherwise: str | None
    explain: str


class Hop(Strict, frozen=True):
    """One server's mail to the next one."""

    number: int
    sender: str = field(name="from")
    receiver: str = field(name="to")
    endpoint: str | None
    route: str | None
    how: How
    verdict: Verdict
    stages: list[StageLine]
    trouble: Trouble | None
    warnings: list[Trouble]


class Sent(Strict, frozen=True):
    """The message of `--send`, and how far it was seen to come."""

    id: str
    recipient: str
    arrived: bool
    place: str | None
    server: str | None
    waits: str | None


class Flow(Strict, frozen=True):
    """The way of mail, hop by hop; `event` and `stage` are of the first trouble."""

    schema: Literal["mailtrust.flow/1"]
    at: Moment
    sender: str = field(name="from")
    receiver: str = field(name="to")
    verdict: Verdict
    event: int | None
    stage: Stage | None
    hops: list[Hop]
    ends: str | None
    message: Sent | None
    notes: list[str]


class Side(Strict, frozen=True):
    """What a server's copies say of it as a receiver or as a sender."""

    verdict: Verdict
    how: How
    stage: Stage | None
    event: int | None


class Sides(Strict, frozen=True):
    """Both sides of a server."""

    server: str
    receives: Side
    sends: Side


class Reach(Side, frozen=True):
    """Mail of one server to another; `about` is whose trouble it is."""

    sender: str = field(name="from")
    receiver: str = field(name="to")
    about: str | None


class Matrix(Strict, frozen=True):
    """Who can reach whom; `pairs` is null beyond 100 servers, and follows from `servers`."""

    schema: Literal["mailtrust.flow-matrix/1"]
    at: Moment
    sender: str = field(name="from")
    verdict: Verdict
    counts: dict[Verdict, int]
    servers: list[Sides]
    seen: list[Hop]
    pairs: list[Reach] | None


class Rehearsed(Strict, frozen=True):
    """What a peer answered; `reply` is null where it could not be asked, and then `why` says why."""

    server: str
    endpoint: str
    verdict: Answered
    reply: str | None
    why: str
    event: int | None
    asked_for_certificate: bool
    presented: Fingerprint | None
    believed: bool | None
    at: Moment


class Rehearsal(Strict, frozen=True):
    """Whether peers would take mail by a certificate that is not presented yet."""

    schema: Literal["mailtrust.rehearsal/1"]
    server: str
    fingerprint: Fingerprint
    pin: Fingerprint
    verdict: Answered
    peers: list[Rehearsed]
    without_listeners: list[str]


class Blocked(Strict, frozen=True):
    """The mail that waits for one next hop."""

    hop: str | None
    domains: list[str]
    messages: int
    since: Moment
    bounces_at: Moment | None
    next_try: Moment | None
    complaint: Complaint
    said: str | None


class Copy(Strict, frozen=True):
    """Whether a certificate is at a place; null where we could not look."""

    copy: Column
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
    direction: Direction
    message: str
    event: int | None
    cause: str | None
    place: str | None
    fingerprint: Fingerprint | None
    owner: Owner
    action: str
    command: str | None
    typed_at: Typed
    otherwise: str | None
    until: Moment | None
    copies: list[Copy]
    proof: list[str]
    ruled_out: list[RuledOut]
    changed: list[Change]
    looked: list[str]
    unseen: list[str]


class Why(Strict, frozen=True):
    """Why mail waits, the answer that matters most first."""

    schema: Literal["mailtrust.why/1"]
    answers: list[Answer]
    fine: list[str]
    unseen: list[str]
