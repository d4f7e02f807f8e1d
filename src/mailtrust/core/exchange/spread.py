"""The controllers against each other: which of them does not have yet what another one has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from mailtrust.core.events import catalog
from mailtrust.core.events.catalog import NOT_ENABLED, NOT_WRITTEN, OVERDUE
from mailtrust.core.exchange import advice, elsewhere, proof, routes
from mailtrust.core.exchange.case import Case, Standing
from mailtrust.core.exchange.judgement import Judgement, Step, concluded
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Finding, RuledOut, Said, when
from mailtrust.core.model.replication import Fate

_FATES = {Fate.LATE: "proof.late", Fate.LOST: "proof.lost", Fate.UNKNOWN: "proof.due"}


def spread(case: Case) -> Iterator[Judgement]:
    """A certificate that has not reached every controller: on its way, late, or late where it is needed."""
    newest = case.newest
    if newest is None or newest.leaf is None or newest.written_at is None:
        return
    # A writer's clock that is ahead would put the deadline off for as long.
    written_at = min(newest.written_at, case.now)
    late = [one for one in case.behind if _is_late(case, one, written_at)]
    own = [one for one in case.in_own_site if one.name != newest.name]
    overdue = bool(own) and len(own) == len(case.in_own_site) and all(one in late for one in own)
    if overdue or _reads_another(case, newest.leaf, written_at):
        yield _overdue(case, newest.leaf, own or late, written_at)
    for one in case.behind:
        if one not in late:
            yield _on_its_way(case, newest.leaf, one, written_at)
        elif not (overdue and one in own):
            yield _behind(case, newest.leaf, one, written_at)


def _is_late(case: Case, behind: Standing, written_at: datetime) -> bool:
    return case.now >= written_at + case.latency(behind) or _fate(case, behind) is Fate.LOST


def _fate(case: Case, behind: Standing) -> Fate:
    written = case.newest.stamp if case.newest else None
    if written is not None and written.writer == behind.controller.writer:
        # Nobody lists how far it has seen of itself; its own writes it has all seen.
        return Fate.LOST
    seen = behind.look.seen or behind.controller.seen
    return replace(behind.look, seen=seen).fate_of(written)


def _reads_another(case: Case, leaf: Certificate, written_at: datetime) -> bool:
    """By its own account, it still reads something else from the directory."""
    view, collected = case.own_view, case.server.collected
    return (
        view is not None
        and view != leaf.thumbprint
        and collected is not None
        and collected.collected_at >= written_at + case.policy.latency
    )


def _overdue(case: Case, leaf: Certificate, lacking: list[Standing], written_at: datetime) -> Judgement:
    named = ", ".join(case.label(one.controller) for one in lacking) or "-"
    deadline = written_at + max((case.latency(one) for one in lacking), default=case.policy.latency)
    values = {**proof.described(leaf), "replica": named}
    finding = Finding(
        catalog.CERTIFICATE_MISSING,
        case.name,
        cause=OVERDUE,
        values=values,
        evidence=(*proof.directory(case), *proof.own_view(case), *_proof_of_fate(case, lacking, deadline)),
        ruled_out=tuple(RuledOut(one, case.say("ruled.stands")) for one in (NOT_ENABLED, NOT_WRITTEN)),
        since=deadline,
    )
    steps = [step for one in lacking for step in _bring(case, leaf, one)]
    if not case.server.is_edge:
        steps.insert(0, advice.look_at_its_controllers(case))
    said = case.say("finding.overdue", **values)
    silent = case.was_seen_silent and not case.server.is_edge
    them = routes.when_silent(case) if silent else routes.when_behind(case, far=False)
    return concluded(finding, said, them, tuple(steps))


def _behind(case: Case, leaf: Certificate, behind: Standing, written_at: datetime) -> Judgement:
    deadline = written_at + case.latency(behind)
    values = {**proof.described(leaf), "replica": case.label(behind.controller)}
    lost = _fate(case, behind) is Fate.LOST
    phrase = (
        "finding.behind-lost" if lost else "finding.behind" if behind.is_empty else "finding.behind-older"
    )
    finding = Finding(
        catalog.REPLICA_BEHIND,
        case.name,
        behind.look.place,
        values=values,
        evidence=(*proof.directory(case), *_proof_of_fate(case, [behind], deadline)),
        since=deadline,
    )
    steps = _bring(case, leaf, behind)
    here, there = case.server.site.lower(), behind.controller.site.lower()
    them = routes.when_behind(case, far=bool(here and there) and here != there)
    return concluded(finding, case.say(phrase, **values), them, steps)


def _on_its_way(case: Case, leaf: Certificate, behind: Standing, written_at: datetime) -> Judgement:
    deadline = written_at + case.latency(behind)
    values = {
        **proof.described(leaf),
        "replica": case.label(behind.controller),
        "until": when(deadline),
    }
    finding = Finding(
        catalog.REPLICATING,
        case.name,
        behind.look.place,
        values=values,
        evidence=(*proof.directory(case), *_proof_of_fate(case, [behind], deadline)),
        since=written_at,
        until=deadline,
    )
    hurry = (replace(step, mends=False) for step in elsewhere.pull(case, behind))
    steps = (Step(case.say("step.wait", until=when(deadline))), *hurry)
    return concluded(finding, case.say("finding.replicating", **values), (), steps)


def _proof_of_fate(case: Case, lacking: list[Standing], deadline: datetime) -> Iterator[Said]:
    for one in lacking:
        values = {"controller": case.label(one.controller), "deadline": when(deadline)}
        yield Said(_FATES[_fate(case, one)], values)


def _bring(case: Case, leaf: Certificate, behind: Standing) -> tuple[Step, ...]:
    """Late: pull it.  Arrived and not there: replication thinks that it is done, so it is written there."""
    if case.server.is_edge or behind.controller.read_only:
        return elsewhere.pull(case, behind)
    lost = _fate(case, behind) is Fate.LOST
    write = advice.enable_at(case, leaf, behind.controller.name, mends=lost)
    return (write,) if lost else (*elsewhere.pull(case, behind), write)
