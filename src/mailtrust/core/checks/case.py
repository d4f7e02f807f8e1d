"""One server, and everything a check may look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailtrust.core.model.certificate import Certificate, Fingerprint, Pin, short
from mailtrust.core.model.plan import Plan
from mailtrust.core.model.replication import Fate, Stamp
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import (
    History,
    Installed,
    Published,
    ReplicaSighting,
    Slot,
    StoreSighting,
    View,
    WireSighting,
)
from mailtrust.core.policy import Policy
from mailtrust.core.succession import is_step_back


@dataclass(frozen=True, slots=True)
class Case:
    """The looks at one server, with the thresholds and the time to judge them by."""

    server: ServerName
    view: View
    policy: Policy
    now: datetime
    holders: Mapping[Pin, frozenset[ServerName]] = field(default_factory=dict)
    """Every server that publishes a key, anywhere."""
    plan: Plan | None = None
    """The rotation under way here, as far as it has come."""
    speaks_for_fleet: bool = True
    """True for the one server under whose name we report what concerns a replica as a whole."""

    @property
    def store(self) -> StoreSighting | None:
        """The look into its own store; None when it is seen from outside."""
        return self.view.store(self.server)

    @property
    def wires(self) -> tuple[WireSighting, ...]:
        """The looks at its endpoints."""
        return self.view.wires(self.server)

    @property
    def replicas(self) -> tuple[ReplicaSighting, ...]:
        """The looks at its entry, on every replica."""
        return self.view.replicas(self.server)

    @property
    def readable(self) -> tuple[ReplicaSighting, ...]:
        """The looks at its entry that found out what is there."""
        return tuple(look for look in self.replicas if look.found is not None)

    @property
    def home(self) -> ReplicaSighting | None:
        """The look at the home replica, if it answered."""
        look = self.view.home(self.server)
        return look if look is not None and look.found is not None else None

    @property
    def history(self) -> History:
        """What the journal remembers."""
        return self.view.history

    @property
    def current(self) -> Installed | None:
        """What the store says this server presents."""
        return self.view.current(self.server)

    @property
    def installed(self) -> Installed | None:
        """
        The installed certificate: the newest by arrival that has its key, names this server, may not
        issue others and is neither previous, next nor withdrawn; else the current one.
        """
        fit = [
            one
            for one in self._stored()
            if one.has_key
            and one.slot in (Slot.CURRENT, Slot.NONE)
            and one.certificate.covers(self.server)
            and not one.certificate.is_ca
            and not self.is_withdrawn(one.certificate)
        ]
        return max(fit, key=lambda one: (one.arrived_at, one.certificate.fingerprint), default=self.current)

    @property
    def is_step_back(self) -> bool:
        """True where the installed certificate is not valid now and the current one is."""
        return self.installed is not None and is_step_back(self.installed, self.current, self.now)

    @property
    def enableable(self) -> frozenset[Fingerprint]:
        """What the store has with its key, has not replaced, and may be published."""
        fit = (one for one in self._stored() if one.has_key and one.slot in (Slot.CURRENT, Slot.NONE))
        return frozenset(one.certificate.fingerprint for one in fit if not one.certificate.is_ca)

    @property
    def presented(self) -> tuple[Certificate, ...]:
        """What it presents, each certificate once."""
        return tuple(dict.fromkeys(leaf for wire in self.wires for leaf in wire.found or ()))

    @property
    def expected(self) -> Certificate | None:
        """
        What peers ought to find published: the installed certificate; for a server seen from outside,
        what it presents stands in for it.
        """
        if self.store is not None:
            return self.installed.certificate if self.installed else None
        return self.presented[0] if self.presented else None

    @property
    def withdrawals(self) -> Mapping[Fingerprint, datetime]:
        """What was taken out of its entry for good, and when."""
        return self.view.withdrawals(self.server)

    def is_withdrawn(self, leaf: Certificate) -> bool:
        """True if it, or its key, was taken out of its entry for good."""
        return self.view.is_withdrawn(self.server, leaf)

    def latency_at(self, look: ReplicaSighting, pin: Pin) -> timedelta:
        """How long the write of that key may take to get there."""
        stamp = self.latest_write(pin)
        known = look.latencies.get(stamp.writer) if stamp is not None else None
        return self.policy.latency if known is None else known

    def latest_write(self, pin: Pin) -> Stamp | None:
        """The latest write by which replicas have that key; None where the directory does not number them."""
        found = (other.publication(pin) for other in self.publishing(pin))
        stamps = [one.stamp for one in found if one is not None and one.stamp is not None]
        return max(stamps, key=lambda one: (one.version, one.written_at), default=None)

    def publishing(self, pin: Pin) -> tuple[ReplicaSighting, ...]:
        """The replicas that publish that key for this server."""
        return tuple(look for look in self.readable if pin in look.pins)

    def fate_at(self, look: ReplicaSighting, pin: Pin) -> Fate:
        """What became, at a replica without that key, of the latest write by which others have it."""
        return look.fate_of(self.latest_write(pin))

    def published_at(self, pin: Pin) -> datetime | None:
        """
        When that key was first published anywhere: by the directory's own record, or when we first saw it,
        which is earlier where a clock ran ahead or where the directory stamps whole entries.
        """
        found = ((look.place, look.publication(pin)) for look in self.readable)
        return min((self._believable(place, one) for place, one in found if one), default=None)

    def _believable(self, place: str, one: Published) -> datetime:
        # Else a host whose clock is a year ahead would put its deadline off for a year.
        key = (self.server, place, one.certificate.fingerprint)
        return min(one.published_at, self.history.first_seen.get(key, one.published_at))

    def _stored(self) -> Iterator[Installed]:
        return iter((self.store.found if self.store else None) or ())


def enable_command(fingerprint: Fingerprint, replica: str | None = None) -> str:
    """What to type to publish a certificate."""
    command = f"mailtrust enable {short(fingerprint)}"
    return f"{command} --replica {replica}" if replica else command
