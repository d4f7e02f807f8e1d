"""
What a peer says to a certificate before it is presented: a whole SMTP session with it, and no mail.

Replicas tell what peers could know.  A rehearsal tells what one knows: by its own snapshot, its own tables,
and whatever stands between us.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailtrust.core.model.certificate import Certificate, Fingerprint
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import RehearsalSighting


class Verdict(StrEnum):
    """What came of it."""

    ACCEPTED = "accepted"
    """It would take our mail."""
    DEFERRED = "deferred"
    """It would not now: our queue would wait."""
    REFUSED = "refused"
    """It would not, and never: our mail would bounce."""
    UNKNOWN = "could-not-look"
    """It could not be asked, or did not decide."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One peer's answer."""

    peer: ServerName
    endpoint: Endpoint
    fingerprint: Fingerprint
    """What we presented."""
    verdict: Verdict
    seen_at: datetime
    why: str = ""
    """Its reply, or what stopped us."""
    event: int | None = None
    """The event that its reply names."""
    asked: bool = False
    """True if it asked for our certificate: else it decided without having seen it."""
    presented: Certificate | None = None
    """What it presented itself; None where it did not come to that."""
    believed: bool | None = None
    """Whether we would believe that, by what home publishes; None where that cannot be said."""

    @property
    def holds_back(self) -> bool:
        """True if the switch has to wait for it.  One that cannot be asked holds nothing back."""
        return self.verdict in (Verdict.DEFERRED, Verdict.REFUSED)

    def sighting_of(self, server: ServerName) -> RehearsalSighting:
        """The same as evidence for a rotation of *server*, which is ours."""
        accepted = None if self.verdict is Verdict.UNKNOWN else not self.holds_back
        place = f"{self.peer} {self.endpoint}"
        return RehearsalSighting(server, place, self.fingerprint, accepted, self.seen_at, self.why)


def summed(told: tuple[Rehearsed, ...]) -> Verdict:
    """The worst of them, for whoever wants one word; nobody to ask is no yes."""
    order = (Verdict.REFUSED, Verdict.DEFERRED, Verdict.UNKNOWN, Verdict.ACCEPTED)
    return next((one for one in order if any(one is each.verdict for each in told)), Verdict.UNKNOWN)
