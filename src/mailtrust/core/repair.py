"""
From findings to what mends them: the plan of `mailtrust fix`.

Only what can be taken back, or cannot harm, is done unasked: publish, present, unite the replicas,
take a value out that is no certificate.  What an administrator must decide (a stranger's key, a key that
two servers share, a process to restart) stays a finding with its command.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailtrust.core.checks.case import Case
from mailtrust.core.events import catalog
from mailtrust.core.events.catalog import OVERDUE, RESTORED_IMAGE
from mailtrust.core.model.event import Finding
from mailtrust.core.model.plan import Action, Install, Publish, Replicate, Restrict, Withdraw


def repairs(findings: Iterable[Finding], case: Case) -> tuple[Action, ...]:
    """What to do about *findings* of the case's own server, each thing once, in order."""
    mine = (finding for finding in findings if finding.server == case.server)
    return tuple(dict.fromkeys(action for finding in mine for action in _repair(finding, case)))


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
    if expected is None or case.is_withdrawn(expected):
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
