"""Published against published: which replica does not have yet, or no longer has, what another one has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from mailtrust.core.checks.case import Case, enable_command
from mailtrust.core.events import catalog
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.event import Event, Finding, Said, Severity, when
from mailtrust.core.model.replication import Fate
from mailtrust.core.model.sighting import ReplicaSighting


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
                # A branch that cannot be reached from here is read by its own servers.
                severity_here=Severity.INFORMATION if look.far and not look.home else None,
            )  # fmt: skip


def replicating(case: Case) -> Iterator[Finding]:
    """On its way to that replica, within the latency that is known here."""
    for lack in lacking(case):
        if case.now < lack.deadline and lack.held_at is None and lack.fate is not Fate.LOST:
            yield lack.finding(
                catalog.REPLICATING,
                lack.published,
                action="mailtrust wait" if case.store is not None else None,
                since=lack.published_at,
                until=lack.deadline,
            )
    yield from _enabled_at_unread_primary(case)


def replica_behind(case: Case) -> Iterator[Finding]:
    """
    Overdue at a replica, or lost there.  Of the expected certificate at home, 12012 says so.

    Seen from outside, what was lost may just as well have been withdrawn by its own server.
    """
    for lack in lacking(case):
        if lack.fate is Fate.LOST:
            if not lack.is_expected_at_home:
                outside = None if case.store is not None else Severity.INFORMATION
                yield lack.finding(
                    catalog.REPLICA_BEHIND, lack.published, lack.say("replica.lost"),
                    action=lack.mending, since=lack.published_at, milder=outside,
                )  # fmt: skip
        elif case.now >= lack.deadline and not lack.is_expected_at_home and lack.held_at is None:
            due = lack.say("replica.deadline-passed", deadline=when(lack.deadline))
            late = (lack.say("replica.not-arrived"),) if lack.fate is Fate.LATE else ()
            yield lack.finding(
                catalog.REPLICA_BEHIND, lack.published, due, *late,
                action=lack.mending, since=lack.deadline,
            )  # fmt: skip


def replica_went_back(case: Case) -> Iterator[Finding]:
    """It held a certificate before and forgot it: restored from a backup, or written over."""
    for lack in lacking(case):
        if lack.held_at is not None and lack.fate is not Fate.LOST:
            yield lack.finding(
                catalog.REPLICA_WENT_BACK, lack.say("replica.held-before", at=when(lack.held_at)),
                lack.published, action=lack.mending, since=lack.held_at,
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lack:
    """A readable replica without a key that another one publishes."""

    case: Case
    look: ReplicaSighting
    leaf: Certificate
    published_at: datetime
    """When it was published anywhere."""
    fate: Fate
    """What became of it here, as far as the directory tells."""

    @property
    def deadline(self) -> datetime:
        """By when it is due here."""
        return self.published_at + self.case.latency_at(self.look, self.leaf.pin)

    @property
    def is_expected(self) -> bool:
        """True if it is the key that peers ought to find."""
        expected = self.case.expected
        return expected is not None and self.leaf.pin == expected.pin

    @property
    def is_expected_at_home(self) -> bool:
        """True if 12012 speaks of it."""
        return self.look.home and self.is_expected

    @property
    def held_at(self) -> datetime | None:
        """When we first saw it there, at an earlier look."""
        return self.case.history.first_seen.get((self.case.server, self.look.place, self.leaf.fingerprint))

    @property
    def published(self) -> Said:
        """Where and since when it stands."""
        holders = ", ".join(other.place for other in self.case.publishing(self.leaf.pin))
        return self.say("replica.published-at", at=when(self.published_at), holders=holders)

    @property
    def mending(self) -> str | None:
        """What to type to bring it here; None where none of our commands does."""
        policy = self.case.policy
        writable = policy.every_replica_takes_writes and not self.look.read_only
        if writable and self.case.store is not None and self.is_expected:
            return enable_command(self.leaf.fingerprint, self.look.place)
        if not policy.replicates_itself:
            return "mailtrust directory replicate --once"
        return f"mailtrust directory pull {self.case.server}" if policy.pulls else None

    def say(self, phrase: str, **values: str) -> Said:
        """A phrase about it."""
        return Said(phrase, {**_values(self.look, self.leaf), **values})

    def finding(
        self,
        event: Event,
        *evidence: Said,
        action: str | None,
        since: datetime,
        until: datetime | None = None,
        milder: Severity | None = None,
    ) -> Finding:
        """A finding about it."""
        values = _values(self.look, self.leaf) | ({"until": when(until)} if until else {})
        return Finding(
            event, self.case.server, self.look.place, values=values, evidence=evidence, action=action,
            since=since, until=until, severity_here=milder,
        )  # fmt: skip


def lacking(case: Case) -> Iterator[Lack]:
    """Every readable replica without a key that another one publishes, unless it is being withdrawn."""
    leaves = {one.certificate.pin: one.certificate for look in case.readable for one in look.found or ()}
    for pin, leaf in leaves.items():
        published_at = case.published_at(pin)
        if published_at is None or case.is_withdrawn(leaf):
            continue
        for look in case.readable:
            if pin not in look.pins:
                yield Lack(case, look, leaf, published_at, case.fate_at(look, pin))


def _enabled_at_unread_primary(case: Case) -> Iterator[Finding]:
    """Published a moment ago at a replica that cannot be read now: it may well be on its way."""
    leaf, home = case.expected, case.home
    if leaf is None or home is None or case.store is None or case.published_at(leaf.pin) is not None:
        return
    act = case.history.last("enable", case.server, leaf.fingerprint)
    unread = [look.place for look in case.replicas if look.found is None]
    if act is None or act.failed or act.place not in unread or case.is_withdrawn(leaf):
        return
    deadline = act.done_at + case.policy.latency
    if case.now < deadline:
        values = {**_values(home, leaf), "until": when(deadline)}
        said = Said("replica.written-unread", {**values, "at": when(act.done_at), "place": act.place})
        yield Finding(
            catalog.REPLICATING, case.server, home.place, values=values, evidence=(said,),
            action="mailtrust wait", since=act.done_at, until=deadline,
        )  # fmt: skip


def _values(look: ReplicaSighting, leaf: Certificate) -> dict[str, str]:
    return {"fingerprint": short(leaf.fingerprint), "replica": look.place}
