"""What came of one hop: a line for each stage, the first that failed with its reason, and a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from mailtrust.core.events import catalog
from mailtrust.core.flow.stages import TIMED_LIMITS, Stage
from mailtrust.core.model.event import Event, Finding, Said, Severity
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.why import Conclusion, Owner


class State(StrEnum):
    """What came of one stage."""

    OK = "ok"
    SLOW = "slow"
    WARNING = "warning"
    """It was passed, and something is wrong there all the same."""
    FAILED = "failed"
    """The first that was not passed: what stands in the way."""
    FOLLOWS = "follows"
    """It was not passed either, for the same reason."""
    UNKNOWN = "unknown"
    """Could not look."""
    NOT_REACHED = "not-reached"


class How(StrEnum):
    """How we know."""

    SEEN = "seen"
    """In a session of our own."""
    CONCLUDED = "concluded"
    """From copies, for a session that cannot be run from here."""


class Verdict(StrEnum):
    """Whether mail goes."""

    FLOWS = "flows"
    SLOW = "slow"
    UNPROVEN = "unproven"
    """It goes, and not by the certificate: whoever came would be taken as well."""
    UNKNOWN = "unknown"
    BLOCKED = "blocked"


_ORDER = tuple(Verdict)


@dataclass(frozen=True, slots=True)
class Trouble:
    """An event at a stage, with what proves it and what to do."""

    stage: Stage
    event: Event
    why: Said
    act: Said
    command: str | None = None
    owner: Owner = Owner.PEER
    there: bool = False
    """The command is typed on the receiver's host."""
    evidence: tuple[Said, ...] = ()
    finding: Finding | None = None
    """Where a check says the same."""
    otherwise: Said | None = None
    """What would not help, or would do harm."""

    @property
    def cause(self) -> str | None:
        """The cause's code, where the event has causes."""
        return self.finding.cause if self.finding is not None else None

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.finding.severity if self.finding is not None else self.event.severity


def trouble_of(stage: Stage, found: Conclusion, otherwise: Event, *evidence: Said) -> Trouble:
    """A conclusion of `core.why` at a stage; *otherwise* is the event where no check has one."""
    finding = found.finding
    proof = (*(finding.evidence if finding is not None else ()), *found.evidence, *evidence)
    event = finding.event if finding is not None else otherwise
    return Trouble(
        stage, event, found.why, found.act, found.command, found.owner, found.there, proof, finding,
        found.otherwise,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One stage."""

    stage: Stage
    state: State
    how: How = How.SEEN
    took: timedelta | None = None
    """None where nothing was waited for."""
    words: str = ""
    """The server's own, or a value: they are the same in every language."""
    said: tuple[Said, ...] = ()

    @property
    def limit(self) -> timedelta | None:
        """Slower than that is slow; None where no time was taken."""
        return TIMED_LIMITS.get(self.stage) if self.took is not None else None


@dataclass(frozen=True, slots=True)
class Hop:
    """From one server to the next."""

    sender: ServerName
    receiver: ServerName
    endpoint: Endpoint | None
    """None where nobody says where the receiver listens."""
    lines: tuple[Line, ...]
    trouble: Trouble | None = None
    """What stands in the way."""
    warnings: tuple[Trouble, ...] = ()
    how: How = How.SEEN
    verdict: Verdict = Verdict.FLOWS
    route: Said | None = None
    """Why it is this next hop."""

    def line(self, stage: Stage) -> Line:
        """The line of a stage that it has."""
        return next(one for one in self.lines if one.stage is stage)


def worst(verdicts: tuple[Verdict, ...]) -> Verdict:
    """What holds for all of them together; nothing seen is unknown."""
    return max(verdicts, key=_ORDER.index, default=Verdict.UNKNOWN)


def slow(stage: Stage, took: timedelta, receiver: ServerName, where: str) -> Trouble:
    """12180: it came, and late."""
    values = {
        "server": receiver, "stage": stage.value, "endpoint": where,
        "took": said_time(took), "limit": said_time(TIMED_LIMITS[stage]),
    }  # fmt: skip
    finding = Finding(catalog.FLOW_STAGE_SLOW, receiver, where, values=values)
    said = Said("flow.slow", values)
    return Trouble(
        stage, catalog.FLOW_STAGE_SLOW, said, Said(_SLOW_AT.get(stage, "flow.act-slow-server"), values),
        finding=finding,
    )  # fmt: skip


_SLOW_AT = {
    Stage.RESOLVE: "flow.act-slow-name", Stage.CONNECT: "flow.act-slow-network",
    Stage.BANNER: "flow.act-slow-lookup", Stage.RCPT: "flow.act-slow-lookup",
}  # fmt: skip


def said_time(took: timedelta) -> str:
    """``12 ms`` or ``3.4 s``."""
    milliseconds = took / timedelta(milliseconds=1)
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"
