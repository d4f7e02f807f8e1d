"""
Everything that advice is given by, as one value: gathered elsewhere, judged here.

What nobody looked at is None, or a name in *blind*; no rule takes it for sound, and none for broken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailtrust.core.advice.value import Need
from mailtrust.core.exchange.case import Case
from mailtrust.core.exchange.judgement import Judgement, Unseen
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Event, Finding, Severity
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import View
from mailtrust.core.policy import Policy

_ENOUGH = 3
"""Arrivals: fewer say nothing about what is usual."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an administrator configured, as far as rules ask."""

    server: ServerName
    kind: str
    """Of the transport: ``hub``, ``postfix``, ``exim``, ``none``."""
    mode: str
    rotates_when_due: bool
    expires_soon: timedelta | None
    snapshot_max_age: timedelta
    latency: timedelta | None
    """None: computed from the directory's own links."""
    replicas: tuple[str, ...]
    has_listeners: bool


@dataclass(frozen=True, slots=True)
class Hub:
    """A transport of Postfix's for peers, as far as speed goes."""

    name: str
    """As ``postconf -P`` names it: ``hub/unix``."""
    folder: str
    reuses_connections: bool


@dataclass(frozen=True, slots=True)
class Postfix:
    """What its doctor said, and what it does not ask about."""

    server: ServerName
    findings: tuple[Finding, ...] = ()
    hubs: tuple[Hub, ...] = ()


@dataclass(frozen=True, slots=True)
class Incident:
    """A finding as the journal has it."""

    event: Event
    server: ServerName
    place: str
    severity: Severity
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Past:
    """What the journal remembers of the last days."""

    opened: tuple[Incident, ...] = ()
    """Every time that a finding opened."""
    standing: tuple[Incident, ...] = ()
    """What has not closed since."""
    damaged_at: datetime | None = None
    """When it was last found damaged, and begun anew."""
    rotated: bool = False
    """Whether a rotation ever came to its end here, as far as it goes back."""
    began_at: datetime | None = None
    """Its first entry; None where there is none."""
    latencies: Mapping[str, tuple[timedelta, ...]] = field(default_factory=dict)
    """By replica, how long the latest arrivals took."""
    clean_days: Mapping[str, int] = field(default_factory=dict)
    """By peer that is only counted, on how many days in a row enforcing would have deferred nothing."""

    def usual_latencies(self) -> Mapping[str, timedelta]:
        """By replica, what an arrival takes: the middle one, for a link that was down once is no rule."""
        enough = {url: sorted(took) for url, took in self.latencies.items() if len(took) >= _ENOUGH}
        return {url: took[len(took) // 2] for url, took in enough.items()}


@dataclass(frozen=True, slots=True)
class Facts:
    """One look at everything."""

    now: datetime
    policy: Policy = field(default_factory=Policy)
    servers: tuple[str, ...] = ()
    """Who was asked about, by name."""
    findings: tuple[Finding, ...] = ()
    """What `check` finds."""
    settings: Settings | None = None
    view: View | None = field(default=None, repr=False)
    postfix: Postfix | None = None
    past: Past | None = None
    cases: tuple[Case, ...] | None = field(default=None, repr=False)
    """The Exchange servers that were asked about; None where no organization was read."""
    judgements: tuple[Judgement, ...] = field(default=(), repr=False)
    """What their audit says."""
    unseen: tuple[Unseen, ...] = ()
    """What could not be looked at, or was not."""
    closed: frozenset[str] = frozenset()
    """Exchange servers whose store nobody saw: nothing can be said of what is in it."""
    blind: frozenset[str] = frozenset()
    """Servers of which something that matters could not be seen: what is not found there may still be."""

    def has(self, need: Need) -> bool:
        """True if a rule with that need can be asked."""
        found: Mapping[Need, object] = {
            Need.SETTINGS: self.settings,
            Need.VIEW: self.view,
            Need.POSTFIX: self.postfix,
            Need.PAST: self.past,
            Need.EXCHANGE: self.cases,
        }
        return found[need] is not None

    def published(self) -> Mapping[str, tuple[Certificate, ...]]:
        """
        By server, every certificate that a readable replica publishes for it, each once.

        What was withdrawn does not count, though a late replica may show it still.
        """
        view = self.view or View()
        found: dict[str, tuple[Certificate, ...]] = {}
        for name in map(ServerName, self.servers):
            leaves = dict.fromkeys(
                one.certificate for look in view.replicas(name) for one in look.found or ()
            )
            found[name] = tuple(leaf for leaf in leaves if not view.is_withdrawn(name, leaf))
        return found
