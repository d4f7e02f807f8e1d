"""
12012, the event this project began with: the home replica does not publish the installed certificate.

It has four causes, and exactly one holds.  Each is a predicate with its evidence; the others are ruled
out with why.  Where the looks cannot decide between them, the cause stays open and is not guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from mailtrust.core.checks.case import Case, enable_command
from mailtrust.core.events import catalog
from mailtrust.core.events.catalog import NO_CERTIFICATE, NOT_ENABLED, NOT_WRITTEN, OVERDUE
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.event import Finding, RuledOut, Said, said_duration, when
from mailtrust.core.model.replication import Fate
from mailtrust.core.model.sighting import Act, ReplicaSighting, Slot


def certificate_missing(case: Case) -> Iterator[Finding]:
    """The home replica answered and does not publish the installed certificate's key."""
    home, store = case.home, case.store
    if home is None or (store is not None and store.found is None):
        return
    if case.expected is None:
        if store is not None:
            yield _no_certificate(case, home)
    elif case.expected.pin not in home.pins:
        yield from _not_published(_Missing(case, home, case.expected))


@dataclass(frozen=True, slots=True)
class _Missing:
    """The certificate that ought to be at home and is not."""

    case: Case
    home: ReplicaSighting
    certificate: Certificate

    @property
    def enabled(self) -> Act | None:
        return self.case.history.last("enable", self.case.server, self.certificate.fingerprint)

    @property
    def was_enabled(self) -> bool:
        """By the journal; where that was lost, by the slot, which only enabling changes."""
        installed = self.case.installed
        return self.enabled is not None or (installed is not None and installed.slot is not Slot.NONE)

    @property
    def unread(self) -> tuple[ReplicaSighting, ...]:
        return tuple(look for look in self.case.replicas if look.found is None)

    @property
    def withdrawn_at(self) -> datetime | None:
        """When it was taken out for good."""
        return self.case.withdrawals.get(self.certificate.fingerprint)

    @property
    def older(self) -> tuple[Said, ...]:
        """What goes on working meanwhile: the current certificate, where it is another one."""
        current = self.case.current
        if current is None or current.certificate.pin not in self.home.pins:
            return ()
        return (self.say("missing.older-works", older=short(current.certificate.fingerprint)),)

    def say(self, phrase: str, **values: str) -> Said:
        names = {"fingerprint": short(self.certificate.fingerprint), "server": self.case.server}
        return Said(phrase, {**names, "replica": self.home.place, **values})

    def finding(
        self, cause: str | None, *evidence: Said, since: datetime | None, action: str | None
    ) -> Finding:
        return Finding(
            catalog.CERTIFICATE_MISSING,
            self.case.server,
            self.home.place,
            cause,
            {"replica": self.home.place, "fingerprint": short(self.certificate.fingerprint)},
            (self.say("missing.at-home", seen=when(self.home.seen_at)), *evidence, *self.older),
            tuple(_ruled_out(self, cause)) if cause else (),
            action,
            since,
        )


def _no_certificate(case: Case, home: ReplicaSighting) -> Finding:
    store = case.store
    assert store is not None  # noqa: S101  # only the server's own store tells that nothing is installed
    found = store.found or ()
    values = {"server": case.server, "store": store.place, "count": str(len(found)), "replica": home.place}
    evidence = [Said("missing.store-empty" if not found else "missing.none-fits", values)]
    evidence += [
        Said("missing.authority", {**values, "fingerprint": short(one.certificate.fingerprint)})
        for one in found
        if one.certificate.is_ca and one.certificate.covers(case.server)
    ]
    if home.found:
        held = ", ".join(short(one.certificate.fingerprint) for one in home.found)
        evidence.append(Said("missing.others-published", {**values, "fingerprints": held}))
    return Finding(
        catalog.CERTIFICATE_MISSING,
        case.server,
        home.place,
        NO_CERTIFICATE,
        {"replica": home.place, "fingerprint": "-"},
        tuple(evidence),
        tuple(
            RuledOut(cause, Said("ruled-out.nothing-installed", values))
            for cause in (NOT_ENABLED, NOT_WRITTEN, OVERDUE)
        ),
        "mailtrust new",
    )


def _not_published(missing: _Missing) -> Iterator[Finding]:
    case, certificate = missing.case, missing.certificate
    published_at = case.published_at(certificate.pin)
    # A replica that the withdrawal has not reached yet still shows it; home will not get it any more.
    if published_at is not None and missing.withdrawn_at is None:
        if case.fate_at(missing.home, certificate.pin) is Fate.LOST:
            yield _lost(missing, published_at)
        # Within the latency it is on its way, and 12101 says so.
        elif case.now >= published_at + case.latency_at(missing.home, certificate.pin):
            yield _overdue(missing, published_at)
    elif case.store is None:
        # Seen from outside nobody can tell whether it was ever enabled; 12104 says what peers will do.
        return
    elif missing.was_enabled:
        yield from _enabled_and_nowhere(missing)
    else:
        arrived = case.installed.arrived_at if case.installed else case.now
        yield missing.finding(
            NOT_ENABLED,
            missing.say("missing.installed-since", at=when(arrived)),
            missing.say("missing.never-enabled" if case.history.readable else "missing.slot-none"),
            _published_nowhere(missing),
            since=arrived,
            action="mailtrust new" if case.is_step_back else enable_command(certificate.fingerprint),
        )


def _enabled_and_nowhere(missing: _Missing) -> Iterator[Finding]:
    case, certificate, act = missing.case, missing.certificate, missing.enabled
    gone = missing.withdrawn_at
    enabled = _enabled_evidence(missing, act)
    since = act.done_at if act else None
    if gone is not None:
        withdrawn = missing.say("missing.withdrawn", at=when(gone))
        yield missing.finding(NOT_WRITTEN, enabled, withdrawn, since=gone, action="mailtrust new")
    elif not missing.unread:
        yield missing.finding(
            NOT_WRITTEN,
            enabled,
            _published_nowhere(missing),
            since=since,
            action=enable_command(certificate.fingerprint),
        )
    elif act is None or act.failed or case.now >= act.done_at + case.policy.latency:
        # It may stand at a replica that we cannot read: neither lost nor late is proven.
        unread = ", ".join(look.place for look in missing.unread)
        yield missing.finding(
            None, enabled, _published_nowhere(missing), missing.say("missing.unread", replicas=unread),
            since=since, action=enable_command(certificate.fingerprint),
        )  # fmt: skip


def _enabled_evidence(missing: _Missing, act: Act | None) -> Said:
    if act is None:
        return missing.say("missing.slot-enabled")
    if act.failed:
        return missing.say("missing.enable-failed", at=when(act.done_at), why=act.failed)
    return missing.say("missing.enabled-at", at=when(act.done_at), place=act.place)


def _published_nowhere(missing: _Missing) -> Said:
    readable = missing.case.readable
    return missing.say(
        "missing.published-nowhere", count=str(len(readable)), total=str(len(missing.case.replicas))
    )


def _overdue(missing: _Missing, published_at: datetime) -> Finding:
    case, home = missing.case, missing.home
    latency = case.latency_at(home, missing.certificate.pin)
    deadline = published_at + latency
    proof = [
        _published_elsewhere(missing),
        missing.say(
            "missing.deadline-passed",
            start=when(published_at),
            latency=said_duration(latency.total_seconds()),
            deadline=when(deadline),
            late=said_duration(max(1, (case.now - deadline).total_seconds())),
        ),
    ]
    if case.fate_at(home, missing.certificate.pin) is Fate.LATE:
        proof.append(missing.say("missing.not-arrived"))
    partners = ", ".join(home.partners)
    link = missing.say("missing.partners", partners=partners) if partners else missing.say("missing.link")
    return missing.finding(OVERDUE, *proof, link, since=deadline, action=_enable_at_home(missing))


def _lost(missing: _Missing, published_at: datetime) -> Finding:
    """Home has seen the write and does not have the value: waiting brings nothing."""
    again = enable_command(missing.certificate.fingerprint) if missing.case.store is not None else None
    return missing.finding(
        NOT_WRITTEN,
        _published_elsewhere(missing),
        missing.say("missing.lost", at=when(published_at)),
        since=published_at,
        action=_enable_at_home(missing) or again,
    )


def _published_elsewhere(missing: _Missing) -> Said:
    elsewhere = missing.case.publishing(missing.certificate.pin)
    return missing.say("missing.published-at", replicas=", ".join(look.place for look in elsewhere))


def _enable_at_home(missing: _Missing) -> str | None:
    case = missing.case
    if not case.policy.every_replica_takes_writes or missing.home.read_only or case.store is None:
        return None
    return enable_command(missing.certificate.fingerprint, missing.home.place)


def _ruled_out(missing: _Missing, cause: str) -> Iterator[RuledOut]:
    """Why the other causes do not hold, for a server that has a certificate to publish."""
    inside = missing.case.store is not None
    if inside:
        yield RuledOut(NO_CERTIFICATE, missing.say("ruled-out.installed"))
    published = bool(missing.case.publishing(missing.certificate.pin))
    if cause != NOT_ENABLED:
        yield RuledOut(
            NOT_ENABLED, missing.say("ruled-out.published" if published else "ruled-out.was-enabled")
        )
    if cause != NOT_WRITTEN:
        yield RuledOut(
            NOT_WRITTEN, missing.say("ruled-out.published" if published else "ruled-out.not-tried")
        )
    if cause != OVERDUE:
        withdrawn = "ruled-out.withdrawn" if missing.withdrawn_at else None
        arrived = "ruled-out.arrived" if published else "ruled-out.nowhere"
        yield RuledOut(OVERDUE, missing.say(withdrawn or arrived))
