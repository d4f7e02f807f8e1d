"""
What the audit says: findings with the routes that they concern and with what to type, on one page.

A finding's own severity is that of the event as Exchange would log it on that server.  What it does to mail
differs by route: mailbox servers believe each other by Kerberos and never compare the published certificate,
while an Edge server, which no domain knows, is believed by that certificate alone.  So each route has a
severity of its own, and the event that the server at its other end would log.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from mailtrust.core.checks import Verdict
from mailtrust.core.events import catalog
from mailtrust.core.exchange.facts import Organization
from mailtrust.core.exchange.grid import Row
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Event, Finding, Said, Severity
from mailtrust.core.model.server import ServerName

RANK = {Severity.INFORMATION: 0, Severity.WARNING: 1, Severity.ERROR: 2}


class Outcome(StrEnum):
    """What becomes of mail, or of EdgeSync, on a route."""

    FLOWS = "flows"
    REFUSED = "refused"
    ANONYMOUS = "anonymous"
    """It is let in as a stranger, and gets what strangers get."""
    UNSURE = "unsure"


_SEVERITIES = {
    Outcome.FLOWS: Severity.INFORMATION,
    Outcome.REFUSED: Severity.ERROR,
    Outcome.ANONYMOUS: Severity.ERROR,
    Outcome.UNSURE: Severity.WARNING,
}


@dataclass(frozen=True, slots=True)
class Route:
    """One way that mail takes, and what the finding does to it."""

    outcome: Outcome
    said: Said
    event: Event | None = None
    """What the server at *logged_at* writes into its event log about it."""
    logged_at: tuple[ServerName, ...] = ()
    reply: str = ""
    """What the sender's queue shows: ``454 4.7.5``."""

    @property
    def severity(self) -> Severity:
        """How bad it is for mail on this route."""
        return _SEVERITIES[self.outcome]


class Shell(StrEnum):
    """Where a command is to be typed."""

    EXCHANGE = "exchange"
    """The Exchange Management Shell, on any server or on an administrator's host."""
    THERE = "there"
    """The Exchange Management Shell on that very server: an Edge, or one that takes no -Server."""
    DOMAIN = "domain"
    """An elevated prompt with the directory's tools, as one who may start replication."""
    POWERSHELL = "powershell"
    """Any PowerShell on the host that looked."""
    SAMBA = "samba"
    """A shell on a controller that is Samba."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do."""

    said: Said
    """What it does, and when to skip it."""
    commands: tuple[str, ...] = ()
    shell: Shell = Shell.EXCHANGE
    on: str = ""
    """The server, where it has to be typed there."""
    asks: Said | None = None
    """What the shell will ask, and which answer to give."""
    risks: tuple[Said, ...] = ()
    """What it may break."""
    mends: bool = False
    """True for what ends the finding; the others look, or prepare."""


_CAUSES = {
    catalog.NO_CERTIFICATE: "cause.no-certificate",
    catalog.NOT_ENABLED: "cause.not-enabled",
    catalog.NOT_WRITTEN: "cause.not-written",
    catalog.OVERDUE: "cause.overdue",
    catalog.EDGE_NOT_RESUBSCRIBED: "cause.edge-not-resubscribed",
    catalog.EDGE_FELL_BACK: "cause.edge-fell-back",
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A finding, in words of the audit's own, with its routes and what to do."""

    finding: Finding
    said: Said
    """What happened, and to whom."""
    routes: tuple[Route, ...] = ()
    steps: tuple[Step, ...] = ()
    suspected: bool = False
    """It is what we see from outside that Exchange logs so; only that server itself knows."""

    @property
    def worst(self) -> Severity:
        """Of the finding, and of all of its routes."""
        severities = (self.finding.severity, *(route.severity for route in self.routes))
        return max(severities, key=RANK.__getitem__)

    @property
    def cause(self) -> Said | None:
        """What the finding's cause means; None where its event has none."""
        if not self.finding.event.causes:
            return None
        return Said(_CAUSES.get(self.finding.cause or "", "cause.open"))

    @property
    def hence(self) -> tuple[Finding, ...]:
        """What other servers log because of it."""
        return tuple(
            Finding(route.event, server, place=self.finding.server, severity_here=route.severity)
            for route in self.routes
            if route.event is not None
            for server in route.logged_at
        )


def concluded(
    finding: Finding,
    said: Said,
    routes: tuple[Route, ...] = (),
    steps: tuple[Step, ...] = (),
    *,
    suspected: bool = False,
) -> Judgement:
    """The judgement, its finding with the commands that mend it, one a line."""
    commands = [command for step in steps if step.mends for command in step.commands]
    finding = replace(finding, action="\n".join(commands) or None)
    return Judgement(finding, said, routes, steps, suspected=suspected)


@dataclass(frozen=True, slots=True)
class Explained:
    """A judgement that another one explains: listed, and not counted."""

    judgement: Judgement
    by: Judgement


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something that was not looked at, and how to."""

    said: Said
    commands: tuple[str, ...] = ()


class Use(StrEnum):
    """What a certificate is for."""

    INTERNAL = "internal"
    STARTTLS = "starttls"
    STORED = "stored"


@dataclass(frozen=True, slots=True)
class Ending:
    """A certificate that ends within the time that the audit looks ahead, or has ended."""

    server: ServerName
    use: Use
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class Audit:
    """One organization, judged at one moment."""

    # Whoever runs us may write out what we give (`asyncio.run` does): an organization in words takes seconds.
    organization: Organization = field(repr=False)
    judged_at: datetime
    verdict: Verdict
    judgements: tuple[Judgement, ...] = field(default=(), repr=False)
    """Causes first, then by how bad they are."""
    explained: tuple[Explained, ...] = field(default=(), repr=False)
    endings: tuple[Ending, ...] = field(default=(), repr=False)
    """Soonest first."""
    unseen: tuple[Unseen, ...] = field(default=(), repr=False)
    grid: tuple[Row, ...] = field(default=(), repr=False)
    """In the organization's order."""
