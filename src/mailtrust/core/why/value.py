"""The answer to "why does this mail not go?", as a value: seven questions, each with its answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Finding, RuledOut, Said
from mailtrust.core.model.server import ServerName
from mailtrust.core.why.stuck import Stuck


class Direction(StrEnum):
    """Who stands in the way of whom."""

    THEY_REFUSE = "they-refuse-us"
    WE_REFUSE = "we-refuse-them"
    NOBODY = "nobody-listens"
    ELSEWHERE = "not-about-trust"
    NONE = "nothing"


class Owner(StrEnum):
    """Whose job it is."""

    HERE = "this-host"
    PEER = "peer-administrator"
    DIRECTORY = "directory-administrator"
    NETWORK = "network-administrator"
    NOBODY = "nobody"
    """It mends itself: wait."""

    def said(self, peer: str) -> Said:
        """Who that is, for mail to *peer*."""
        return Said(_OWNERS[self], {"peer": peer})


_OWNERS = {
    Owner.HERE: "owner.here", Owner.PEER: "owner.peer", Owner.DIRECTORY: "owner.directory",
    Owner.NETWORK: "owner.network", Owner.NOBODY: "owner.nobody",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The cause, proved, and what follows from it."""

    code: str
    direction: Direction
    owner: Owner
    why: Said
    act: Said
    command: str | None = None
    """The exact command, without anybody's configuration."""
    finding: Finding | None = None
    """The event that proves it."""
    about: tuple[ServerName, Certificate] | None = None
    """The certificate whose copies disagree, and whose it is."""
    evidence: tuple[Said, ...] = ()
    otherwise: Said | None = None
    """What would not help, or would do harm."""
    until: datetime | None = None
    """When it ends by itself."""
    there: bool = False
    """The command is typed on the peer's host, and not on this one."""

    @property
    def is_trouble(self) -> bool:
        """False where nothing stands in the way any more."""
        return self.direction is not Direction.NONE


class Column(StrEnum):
    """Which copy."""

    INSTALLED = "installed"
    PRESENTED = "presented"
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True)
class Copy:
    """One place of the three copies: whether the certificate is there; None: could not look."""

    column: Column
    place: str
    there: bool | None


@dataclass(frozen=True, slots=True)
class Change:
    """Something that changed on either side."""

    at: datetime
    said: Said


@dataclass(frozen=True, slots=True)
class Why:
    """One answer."""

    asked: str
    here: ServerName
    peer: ServerName | None
    """None where the directory knows nobody there."""
    judged_at: datetime
    blocked: Stuck | None
    """None where no mail waits for it."""
    conclusion: Conclusion
    copies: tuple[Copy, ...] = ()
    proof: tuple[Said, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    changed: tuple[Change, ...] = ()
    """The latest first."""
    unseen: tuple[Said, ...] = ()
    """Where we could not look.  That is never "nothing is wrong there"."""
    looked: tuple[Said, ...] = ()
    """Where we looked and found nothing wrong, for an answer that says so."""
    fine: tuple[str, ...] = ()
    """Next hops for which nothing waits."""

    @property
    def reason(self) -> str:
        """The same for next hops that are blocked by one and the same cause."""
        finding = self.conclusion.finding
        return (
            f"{self.conclusion.code} {finding.incident if finding is not None else self.peer or self.asked}"
        )
