"""What could be better, and what an organization with Exchange is like."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from mailtrust.core.advice import Profile
from mailtrust.core.advice.value import Area, Where
from mailtrust.core.checks import Verdict
from mailtrust.core.exchange.choice import Purpose
from mailtrust.core.exchange.judgement import Outcome, Use
from mailtrust.core.model.event import Severity
from mailtrust.core.model.sighting import WireFailure
from tools.json_shapes.kinds import (
    Fingerprint,
    Moment,
    NotLookedAt,
    RuledOut,
    Step,
    Strict,
    Thumbprint,
)

Language = Literal["en", "zh"]
RuleArea = Literal[
    "configuration", "certificates", "directory", "transports", "history", "exchange", "renewal",
    "performance", "event",
]  # fmt: skip


class Remedy(Strict, frozen=True):
    """Lines to type or to write, and where."""

    where: Where
    lines: list[str]


class Advice(Strict, frozen=True):
    """A rule or an event that holds; `key` is the same in two reports."""

    rule: str
    number: int
    title: str
    area: Area
    severity: Severity
    profiles: list[Profile]
    server: str
    place: str | None
    key: str
    event: int | None
    cause: str | None
    message: str
    why: str
    evidence: list[str]
    fix: str
    type: list[Remedy]
    steps: list[Step]
    until: Moment | None
    link: str


class KnownAdvice(Advice, frozen=True):
    """The same, acknowledged by somebody."""

    acknowledged_until: Moment
    reason: str


class AdviceLine(Strict, frozen=True):
    """What a former report advised."""

    key: str
    rule: str
    server: str
    message: str


class AdviceChanges(Strict, frozen=True):
    """What changed since a former report, by the keys of what is told now."""

    since: Moment
    new: list[str]
    gone: list[AdviceLine]
    still_there: list[str]
    not_judged_now: list[AdviceLine]
    not_judged_then: list[str]


class Analysis(Strict, frozen=True):
    """What could be better; `changes` is null where there is no report before it."""

    schema: Literal["mailtrust.analyze/1"]
    analyzed_at: Moment
    verdict: Verdict
    profile: Profile
    language: Language
    servers: list[str]
    rules: list[str]
    advice: list[Advice]
    acknowledged: list[KnownAdvice]
    not_looked_at: list[NotLookedAt]
    changes: AdviceChanges | None


class Rule(Strict, frozen=True):
    """A rule, or an event that is advice as well; `name` is the event's."""

    rule: str
    number: int
    title: str
    severity: Severity
    area: RuleArea
    profiles: list[Profile]
    why: str
    fix: str
    events: list[int]
    name: str | None
    link: str


class Acknowledged(Strict, frozen=True):
    """A rule or an event that is acknowledged from now on; of every server where none is named."""

    schema: Literal["mailtrust.acknowledged/1"]
    rule: str
    servers: list[str]
    until: Moment
    reason: str


class Rules(Strict, frozen=True):
    """The rules that there are."""

    schema: Literal["mailtrust.rules/1"]
    rules: list[Rule]


class Chosen(Strict, frozen=True):
    """The certificate that is presented."""

    thumbprint: Thumbprint
    fingerprint: Fingerprint
    subject: str
    issuer: str
    names: list[str]
    not_before: Moment
    not_after: Moment


class SaidStep(Strict, frozen=True):
    """A step of the choice; `code` is never translated."""

    code: str
    says: str


class Choice(Strict, frozen=True):
    """What one server presents; `chosen` is null where it presents none, or where that is not `known`."""

    server: str
    purpose: Purpose = field(name="for")
    name: str
    connector: str | None
    known: bool
    chosen: Chosen | None
    event: int | None
    steps: list[SaidStep]


class Which(Strict, frozen=True):
    """Which certificate each server presents for a name."""

    schema: Literal["mailtrust.which/1"]
    name: str
    choices: list[Choice]


class Organization(Strict, frozen=True):
    """Whose servers were looked at."""

    name: str
    dn: str
    forest: str


class SeenFrom(Strict, frozen=True):
    """From where, and as whom."""

    host: str
    account: str


class Controller(Strict, frozen=True):
    """A domain controller."""

    name: str
    url: str
    site: str | None
    in_site: bool
    read_only: bool
    asked: bool
    readable: bool
    why: str


class PresentedThere(Strict, frozen=True):
    """One look at a listener; `found` is null where we could not look."""

    endpoint: str
    verb: str
    found: list[Fingerprint] | None
    failure: WireFailure | None
    why: str
    seen_from: str | None


class Stamp(Strict, frozen=True):
    """The write of an attribute, as Active Directory numbers it."""

    by: str
    number: int
    version: int
    at: Moment


class PublishedThere(Strict, frozen=True):
    """One look at a controller; `found` is null where we could not look."""

    replica: str
    found: list[Fingerprint] | None
    unparsable: list[Fingerprint]
    why: str
    written: Stamp | None
    tells_writes: bool


class ExchangeServer(Strict, frozen=True):
    """A server of the organization, null where it was not told; `roles` are Exchange's own bits."""

    name: str
    server: str
    dn: str
    edge: bool
    roles: int
    version: str | None
    site: str | None
    takes_part_in_edgesync: bool | None
    installed: list[Fingerprint] | None
    presented: list[PresentedThere]
    published: list[PublishedThere]


class Leaf(Strict, frozen=True):
    """A certificate that was seen anywhere, under its fingerprint."""

    thumbprint: Thumbprint
    pin: Fingerprint
    subject: str
    issuer: str
    names: list[str]
    not_before: Moment
    not_after: Moment
    key: str
    signature_hash: str
    self_signed: bool


class Route(Strict, frozen=True):
    """What a finding does to mail of one kind; `reply` is what Exchange answers."""

    outcome: Outcome
    severity: Severity
    says: str
    event: int | None
    reply: str | None


class Hence(Strict, frozen=True):
    """A finding that follows from another one."""

    event: int
    name: str
    server: str
    severity: Severity


class Judgement(Strict, frozen=True):
    """A finding with its routes and what to type; `incident` is the same in two audits."""

    event: int
    name: str
    severity: Severity
    worst: Severity
    suspected: bool
    server: str
    place: str | None
    incident: str
    cause: str | None
    message: str
    cause_means: str | None
    evidence: list[str]
    ruled_out: list[RuledOut]
    routes: list[Route]
    hence: list[Hence]
    action: str | None
    steps: list[Step]
    since: Moment | None
    until: Moment | None


class ExplainedJudgement(Judgement, frozen=True):
    """The same, which another event explains."""

    explained_by: int


class Ending(Strict, frozen=True):
    """A certificate that ends within 90 days."""

    server: str
    use: Use
    fingerprint: Fingerprint
    thumbprint: Thumbprint
    not_after: Moment


class Replaced(Strict, frozen=True):
    """Certificates that are others than before."""

    server: str
    use: str
    was: list[str]
    now: list[str] = field(name="is")


class AuditChanges(Strict, frozen=True):
    """What changed since a former audit, by incidents."""

    since: Moment
    opened: list[str]
    closed: list[str]
    changed: list[str]
    not_looked_at_now: list[str]
    certificates: list[Replaced]


class Audit(Strict, frozen=True):
    """An organization with Exchange, from outside; `changes` is null where there is no audit before it."""

    schema: Literal["mailtrust.audit/1"]
    audited_at: Moment
    verdict: Verdict
    language: Language
    organization: Organization
    seen_from: SeenFrom
    controllers: list[Controller]
    servers: list[ExchangeServer]
    certificates: dict[str, Leaf]
    findings: list[Judgement]
    silenced: list[ExplainedJudgement]
    next_90_days: list[Ending]
    not_looked_at: list[NotLookedAt]
    changes: AuditChanges | None


class Collector(Strict, frozen=True):
    """The script that looks at an Exchange server; `file` is null where it was not written to one."""

    schema: Literal["mailtrust.collector/1"]
    file: str | None
    script: str
