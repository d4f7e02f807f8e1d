"""The three copies, as `check` and `status` show them, and what brings them together."""

from __future__ import annotations

from typing import Literal

from mailtrust.cli.export import Format
from mailtrust.core.checks import Verdict
from mailtrust.core.model.plan import Phase
from mailtrust.core.model.replication import Fate
from tools.json_shapes.kinds import Certificate, Finding, Fingerprint, Moment, Strict


class Presented(Strict, frozen=True):
    """One look at a listener; `found` is null where we could not look."""

    endpoint: str
    found: list[Fingerprint] | None
    why: str
    phase: str
    verb: str
    protocol: str
    asks_client_certificate: bool | None


class Behind(Strict, frozen=True):
    """What a replica does not show yet."""

    fingerprint: Fingerprint
    since: Moment
    due: Moment
    proof: Fate


class Published(Strict, frozen=True):
    """One look at a replica; `found` is null where we could not look."""

    replica: str
    found: list[Fingerprint] | None
    unparsable: list[Fingerprint]
    withdrawn: list[Fingerprint]
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


class SilencedHere(Strict, frozen=True):
    """A finding of one server that another one explains."""

    event: int
    explained_by: int
    place: str | None


class Silenced(SilencedHere, frozen=True):
    """A finding that another one explains."""

    server: str


class Check(Strict, frozen=True):
    """What is wrong, and what to type."""

    schema: Literal["mailtrust.check/1"]
    checked_at: Moment
    verdict: Verdict
    servers: list[Server]
    findings: list[Finding]
    silenced: list[Silenced]
    acknowledged: list[Finding]
    notes: list[str]


class Status(Strict, frozen=True):
    """The copies side by side, not judged but in `verdict`."""

    schema: Literal["mailtrust.status/1"]
    checked_at: Moment
    verdict: Verdict
    servers: list[Server]


class Fix(Strict, frozen=True):
    """What was to be done and was done, and what is wrong after it; with `--dry-run` nothing is done."""

    schema: Literal["mailtrust.fix/1"]
    planned: list[str]
    done: list[str]
    verdict: Verdict
    findings: list[Finding]


class WaitingFor(Strict, frozen=True):
    """A replica, or an empty text, and why what comes next waits for it."""

    replica: str
    why: str


class Enabled(Certificate, frozen=True):
    """The certificate that was enabled, and how far it came."""

    changed: bool
    phase: Phase
    replaced: Certificate | None
    waiting_for: list[WaitingFor]
    deferring: list[str]
    unread: list[str]


class Exported(Certificate, frozen=True):
    """The certificate that was written to a file."""

    file: str
    format: Format
    with_key: bool


class Request(Strict, frozen=True):
    """A request for a CA, in PEM; `key` is the kind of its key."""

    schema: Literal["mailtrust.request/1"]
    name: str
    key: str
    request: str


class Arrival(Strict, frozen=True):
    """Whether a replica has it; null where it could not be read, and then `why` says why."""

    replica: str
    has_it: bool | None
    why: str


class Wait(Strict, frozen=True):
    """Which replicas have this server's certificate."""

    schema: Literal["mailtrust.wait/1"]
    server: str
    certificate: Certificate
    complete: bool
    replicas: list[Arrival]
    waited_seconds: float


class Withdrawn(Strict, frozen=True):
    """What was withdrawn; `withdrawn_at` is when it had been before, where nothing was changed."""

    schema: Literal["mailtrust.withdraw/1"]
    server: str
    fingerprint: Fingerprint
    changed: bool
    withdrawn_at: Moment | None
    unseen: list[str]
