"""From what is known to samples: also those that hold nothing, so that no series goes missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from mailtrust.core.checks import Verdict
from mailtrust.core.checks.case import Case
from mailtrust.core.events import catalog
from mailtrust.core.metrics import table
from mailtrust.core.metrics.carried import Samples
from mailtrust.core.metrics.copies import Sample, copies
from mailtrust.core.metrics.facts import Known, Local, seen_best
from mailtrust.core.metrics.table import NEVER, UNKNOWN, UNSEEN, Metric
from mailtrust.core.model.event import Finding
from mailtrust.core.model.plan import Gate, Phase
from mailtrust.core.model.server import ServerName
from mailtrust.core.sessions import Reason, Way
from mailtrust.core.why.stuck import Complaint

UNKNOWN_PHASE = "unknown"
RAISED = (
    catalog.PEER_NOT_TRUSTED_INBOUND, catalog.PEER_NOT_TRUSTED_OUTBOUND, catalog.SNAPSHOT_NOT_SAVED,
    catalog.AGENT_PART_STOPPED, catalog.AGENT_ACT_FAILED, catalog.CLOCK_STEPPED,
    catalog.AGENT_CONFIGURATION_REFUSED,
)  # fmt: skip
"""What is met and not found: each has a series, also when it never happened."""


def samples(known: Sequence[Known], version: str, *, succeeded: bool = True) -> Samples:
    """
    By metric in the order of the table, every sample: the values of its labels, and its value.

    Of two looks at one server its own counts, so that no series is there twice.  *succeeded*: no later look
    came to nothing.
    """
    found: dict[Metric, list[tuple[tuple[str, ...], float]]] = {metric: [] for metric in table.METRICS}
    found[table.LOOKED].append(((), float(succeeded)))
    for metric, labels, value in _all(known, version):
        found[metric].append((labels, value))
    return found


def _all(known: Sequence[Known], version: str) -> Iterator[Sample]:
    yield table.BUILD, (version,), 1.0
    best = seen_best(known)
    viewpoints = {one.viewpoint: one for one in known}
    for server, one in best.items():
        yield table.LAST_LOOK, (server,), _moment(one.checked_at)
        yield from copies(Case(server, one.view, one.policy, one.checked_at))
        if one.view.store(server) is not None:
            yield from _snapshot(server, one)
            yield from _rotation(server, one)
    for viewpoint, one in viewpoints.items():
        yield from _states(table.VERDICT, viewpoint, tuple(Verdict), one.verdict)
        yield table.SERVERS, (viewpoint,), len(one.scope)
        yield table.LATENCY_LIMIT, (viewpoint,), one.policy.latency.total_seconds()
        yield from _local(viewpoint, one.local)
    yield from _replicas(best, known)
    yield from _findings(best, known)


def _snapshot(server: ServerName, known: Known) -> Iterator[Sample]:
    look = known.view.snapshot(server)
    if look is None:
        taken, kept = UNKNOWN, UNKNOWN
    else:
        taken, kept = _moment(look.taken_at) if look.taken_at else NEVER, len(look.kept)
    yield table.SNAPSHOT_TAKEN, (server,), taken
    yield table.SNAPSHOT_MAX_AGE, (server,), known.policy.snapshot_max_age.total_seconds()
    yield table.SNAPSHOT_KEPT, (server,), kept


def _rotation(server: ServerName, known: Known) -> Iterator[Sample]:
    plan, store = known.plans.get(server), known.view.store(server)
    is_blind = plan is None and store is not None and store.found is None
    phase = UNKNOWN_PHASE if is_blind else plan.phase if plan is not None else Phase.DONE
    yield from _states(table.ROTATION_PHASE, server, (*Phase, UNKNOWN_PHASE), phase)
    waits = Counter(one.gate for one in (plan.obstacles if plan is not None else ()))
    for gate in Gate:
        yield table.ROTATION_OBSTACLES, (server, gate.value), UNKNOWN if is_blind else waits[gate]
    intent = known.view.history.intent
    is_ours = intent is not None and intent.rotation.server == server
    yield table.ROTATION_ASKED, (server,), _moment(intent.asked_at) if intent and is_ours else UNKNOWN


def _local(server: ServerName, local: Local) -> Iterator[Sample]:
    if local.has_queue:
        yield from _queue(server, local)
    for way in Way:
        for reason in Reason:
            met = UNKNOWN if local.handshakes is None else local.handshakes.get((way, reason), 0)
            yield table.HANDSHAKES, (server, way.value, reason.value), met
    for event in RAISED:
        times = UNKNOWN if local.raised is None else local.raised.get(event.code, 0)
        yield table.RAISED, (server, str(event.code)), times


def _queue(server: ServerName, local: Local) -> Iterator[Sample]:
    queue = local.queue
    yield table.QUEUE_READABLE, (server,), float(queue is not None)
    # A message whose recipients wait for different things waits for each of them.
    waiting = Counter(complaint for complaint, _ in {(one.complaint, one.id) for one in queue or ()})
    for reason in Complaint:
        yield table.QUEUE, (server, reason.value), UNKNOWN if queue is None else waiting[reason]
    oldest = min((one.since for one in queue or ()), default=None)
    yield table.QUEUE_OLDEST, (server,), _moment(oldest) if oldest else UNKNOWN


def _replicas(best: Mapping[ServerName, Known], known: Sequence[Known]) -> Iterator[Sample]:
    readable: dict[tuple[str, bool], bool] = {}
    for server, one in best.items():
        for look in one.view.replicas(server):
            key = look.place, look.home
            readable[key] = readable.get(key, True) and look.found is not None
    for (place, home), yes in readable.items():
        yield table.REPLICA_READABLE, (place, "yes" if home else "no"), float(yes)
    took = {place: length for one in known for place, length in one.local.arrivals.items()}
    for place in dict.fromkeys(place for place, _ in readable):
        measured = took[place].total_seconds() if place in took else UNKNOWN
        yield table.REPLICA_MEASURED, (place,), measured


def _findings(best: Mapping[ServerName, Known], known: Sequence[Known]) -> Iterator[Sample]:
    held = [
        one for looked in known for one in looked.diagnosis.findings if best.get(one.server) is looked
    ]  # fmt: skip
    counts = {(event.code, event.severity): 0 for event in catalog.CATALOG}
    for one in held:
        key = one.event.code, one.severity
        counts[key] = counts.get(key, 0) + 1
    for (code, severity), count in counts.items():
        yield table.FINDINGS, (str(code), severity.value), count
    shown = {_labels(one): 1.0 for one in held}
    for looked in known:
        for one in looked.local.still_open:
            if best.get(one.server) is looked:
                shown.setdefault(_labels(one), UNSEEN)
    for labels, value in shown.items():
        yield table.FINDING, labels, value
    yield table.SET_ASIDE, ("acknowledged",), sum(len(one.acknowledged) for one in known)
    yield table.SET_ASIDE, ("explained",), sum(len(one.diagnosis.silenced) for one in known)


def _labels(one: Finding) -> tuple[str, ...]:
    return one.server, str(one.event.code), one.severity.value, one.place or "", one.cause or ""


def _states(metric: Metric, whose: str, states: Sequence[str], holds: str) -> Iterator[Sample]:
    return ((metric, (whose, str(state)), float(state == holds)) for state in states)


def _moment(at: datetime) -> float:
    return at.timestamp()
