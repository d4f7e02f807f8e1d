"""
Every metric that mailtrust gives, in one table.

A copy that could not be looked at is UNSEEN, which is neither of the two answers; a number or a moment that
nobody knows is UNKNOWN, not a number: no comparison with it holds, and its series stays.  Moments are given
as such, in seconds since 1970: an age is `time()` less that, and goes on growing when nobody looks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

AGREES, DIFFERS, UNSEEN = 1.0, 0.0, -1.0
UNKNOWN = math.nan
NEVER = 0.0
"""A moment that has not come yet, where every rule is to take it for very old."""


class Kind(StrEnum):
    """How a metric moves."""

    GAUGE = "gauge"
    COUNTER = "counter"
    """It begins anew at midnight (UTC), which is a reset as `rate` and `increase` know it."""
    STATES = "states"
    """A gauge for each state, and exactly one of them is 1."""


class Unit(StrEnum):
    """What a value counts."""

    AGREEMENT = "1 agrees, 0 does not, -1 could not look"
    YES = "1 yes, 0 no"
    ONE = "always 1"
    STATE = "1 for the state that holds, else 0"
    MOMENT = "seconds since 1970"
    SECONDS = "seconds"
    COUNT = "number"
    FINDING = "1 seen at the last look, -1 not closed because nobody could look"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric."""

    name: str
    about: str
    labels: tuple[str, ...]
    unit: Unit
    kind: Kind = Kind.GAUGE
    when_unknown: str = ""
    """When its value is not a number, though its series is there."""


BUILD = Metric("mailtrust_build_info", "The release that gives these metrics.", ("version",), Unit.ONE)
VERDICT = Metric(
    "mailtrust_verdict", "What `mailtrust check` says, seen from that server.",
    ("viewpoint", "verdict"), Unit.STATE, Kind.STATES,
)  # fmt: skip
SERVERS = Metric(
    "mailtrust_servers", "How many servers were looked at from that server.", ("viewpoint",), Unit.COUNT
)
LAST_LOOK = Metric(
    "mailtrust_last_look_timestamp_seconds", "When that server was looked at.", ("server",), Unit.MOMENT
)
LOOKED = Metric(
    "mailtrust_last_look_succeeded",
    "The last look came to its end; else everything here is of an earlier one.",
    (), Unit.YES,
)  # fmt: skip

INSTALLED_PUBLISHED = Metric(
    "mailtrust_agreement_installed_published_home",
    "The key that the server has installed is published at home. Seen from outside, what it presents stands "
    "in for what it has installed.",
    ("server",), Unit.AGREEMENT,
)  # fmt: skip
PUBLISHED_REPLICA = Metric(
    "mailtrust_agreement_published_replica",
    "The replica publishes the key that peers ought to find, also while it is still on its way there.",
    ("server", "replica"), Unit.AGREEMENT,
)  # fmt: skip
REPLICA_HOME = Metric(
    "mailtrust_agreement_replica_home",
    "The replica publishes for that server the same keys as home, no more and no less.",
    ("server", "replica"), Unit.AGREEMENT,
)  # fmt: skip
PRESENTED_PUBLISHED = Metric(
    "mailtrust_agreement_presented_published",
    "What the listener presents is published for that server on some replica.",
    ("server", "endpoint"), Unit.AGREEMENT,
)  # fmt: skip
PRESENTED_CURRENT = Metric(
    "mailtrust_agreement_presented_current",
    "The listener presents the certificate that the store calls current. Of servers whose store is here.",
    ("server", "endpoint"), Unit.AGREEMENT,
)  # fmt: skip
PUBLISHED_INSTALLED = Metric(
    "mailtrust_agreement_published_installed",
    "The store has a key that home publishes for the server. Of servers whose store is here.",
    ("server",), Unit.AGREEMENT,
)  # fmt: skip
NEXT_REPLICA = Metric(
    "mailtrust_agreement_next_replica",
    "The replica publishes the next certificate, so that an emergency would be a switch. Of servers whose "
    "store is here.",
    ("server", "replica"), Unit.AGREEMENT,
)  # fmt: skip

REPLICA_READABLE = Metric(
    "mailtrust_replica_readable", "Everything that was asked of the replica was answered.",
    ("replica", "home"), Unit.YES,
)  # fmt: skip
REPLICA_LAG = Metric(
    "mailtrust_replica_lag_seconds",
    "How long ago what the replica lacks of that server was published elsewhere; 0 where it lacks nothing.",
    ("server", "replica"), Unit.SECONDS, when_unknown="the replica could not be read",
)  # fmt: skip
REPLICA_MEASURED = Metric(
    "mailtrust_replica_measured_latency_seconds",
    "How long the latest arrival that was watched took to that replica.",
    ("replica",), Unit.SECONDS, when_unknown="none was watched yet (`mailtrust wait`, a rotation)",
)  # fmt: skip
LATENCY_LIMIT = Metric(
    "mailtrust_replication_latency_limit_seconds",
    "How long replication may take (`directory.latency`); later is overdue.", ("viewpoint",), Unit.SECONDS,
)  # fmt: skip

CERTIFICATES = Metric(
    "mailtrust_certificates", "How many certificates the store has in that slot.",
    ("server", "slot"), Unit.COUNT, when_unknown="the store could not be read",
)  # fmt: skip
NOT_AFTER = Metric(
    "mailtrust_certificate_not_after_timestamp_seconds",
    "When the certificate in that slot ends; of several the first.",
    ("server", "slot"), Unit.MOMENT, when_unknown="the slot is empty, or the store could not be read",
)  # fmt: skip
PRESENTED_NOT_AFTER = Metric(
    "mailtrust_presented_not_after_timestamp_seconds",
    "When the certificate ends that the listener presents.",
    ("server", "endpoint"), Unit.MOMENT,
    when_unknown="the listener could not be looked at, or presents nothing",
)  # fmt: skip

SNAPSHOT_TAKEN = Metric(
    "mailtrust_snapshot_taken_timestamp_seconds",
    "When the trust snapshot was confirmed last by which the transport believes its peers; 0: never.",
    ("server",), Unit.MOMENT, when_unknown="the server has no snapshot (no transport of ours)",
)  # fmt: skip
SNAPSHOT_MAX_AGE = Metric(
    "mailtrust_snapshot_max_age_seconds", "How old that snapshot may be (`policy.snapshot_max_age`).",
    ("server",), Unit.SECONDS,
)  # fmt: skip
SNAPSHOT_KEPT = Metric(
    "mailtrust_snapshot_kept_keys",
    "How many keys it believes that its replica shows no longer, without proof.",
    ("server",), Unit.COUNT, when_unknown="the server has no snapshot",
)  # fmt: skip

ROTATION_PHASE = Metric(
    "mailtrust_rotation_phase",
    "How far the rotation under way has come; `done` where there is none, `unknown` where the store could "
    "not be read.",
    ("server", "phase"), Unit.STATE, Kind.STATES,
)  # fmt: skip
ROTATION_OBSTACLES = Metric(
    "mailtrust_rotation_obstacles", "What the rotation under way waits for, by what could end it.",
    ("server", "gate"), Unit.COUNT, when_unknown="the store could not be read",
)  # fmt: skip
ROTATION_ASKED = Metric(
    "mailtrust_rotation_asked_timestamp_seconds", "When the rotation under way was asked for, or was due.",
    ("server",), Unit.MOMENT, when_unknown="none is under way",
)  # fmt: skip

QUEUE_READABLE = Metric(
    "mailtrust_queue_readable",
    "The mail queue could be looked at. Of servers with a transport that has one.",
    ("server",), Unit.YES,
)  # fmt: skip
QUEUE = Metric(
    "mailtrust_queue_messages",
    "Messages that wait, by what stands in their way, as `mailtrust why --queue` tells it.",
    ("server", "reason"), Unit.COUNT, when_unknown="the queue could not be read",
)  # fmt: skip
QUEUE_OLDEST = Metric(
    "mailtrust_queue_oldest_timestamp_seconds", "Since when the message waits that has waited longest.",
    ("server",), Unit.MOMENT, when_unknown="nothing waits, or the queue could not be read",
)  # fmt: skip
HANDSHAKES = Metric(
    "mailtrust_handshakes_total",
    "SMTP sessions since midnight (UTC) by what enforcing says of the peer's certificate; `published` is "
    "trusted.",
    ("server", "way", "verdict"), Unit.COUNT, Kind.COUNTER, when_unknown="the journal could not be read",
)  # fmt: skip

FINDINGS = Metric(
    "mailtrust_findings", "How many findings of that event hold, on all servers that were looked at.",
    ("event", "severity"), Unit.COUNT,
)  # fmt: skip
FINDING = Metric(
    "mailtrust_finding", "A finding that holds; its series ends when a look says that it is gone.",
    ("server", "event", "severity", "place", "cause"), Unit.FINDING,
)  # fmt: skip
SET_ASIDE = Metric(
    "mailtrust_findings_set_aside", "Findings that do not count: acknowledged, or explained by another one.",
    ("how",), Unit.COUNT,
)  # fmt: skip
RAISED = Metric(
    "mailtrust_raised_total", "How often a transport or the agent met that event since midnight (UTC).",
    ("server", "event"), Unit.COUNT, Kind.COUNTER, when_unknown="the journal could not be read",
)  # fmt: skip

METRICS: tuple[Metric, ...] = (
    BUILD, VERDICT, SERVERS, LAST_LOOK, LOOKED,
    INSTALLED_PUBLISHED, PUBLISHED_REPLICA, REPLICA_HOME, PRESENTED_PUBLISHED, PRESENTED_CURRENT,
    PUBLISHED_INSTALLED, NEXT_REPLICA,
    REPLICA_READABLE, REPLICA_LAG, REPLICA_MEASURED, LATENCY_LIMIT,
    CERTIFICATES, NOT_AFTER, PRESENTED_NOT_AFTER,
    SNAPSHOT_TAKEN, SNAPSHOT_MAX_AGE, SNAPSHOT_KEPT,
    ROTATION_PHASE, ROTATION_OBSTACLES, ROTATION_ASKED,
    QUEUE_READABLE, QUEUE, QUEUE_OLDEST, HANDSHAKES,
    FINDINGS, FINDING, SET_ASIDE, RAISED,
)  # fmt: skip
