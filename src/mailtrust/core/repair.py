"""
From findings to what mends them: the plan of `mailtrust fix`.

Only what can be taken back, or cannot harm, is done unasked: publish, present, unite the replicas,
take a value out that is no certificate.  What an administrator must decide (a stranger's key, a key that
two servers share, a process to restart) stays a finding with its command.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mailtrust.core.checks.case import Case
from mailtrust.core.checks.older import behind_journal
from mailtrust.core.events import catalog
from mailtrust.core.events.catalog import NOT_ENABLED, OVERDUE, RESTORED_IMAGE
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.event import Event, Finding, Said
from mailtrust.core.model.plan import Action, Install, Publish, Replicate, Restrict, Withdraw

_NOT_THERE = (catalog.CERTIFICATE_MISSING, catalog.REPLICA_BEHIND, catalog.REPLICA_WENT_BACK)


@dataclass(frozen=True, slots=True)
class Mend:
    """What an agent does unasked, and what shows that it is right."""

    action: Publish | Restrict
    evidence: tuple[Said, ...]
    because: Event | None = None
    """The finding that it mends, where there is one."""


def repairs(findings: Iterable[Finding], case: Case) -> tuple[Action, ...]:
    """What to do about *findings* of the case's own server, each thing once, in order."""
    mine = (finding for finding in findings if finding.server == case.server)
    return tuple(dict.fromkeys(action for finding in mine for action in _repair(finding, case)))


def unasked(findings: Iterable[Finding], case: Case) -> tuple[Mend, ...]:
    """
    What an agent may do about its own server without anybody's word: less than `repairs`.

    It brings the current certificate back to where peers read it, and takes others' right to read a key away.
    What is not current is somebody's decision; what is on its way is left alone.
    """
    mine = tuple(finding for finding in findings if finding.server == case.server)
    return (*_brought_back(mine, case), *_restricted(mine))


def may_enrol(case: Case) -> bool:
    """
    True where the server was never anything: an empty store, and nobody who could read publishes for it.

    A store that is not mounted looks empty as well, and then its certificates are still published.
    """
    if case.store is None or case.store.found is None or case.store.found:
        return False
    primary = [look for look in case.readable if look.primary]
    is_known = any(look.found or look.unparsable or look.withdrawn for look in case.readable)
    return bool(primary) and case.home is not None and not is_known


def _brought_back(mine: tuple[Finding, ...], case: Case) -> Iterator[Mend]:
    current = case.current
    if current is None or not current.has_key or case.is_withdrawn(current.certificate):
        return
    leaf = current.certificate
    if _is_perhaps_an_old_image(case, leaf):
        return
    for look in case.readable:
        if leaf.pin in look.pins or look.read_only:
            continue
        found = next((one for one in mine if one.event in _NOT_THERE and one.place == look.place), None)
        said = Said("obstacle.not-published", {"fingerprint": short(leaf.fingerprint), "place": look.place})
        if look.primary:
            yield Mend(Publish(case.server, leaf.fingerprint), (said,), found.event if found else None)
        elif found is not None and case.policy.every_replica_takes_writes:
            yield Mend(Publish(case.server, leaf.fingerprint, look.place), (said,), found.event)


def _is_perhaps_an_old_image(case: Case, leaf: Certificate) -> bool:
    """
    True where others may know better than this store what is current: then it must not return by itself.

    A directory that forgets what was withdrawn would take it again.
    """
    if behind_journal(case) is not None:
        return True
    ours = case.store.pins if case.store is not None else frozenset()
    strange = any(pin not in ours for look in case.readable for pin in look.pins)
    return strange and not case.publishing(leaf.pin)


def _restricted(mine: tuple[Finding, ...]) -> Iterator[Mend]:
    for one in mine:
        if one.event is catalog.KEY_EXPOSED and one.place is not None:
            yield Mend(Restrict(one.place), one.evidence, one.event)


def _repair(finding: Finding, case: Case) -> Iterator[Action]:
    if case.store is None:
        return
    match finding.event:
        case catalog.CERTIFICATE_MISSING:
            yield from _publish(finding, case)
        case catalog.REPLICA_BEHIND | catalog.REPLICA_WENT_BACK:
            yield from _bring_up(finding, case)
        case catalog.ROTATION_BLOCKED if case.plan is not None and case.plan.action is not None:
            yield case.plan.action
        case catalog.PRESENTED_NOT_PUBLISHED if finding.cause == RESTORED_IMAGE:
            # What it presents was withdrawn while it was away: it must not return.
            yield Install(case.server)
        case catalog.PRESENTED_NOT_PUBLISHED if finding.action is not None:
            shown = {leaf for wire in case.wires for leaf in wire.found or () if wire.place == finding.place}
            yield from (
                Publish(case.server, leaf.fingerprint)
                for leaf in shown
                if leaf.fingerprint in case.enableable
            )
        case catalog.CORRUPTED:
            values = (value for look in case.readable for value in look.unparsable)
            digests = dict.fromkeys(value.digest for value in values)
            yield from (Withdraw(case.server, digest) for digest in digests if digest not in case.withdrawals)
        case catalog.KEY_EXPOSED if finding.place is not None:
            yield Restrict(finding.place)
        case _:
            return


def _publish(finding: Finding, case: Case) -> Iterator[Action]:
    expected = case.expected
    never_asked = finding.cause == NOT_ENABLED
    if expected is None or case.is_withdrawn(expected) or (never_asked and case.is_step_back):
        yield Install(case.server)
    elif case.published_at(expected.pin) is not None and case.policy.every_replica_takes_writes:
        # Publishing again where it already stands does nothing: the home replica is the one that lacks it.
        yield Publish(case.server, expected.fingerprint, finding.place)
    elif finding.cause != OVERDUE:
        yield Publish(case.server, expected.fingerprint)


def _bring_up(finding: Finding, case: Case) -> Iterator[Action]:
    expected, policy = case.expected, case.policy
    lacks = [look for look in case.readable if look.place == finding.place]
    is_expected = expected is not None and any(expected.pin not in look.pins for look in lacks)
    if is_expected and expected is not None and policy.every_replica_takes_writes:
        yield Publish(case.server, expected.fingerprint, finding.place)
    elif not policy.replicates_itself:
        yield Replicate()
