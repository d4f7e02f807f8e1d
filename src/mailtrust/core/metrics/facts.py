"""What samples are taken from: an assessment, and what one server's own transport and journal tell."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailtrust.core.checks import Verdict
from mailtrust.core.model.event import Diagnosis, Finding
from mailtrust.core.model.plan import Plan
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import View
from mailtrust.core.policy import Policy
from mailtrust.core.sessions import Reason, Way
from mailtrust.core.why.stuck import Waiting


@dataclass(frozen=True, slots=True)
class Local:
    """What is counted on the viewpoint's own host; None where it could not be read."""

    has_queue: bool = False
    """False: there is no transport of ours, and so no queue to look at."""
    queue: tuple[Waiting, ...] | None = ()
    handshakes: Mapping[tuple[Way, Reason], int] | None = field(default_factory=dict)
    """Sessions since midnight (UTC)."""
    raised: Mapping[int, int] | None = field(default_factory=dict)
    """How often each event was met since midnight (UTC), by its number."""
    arrivals: Mapping[str, timedelta] = field(default_factory=dict)
    """By replica, how long the latest arrival that was watched took."""
    still_open: tuple[Finding, ...] = ()
    """What the journal has open and the last look could neither see nor close."""


@dataclass(frozen=True, slots=True)
class Known:
    """One look, and what it means: what `mailtrust check` sees from one server."""

    checked_at: datetime
    viewpoint: ServerName
    scope: tuple[ServerName, ...]
    view: View
    plans: Mapping[ServerName, Plan]
    diagnosis: Diagnosis
    verdict: Verdict
    policy: Policy
    acknowledged: Collection[Finding] = ()
    local: Local = Local()


def seen_best(known: Iterable[Known]) -> Mapping[ServerName, Known]:
    """Each server once: as its own viewpoint sees it, else as the first that looked at it does."""
    best: dict[ServerName, Known] = {}
    for one in known:
        for server in one.scope:
            if server not in best or server == one.viewpoint:
                best[server] = one
    return dict(sorted(best.items()))
