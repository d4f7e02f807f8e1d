"""The mail servers: our hub, Postfix and Exim, and whom they believe."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from mailtrust.core.adopt.pairs import How, State
from mailtrust.core.checks import Verdict
from mailtrust.core.sessions import Reason, Way
from mailtrust.transports.hub.settings import Mode
from tools.json_shapes.copies import SilencedHere
from tools.json_shapes.kinds import Finding, Fingerprint, Moment, Strict, Told


class Hub(Strict, frozen=True):
    """Where the hub listens, once it is up."""

    schema: Literal["mailtrust.hub/1"]
    server: str
    bound: list[str]


class Queued(Strict, frozen=True):
    """A message that waits."""

    id: str
    sender: str
    recipients: list[str]
    size_bytes: int
    accepted_at: Moment
    attempts: int
    next_try: Moment
    hop: str | None
    last_reply: str | None
    why: str | None


class Queue(Strict, frozen=True):
    """What waits in the hub's queue, oldest first."""

    schema: Literal["mailtrust.queue/1"]
    messages: list[Queued]


class PostfixCheck(Strict, frozen=True):
    """What defeats direct trust in a Postfix."""

    schema: Literal["mailtrust.postfix-check/1"]
    checked_at: Moment
    verdict: Verdict
    server: str
    instance: str
    findings: list[Finding]
    silenced: list[SilencedHere]
    notes: list[str]


class ToType(Strict, frozen=True):
    """What comes next, and what to type for it."""

    what: str
    type: str


class PostfixSetup(Strict, frozen=True):
    """The lines of ours in master.cf; `changed` where they were written, `needed` where they differ."""

    schema: Literal["mailtrust.postfix-setup/1"]
    file: str
    changed: bool
    needed: bool
    diff: str
    next: list[ToType]


class PostfixLines(Strict, frozen=True):
    """Lines for master.cf and for a transport table, to be distributed by other means."""

    schema: Literal["mailtrust.postfix-setup/1"]
    master_cf: str
    transport: list[str]


class KeptLine(Strict, frozen=True):
    """A line that was edited by hand; not `in_force` where it stays as a comment."""

    line: str
    service: str
    in_force: bool


class PostfixUndo(Strict, frozen=True):
    """Our lines, taken out of master.cf."""

    schema: Literal["mailtrust.postfix-undo/1"]
    file: str
    changed: bool
    needed: bool
    diff: str
    kept: list[KeptLine]


class CompiledTable(Strict, frozen=True):
    """A table, and what was changed in it."""

    table: str
    file: str
    rows: int
    put: dict[str, str]
    gone: list[str]


class PostfixCompiled(Strict, frozen=True):
    """The tables, as home publishes them; with `--watch` a line each time that they are written."""

    schema: Literal["mailtrust.postfix-compile/1"]
    server: str
    replica: str | None
    taken_at: Moment | None
    changed: bool
    tables: list[CompiledTable]


class EximCompiled(Strict, frozen=True):
    """The files, as home publishes them."""

    schema: Literal["mailtrust.exim-compile/1"]
    server: str
    replica: str | None
    taken_at: Moment | None
    changed: bool
    folder: str
    put: list[str]
    gone: list[str]


class Deferred(Strict, frozen=True):
    """The last session that would have been deferred; digests as the mail server logs them."""

    at: Moment
    reason: Reason
    server: str | None
    fingerprint: str | None
    pin: str | None


class CountedPeer(Strict, frozen=True):
    """The sessions with one peer: how many would be taken, how many deferred, and why."""

    peer: str
    way: Way
    servers: list[str]
    mode: Mode
    would_accept: int
    would_defer: int
    reasons: dict[Reason, int]
    first_at: Moment
    last_at: Moment
    clean_days: int
    last_deferred: Deferred | None


class Report(Strict, frozen=True):
    """What enforcing would do to each peer."""

    schema: Literal["mailtrust.report/1"]
    server: str
    days: int
    peers: list[CountedPeer]
    notes: list[Told]


class Enforced(Strict, frozen=True):
    """The mode towards peers, and what was changed in the configuration."""

    schema: Literal["mailtrust.enforce/1"]
    file: str
    mode: Mode
    peers: list[str]
    all: bool
    changed: bool
    diff: str


class Instance(Strict, frozen=True):
    """A Postfix."""

    folder: str
    version: str


class Named(Strict, frozen=True):
    """A certificate by its names."""

    fingerprint: Fingerprint
    pin: Fingerprint


class AdoptHost(Strict, frozen=True):
    """A host; `published` is null where the directory could not be read."""

    host: str
    collected_at: Moment
    addresses: list[str] | None
    instances: list[Instance]
    certificates: list[Named]
    published: bool | None
    unread: list[str]


class Proof(Strict, frozen=True):
    """How one host knows another one, and by which line."""

    how: How
    by: str | None


class Pair(Strict, frozen=True):
    """Mail from one host to another; `collected` where the receiver's files were read."""

    sender: str = field(name="from")
    receiver: str = field(name="to")
    hops: list[str]
    collected: bool
    known_by: list[Proof]
    believes: list[Proof]
    next: Told | None


class WrittenFingerprint(Strict, frozen=True):
    """A fingerprint in a table, as it is written there."""

    host: str
    table: str
    fingerprint: str
    label: str
    function: str | None
    state: State
    owner: str | None
    next: Told | None


class Adoption(Strict, frozen=True):
    """How mail servers know each other today; `directory` is null where there is none to read."""

    schema: Literal["mailtrust.adopt/1"]
    directory: list[str] | None
    hosts: list[AdoptHost]
    pairs: list[Pair]
    fingerprints: list[WrittenFingerprint]
