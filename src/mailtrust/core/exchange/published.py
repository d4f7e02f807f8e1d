"""What stands on a server's object: nothing, what is no certificate, or a key that another server has too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailtrust.core.events import catalog
from mailtrust.core.events.catalog import NO_CERTIFICATE, NOT_ENABLED, NOT_WRITTEN, OVERDUE
from mailtrust.core.exchange import advice, elsewhere, proof, routes
from mailtrust.core.exchange.case import Case, Standing, shown, some, thumb
from mailtrust.core.exchange.facts import ExchangeServer
from mailtrust.core.exchange.judgement import Judgement, Route, Step, concluded
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.event import Finding, RuledOut, Said, Severity, when


def missing(case: Case) -> Iterator[Judgement]:
    """Nothing stands for it on any controller that answered, or will not once they agree."""
    newest = case.newest
    by_own_account = newest is None and case.own_view == ""
    if by_own_account or (newest is not None and newest.is_empty):
        yield _missing(case, newest)


def _missing(case: Case, newest: Standing | None) -> Judgement:
    cause = _cause(case, newest)
    edge = case.server.is_edge
    evidence = (
        *proof.directory(case),
        *proof.own_view(case),
        *proof.wire(case, case.internal),
        *_fitting_store(case),
    )
    finding = Finding(
        catalog.CERTIFICATE_MISSING,
        case.name,
        cause=cause,
        values={"replica": case.controllers or "-", "fingerprint": "-"},
        evidence=(*evidence, *proof.logged(case, 12012)),
        ruled_out=tuple(_ruled_out(case, newest, cause)),
        since=newest.written_at if newest else None,
    )
    said = case.say("finding.missing-edge" if edge else "finding.missing")
    steps = elsewhere.subscribe(case) if edge else advice.replace_certificate(case, None, old_is_lost=True)
    return concluded(finding, said, _routes_without(case), steps)


def _routes_without(case: Case) -> tuple[Route, ...]:
    """By what it presents all the same; nothing is what Exchange would do."""
    if case.server.is_edge:
        return routes.when_edge_is_out_of_step(case)
    if any(True for _ in shown(case.internal)):
        return routes.when_unpublished(case)
    return routes.when_silent(case)


def _cause(case: Case, newest: Standing | None) -> str | None:
    """None where what we see does not decide between the causes."""
    if case.store is not None and advice.best_in_store(case) is None:
        return NO_CERTIFICATE
    if newest is not None and newest.stamp is not None:
        return NOT_WRITTEN
    never = newest is not None and not case.unread and all(one.told for one in case.standings)
    # Who presents one has one, whatever the directory says; that nobody ever enabled it would not explain it.
    presents = any(True for _ in shown(case.internal))
    return NOT_ENABLED if never and not presents and not case.server.is_edge else None


def _ruled_out(case: Case, newest: Standing | None, cause: str | None) -> Iterator[RuledOut]:
    best = advice.best_in_store(case)
    if best is not None:
        yield RuledOut(NO_CERTIFICATE, case.say("ruled.stored", thumbprint=thumb(best)))
    if cause != NOT_ENABLED:
        if newest is not None and newest.stamp is not None:
            at = when(newest.stamp.written_at)
            yield RuledOut(NOT_ENABLED, case.say("ruled.written", at=at))
        elif any(True for _ in shown(case.internal)):
            yield RuledOut(NOT_ENABLED, case.say("ruled.presented"))
    if case.standings and all(one.told and one.stamp is None for one in case.standings):
        yield RuledOut(NOT_WRITTEN, case.say("ruled.never-written"))
    if case.standings and all(one.is_empty for one in case.standings):
        yield RuledOut(OVERDUE, case.say("ruled.nowhere"))


def _fitting_store(case: Case) -> Iterator[Said]:
    collected = case.server.collected
    if case.store is not None and collected is not None:
        best = advice.best_in_store(case)
        values = {"file": collected.place, "count": str(len(case.store))}
        if best is None:
            yield case.say("proof.store-has-none", **values)
        else:
            yield case.say("proof.store-has", **values, thumbprint=thumb(best))


def corrupted(case: Case) -> Iterator[Judgement]:
    """A value that is no certificate: Exchange throws its whole picture of whom to believe away for it."""
    newest = case.newest
    digests = dict.fromkeys(one.garbage.digest for one in case.standings if one.garbage is not None)
    for digest in digests:
        at = [one for one in case.standings if one.garbage is not None and one.garbage.digest == digest]
        wins = newest is not None and newest.name == digest
        finding = Finding(
            catalog.CORRUPTED,
            case.name,
            None if wins else at[0].look.place,
            values={"replica": some(case.label(one.controller) for one in at), "digest": short(digest)},
            evidence=(*proof.directory(case), *proof.wire(case, case.internal), *proof.logged(case, 12022)),
            since=at[0].written_at,
        )
        said = case.say("finding.corrupted", **finding.values)
        them = (*(_routes_without(case) if wins else ()), *routes.when_corrupted(case))
        yield concluded(finding, said, them, _mend_garbage(case, at, wins=wins))


def _mend_garbage(case: Case, at: list[Standing], *, wins: bool) -> tuple[Step, ...]:
    if not wins:
        return tuple(step for one in at for step in elsewhere.pull(case, one))
    if case.server.is_edge:
        return elsewhere.subscribe(case)
    return advice.replace_certificate(case, None, old_is_lost=True)


def key_shared(case: Case) -> Iterator[Judgement]:
    """Another server publishes the same key, so that the two cannot be told apart."""
    leaf = case.published
    sharing = case.holders.get(leaf.pin, ()) if leaf is not None else ()
    others = [one for one in sharing if one.server != case.name]
    if leaf is None or not others:
        return
    owner = _owner(leaf, sharing)
    is_owner = owner is not None and owner.server == case.name
    values = {**proof.described(leaf), "others": some(one.name for one in others)}
    said = case.say("proof.shared", **values, names=", ".join(leaf.names) or "-")
    finding = Finding(
        catalog.KEY_SHARED,
        case.name,
        values=values,
        evidence=(said, *proof.directory(case)),
        severity_here=Severity.INFORMATION if is_owner else None,
    )
    if is_owner:
        yield concluded(finding, case.say("finding.shared-owner", **values))
        return
    said = case.say("finding.shared-by-both" if case.is_named_by(leaf) else "finding.shared", **values)
    if case.server.is_edge:
        steps = elsewhere.subscribe(case, make_first=True)
    else:
        steps = advice.replace_certificate(case, leaf, old_is_lost=False)
    yield concluded(finding, said, routes.when_shared(case, others), steps)


def _owner(leaf: Certificate, sharing: Iterable[ExchangeServer]) -> ExchangeServer | None:
    """The one whose certificate it is by its names; None where it names several, or nobody."""
    named = [one for one in sharing if any(leaf.covers(name) for name in (one.name, one.fqdn) if name)]
    return named[0] if len(named) == 1 else None
