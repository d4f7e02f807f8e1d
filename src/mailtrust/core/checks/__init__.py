"""
What is wrong, and what is merely a consequence of it.

A check is one function from a `Case` to findings, listed in CHECKS.  `diagnose` runs them all for every
server and then silences each finding that another one explains, by the one table PRECEDENCE.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailtrust.core.checks import installed, missing, presented, published, replicas, rotations
from mailtrust.core.checks.case import Case
from mailtrust.core.events import catalog
from mailtrust.core.model.certificate import Pin
from mailtrust.core.model.event import Diagnosis, Event, Finding, Severity, Silenced
from mailtrust.core.model.plan import Plan
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import View
from mailtrust.core.policy import Policy

Check = Callable[[Case], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    missing.certificate_missing,
    installed.not_in_store,
    installed.expired,
    installed.expires_soon,
    published.corrupted,
    presented.presented_not_published,
    presented.presented_not_current,
    published.stranger_published,
    published.impostor_published,
    published.authority_published,
    published.key_shared,
    presented.server_unreachable,
    presented.tls_not_offered,
    presented.client_certificate_not_asked,
    presented.snapshot_stale,
    presented.keys_kept,
    installed.key_exposed,
    replicas.replica_unreadable,
    replicas.replica_behind,
    replicas.replica_went_back,
    replicas.replicating,
    rotations.rotation_blocked,
    installed.weak_key,
    installed.names_differ,
    installed.no_successor,
)


@dataclass(frozen=True, slots=True)
class Precedence:
    """*explains* silences *silenced* of the same server, where *applies* (if there is one) says so."""

    explains: Event
    silenced: Event
    applies: Callable[[Finding, Finding, Case], bool] | None = None

    def explains_here(self, cause: Finding, consequence: Finding, case: Case) -> bool:
        """True if this very finding explains that one."""
        return self.applies is None or self.applies(cause, consequence, case)


def _only_value_at_home(_: Finding, __: Finding, case: Case) -> bool:
    return case.home is not None and not case.home.found and bool(case.home.unparsable)


def _restored(cause: Finding, _: Finding, __: Case) -> bool:
    return cause.cause == catalog.RESTORED_IMAGE


def _restored_with_it(cause: Finding, consequence: Finding, case: Case) -> bool:
    return _restored(cause, consequence, case) and _same_certificate(cause, consequence, case)


def _same_key(_: Finding, consequence: Finding, case: Case) -> bool:
    if consequence.cause == catalog.RESTORED_IMAGE:
        return False
    expected = case.expected
    shown = [wire for wire in case.wires if wire.place == consequence.place]
    return expected is not None and any(
        leaf.pin == expected.pin for wire in shown for leaf in wire.found or ()
    )


def _waits(_: Finding, __: Finding, case: Case) -> bool:
    """A rotation that could go on now is held back by nobody."""
    return case.plan is not None and case.plan.action is None


def _same_certificate(cause: Finding, consequence: Finding, _: Case) -> bool:
    return cause.values["fingerprint"] == consequence.values["fingerprint"]


def _at_home(cause: Finding, _: Finding, case: Case) -> bool:
    return case.home is not None and cause.place == case.home.place


def _nothing_is_current(_: Finding, __: Finding, case: Case) -> bool:
    return case.store is not None and case.current is None


PRECEDENCE: tuple[Precedence, ...] = (
    # What the store of a restored host expects at home is as old as the store.
    Precedence(catalog.PRESENTED_NOT_PUBLISHED, catalog.CERTIFICATE_MISSING, _restored_with_it),
    Precedence(catalog.PRESENTED_NOT_PUBLISHED, catalog.NOT_IN_STORE, _restored),
    Precedence(catalog.CORRUPTED, catalog.CERTIFICATE_MISSING, _only_value_at_home),
    Precedence(catalog.CERTIFICATE_MISSING, catalog.NOT_IN_STORE),
    Precedence(catalog.CERTIFICATE_MISSING, catalog.REPLICA_BEHIND),
    Precedence(catalog.CERTIFICATE_MISSING, catalog.PRESENTED_NOT_PUBLISHED, _same_key),
    Precedence(catalog.CERTIFICATE_MISSING, catalog.TLS_NOT_OFFERED, _nothing_is_current),
    Precedence(catalog.CERTIFICATE_MISSING, catalog.ROTATION_BLOCKED),
    Precedence(catalog.PRESENTED_NOT_PUBLISHED, catalog.PRESENTED_NOT_CURRENT),
    # Whoever mends these would bring the stranger to every replica.
    Precedence(catalog.STRANGER_PUBLISHED, catalog.REPLICATING, _same_certificate),
    Precedence(catalog.STRANGER_PUBLISHED, catalog.REPLICA_BEHIND, _same_certificate),
    Precedence(catalog.STRANGER_PUBLISHED, catalog.REPLICA_WENT_BACK, _same_certificate),
    # Nothing is made anew while a good one is on its way.
    Precedence(catalog.REPLICATING, catalog.NOT_IN_STORE, _at_home),
    Precedence(catalog.REPLICATING, catalog.ROTATION_BLOCKED, _waits),
    Precedence(catalog.REPLICA_BEHIND, catalog.ROTATION_BLOCKED, _waits),
    Precedence(catalog.REPLICA_UNREADABLE, catalog.ROTATION_BLOCKED, _waits),
    Precedence(catalog.REPLICA_WENT_BACK, catalog.ROTATION_BLOCKED, _waits),
)
"""What needs an unreadable look stays silent by itself: a check never acts on ``found=None``."""


class Verdict(StrEnum):
    """The sum of a diagnosis, for a monitoring system."""

    OK = "ok"
    WARNING = "warning"
    UNKNOWN = "unknown"
    ERROR = "error"


def diagnose(
    view: View,
    plans: Mapping[ServerName, Plan],
    policy: Policy,
    now: datetime,
    scope: Collection[ServerName] | None = None,
    viewpoint: ServerName | None = None,
) -> Diagnosis:
    """
    What is wrong with the servers of *scope* (None: all that were looked at), causes first.

    *viewpoint* is the server whose home replica this is: what concerns a replica as a whole is said
    once, under its name.
    """
    findings: list[Finding] = []
    silenced: list[Silenced] = []
    for case in cases(view, plans, policy, now, scope, viewpoint):
        found = [finding for check in CHECKS for finding in check(case)]
        consequences = {id(one.finding): one for one in _silence(found, case)}
        silenced += consequences.values()
        findings += (finding for finding in found if id(finding) not in consequences)
    findings.sort(key=lambda finding: finding.severity.rank)
    return Diagnosis(tuple(findings), tuple(silenced))


def cases(
    view: View,
    plans: Mapping[ServerName, Plan],
    policy: Policy,
    now: datetime,
    scope: Collection[ServerName] | None = None,
    viewpoint: ServerName | None = None,
) -> Iterator[Case]:
    """One case per server of *scope*, by name; the arguments are those of `diagnose`."""
    servers = view.servers() if scope is None else tuple(sorted(scope))
    spokesman = viewpoint if viewpoint in servers else next(iter(servers), None)
    holders = _holders(view)
    for server in servers:
        yield Case(server, view, policy, now, holders, plans.get(server), server == spokesman)


def verdict(diagnosis: Diagnosis, view: View, scope: Collection[ServerName]) -> Verdict:
    """
    Error for any error; else unknown where home, a store of our own or everything asked for could not
    be looked at; else warning; else ok.
    """
    severities = {finding.severity for finding in diagnosis.findings}
    if Severity.ERROR in severities:
        return Verdict.ERROR
    if any(_is_blind(view, server) for server in scope):
        return Verdict.UNKNOWN
    return Verdict.WARNING if Severity.WARNING in severities else Verdict.OK


def _is_blind(view: View, server: ServerName) -> bool:
    home, store = view.home(server), view.store(server)
    return home is None or home.found is None or (store is not None and store.found is None)


def _silence(found: list[Finding], case: Case) -> Iterator[Silenced]:
    for consequence in found:
        for rule in PRECEDENCE:
            if rule.silenced is not consequence.event:
                continue
            causes = (one for one in found if one.event is rule.explains)
            cause = next((one for one in causes if rule.explains_here(one, consequence, case)), None)
            if cause is not None:
                yield Silenced(consequence, cause)
                break


def _holders(view: View) -> Mapping[Pin, frozenset[ServerName]]:
    holders: dict[Pin, set[ServerName]] = {}
    for server in view.servers():
        for look in view.replicas(server):
            for pin in look.pins:
                holders.setdefault(pin, set()).add(server)
    return {pin: frozenset(servers) for pin, servers in holders.items()}
