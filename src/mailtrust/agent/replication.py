"""
How far a certificate has come: where it stands, where it is due, and how long it took before.

What replication really takes is measured whenever somebody waits: from the moment at which the directory says
that a certificate was written, to the look that found it at a replica where the look before did not.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailtrust.agent.journal import Journal
from mailtrust.agent.look import Assessment
from mailtrust.core.checks import cases
from mailtrust.core.checks.replicas import Lack, lacking
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import Published, ReplicaSighting, View
from mailtrust.core.policy import Policy
from mailtrust.errors import StoreUnavailable


@dataclass(frozen=True, slots=True)
class Standing:
    """One certificate at one replica."""

    look: ReplicaSighting
    held: Published | None
    """Where its key stands there; None also where we could not look."""
    lack: Lack | None
    """Where it is missing, and others have it."""


def standings(
    view: View, server: ServerName, leaf: Certificate, policy: Policy, now: datetime
) -> tuple[Standing, ...]:
    """Where that certificate's key stands, replica by replica."""
    [case] = cases(view, {}, policy, now, (server,), server)
    lacks = {one.look.place: one for one in lacking(case) if one.leaf.pin == leaf.pin}
    return tuple(
        Standing(look, look.publication(leaf.pin), lacks.get(look.place)) for look in view.replicas(server)
    )


def lacks(seen: Assessment, server: ServerName) -> tuple[Lack, ...]:
    """What is missing of that server where others have it."""
    [case] = cases(seen.view, {}, seen.policy, seen.checked_at, (server,), server)
    return tuple(lacking(case))


def subject(view: View, server: ServerName, policy: Policy, now: datetime) -> Certificate | None:
    """The certificate to speak of: what peers ought to find published, else the newest that is."""
    [case] = cases(view, {}, policy, now, (server,), server)
    published = [one for look in case.readable for one in look.found or ()]
    newest = max(published, key=lambda one: one.published_at, default=None)
    return case.expected or (newest.certificate if newest else None)


@dataclass(slots=True)
class Arrivals:
    """Measures, look by look, how long a certificate takes to arrive; and where it is, goes on record."""

    server: ServerName
    leaf: Certificate
    journal: Journal
    _absent: set[str] = field(default_factory=set)

    def see(self, view: View, now: datetime) -> None:
        """Another look was made.  Never raises: it must not fail for want of a diary."""
        looks = view.replicas(self.server)
        with suppress(StoreUnavailable):
            self.journal.record_seen(looks, now)
        for look in looks:
            held = look.publication(self.leaf.pin)
            if held is None and look.found is not None:
                self._absent.add(look.place)
            elif held is not None and look.place in self._absent:
                self._absent.discard(look.place)
                # Where it is written it is at once.
                if look.primary:
                    continue
                self.journal.record_latency(look.place, max(now - held.published_at, timedelta(0)), now)
