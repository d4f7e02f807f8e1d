"""Published against published: which replica does not have yet, or no longer has, what another one has."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from mailtrust.core.checks.case import Case, enable_command
from mailtrust.core.events import catalog
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.event import Finding, Said, when
from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.core.rotation import is_withdrawn


def replica_unreadable(case: Case) -> Iterator[Finding]:
    """We could not look there.  That is never "nothing is there"."""
    if not case.speaks_for_fleet:
        return
    for look in case.replicas:
        if look.found is None:
            values = {"replica": look.place, "why": look.why}
            phrase = "replica.unread-home" if look.home else "replica.unread"
            yield Finding(
                catalog.REPLICA_UNREADABLE, case.server, look.place, values=values,
                evidence=(Said(phrase, {**values, "seen": when(look.seen_at)}),),
            )  # fmt: skip


def replicating(case: Case) -> Iterator[Finding]:
    """On its way to that replica, within the latency that is known here."""
    for look, leaf, published_at in _lacking(case):
        deadline = published_at + case.policy.latency
        if case.now < deadline and not _held_before(case, look, leaf):
            values = {**_values(look, leaf), "until": when(deadline)}
            yield Finding(
                catalog.REPLICATING,
                case.server,
                look.place,
                values=values,
                evidence=(_published(case, leaf, published_at, look),),
                action="mailtrust wait" if case.store is not None else None,
                since=published_at,
                until=deadline,
            )
    yield from _enabled_at_unread_primary(case)


def replica_behind(case: Case) -> Iterator[Finding]:
    """Overdue at a replica.  Of the expected certificate at home, 12012 says so."""
    for look, leaf, published_at in _lacking(case):
        deadline = published_at + case.policy.latency
        at_home = look.home and case.expected is not None and leaf.pin == case.expected.pin
        if case.now >= deadline and not at_home and not _held_before(case, look, leaf):
            yield Finding(
                catalog.REPLICA_BEHIND, case.server, look.place, values=_values(look, leaf),
                evidence=(
                    _published(case, leaf, published_at, look),
                    Said("replica.deadline-passed", {**_values(look, leaf), "deadline": when(deadline)}),
                ),
                action=_mend(case, look, leaf), since=deadline,
            )  # fmt: skip


def replica_went_back(case: Case) -> Iterator[Finding]:
    """It held a certificate before and forgot it: restored from a backup, or written over."""
    for look, leaf, published_at in _lacking(case):
        seen = _held_before(case, look, leaf)
        if seen is not None:
            said = Said("replica.held-before", {**_values(look, leaf), "at": when(seen)})
            yield Finding(
                catalog.REPLICA_WENT_BACK, case.server, look.place, values=_values(look, leaf),
                evidence=(said, _published(case, leaf, published_at, look)),
                action=_mend(case, look, leaf), since=seen,
            )  # fmt: skip


def _lacking(case: Case) -> Iterator[tuple[ReplicaSighting, Certificate, datetime]]:
    """Every readable replica without a key that another one publishes, unless it is being withdrawn."""
    leaves = {one.certificate.pin: one.certificate for look in case.readable for one in look.found or ()}
    for pin, leaf in leaves.items():
        published_at = case.published_at(pin)
        if published_at is None or is_withdrawn(leaf, case.replicas):
            continue
        for look in case.readable:
            if pin not in look.pins:
                yield look, leaf, published_at


def _held_before(case: Case, look: ReplicaSighting, leaf: Certificate) -> datetime | None:
    return case.history.first_seen.get((case.server, look.place, leaf.fingerprint))


def _enabled_at_unread_primary(case: Case) -> Iterator[Finding]:
    """Published a moment ago at a replica that cannot be read now: it may well be on its way."""
    leaf, home = case.expected, case.home
    if leaf is None or home is None or case.store is None or case.published_at(leaf.pin) is not None:
        return
    act = case.history.last("enable", case.server, leaf.fingerprint)
    unread = [look.place for look in case.replicas if look.found is None]
    if act is None or act.failed or act.place not in unread or is_withdrawn(leaf, case.replicas):
        return
    deadline = act.done_at + case.policy.latency
    if case.now < deadline:
        values = {**_values(home, leaf), "until": when(deadline)}
        said = Said("replica.written-unread", {**values, "at": when(act.done_at), "place": act.place})
        yield Finding(
            catalog.REPLICATING, case.server, home.place, values=values, evidence=(said,),
            action="mailtrust wait", since=act.done_at, until=deadline,
        )  # fmt: skip


def _mend(case: Case, look: ReplicaSighting, leaf: Certificate) -> str | None:
    if not case.policy.every_replica_takes_writes:
        return None
    if case.store is not None and case.expected is not None and leaf.pin == case.expected.pin:
        return enable_command(leaf.fingerprint, look.place)
    return "mailtrust directory replicate --once"


def _values(look: ReplicaSighting, leaf: Certificate) -> dict[str, str]:
    return {"fingerprint": short(leaf.fingerprint), "replica": look.place}


def _published(case: Case, leaf: Certificate, at: datetime, look: ReplicaSighting) -> Said:
    holders = ", ".join(other.place for other in case.publishing(leaf.pin))
    return Said("replica.published-at", {**_values(look, leaf), "at": when(at), "holders": holders})
