"""
What enforcing would do with each SMTP session, counted by peer and day: what report mode is for.

A peer that nobody believes yet has only an address, so that is what it is counted under; for a next hop, the
host that the route names.  Only sessions that asked to hand over mail count: a look by `check` is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

OTHERS = "*"
"""In place of a peer: everybody, or those that were too many to be told apart."""


class Way(StrEnum):
    """Who called whom."""

    FROM = "from"
    TO = "to"


class Reason(StrEnum):
    """Why enforcing would take a session, or defer it."""

    PUBLISHED = "published"
    UNKNOWN_KEY = "unknown-key"
    WITHDRAWN_KEY = "withdrawn-key"
    """It was published once: a process, or a whole host, is older than the withdrawal."""
    UNREADABLE = "unreadable-certificate"
    NO_CERTIFICATE = "no-certificate"
    NO_TLS = "no-tls"
    OLD_VIEW = "view-too-old"
    """Its key is published, but nobody is believed by so old a snapshot (`on_stale = "defer"`)."""
    NOT_LOGGED = "not-logged"
    """The mail server's log does not say what was presented."""
    LOG_LOST = "log-lost"
    """Lines of the log were gone before we read them: who called then, nobody knows."""

    @property
    def accepts(self) -> bool:
        """True for the one reason to take it."""
        return self is Reason.PUBLISHED


@dataclass(frozen=True, slots=True)
class Met:
    """One kind of session: sessions of one kind are counted, and not told apart."""

    peer: str
    """Its address; of a next hop the host, as the route writes it."""
    way: Way
    reason: Reason
    server: str = ""
    """Whose key it is, or was; empty where nobody knows."""
    fingerprint: str = ""
    """The digest of the certificate as the transport told it: ours is SHA-256, Postfix's is configured."""
    pin: str = ""
    """The same of its public key."""

    @property
    def unnamed(self) -> Met:
        """The same without its certificate, for when there are too many."""
        return replace(self, fingerprint="", pin="")


@dataclass(frozen=True, slots=True)
class Count:
    """How many of a kind came on one day (UTC)."""

    met: Met
    sessions: int
    first_at: datetime
    last_at: datetime

    @property
    def day(self) -> date:
        """The day they came on."""
        return self.first_at.date()

    def and_then(self, other: Count) -> Count:
        """Both together; of one kind and day."""
        first, last = min(self.first_at, other.first_at), max(self.last_at, other.last_at)
        return replace(self, sessions=self.sessions + other.sessions, first_at=first, last_at=last)


@dataclass(frozen=True, slots=True)
class PeerReport:
    """One peer over some days."""

    peer: str
    way: Way
    servers: tuple[str, ...]
    """Whose published keys it presented: more than one where several servers share an address."""
    would_accept: int
    would_defer: Mapping[Reason, int]
    """By reason, the most frequent first; empty where nothing would be deferred."""
    first_at: datetime
    last_at: datetime
    clean_days: int
    """Days in a row, up to the last one with a session, on which all would have been taken."""
    last_deferred: Count | None = None

    @property
    def clean(self) -> bool:
        """True while nothing of these days would have been deferred."""
        return not self.would_defer


def gathered(counts: Iterable[Count]) -> tuple[Count, ...]:
    """The same with one count for each kind and day."""
    found: dict[tuple[date, Met], Count] = {}
    for one in counts:
        key = one.day, one.met
        found[key] = found[key].and_then(one) if key in found else one
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What is known of keys that are published no longer: their digests, with whose they were."""

    owners: Mapping[str, str] = field(default_factory=dict)

    def owner(self, met: Met) -> str:
        """Whose key an unknown one was; empty where it never was anybody's, as far as we know."""
        return self.owners.get(met.fingerprint) or self.owners.get(met.pin, "")

    def learning(self, counts: Iterable[Count]) -> Withdrawn:
        """The same, and what was counted as published: if it is unknown at another time, it was withdrawn."""
        seen = {
            digest: one.met.server
            for one in counts
            if one.met.reason.accepts
            for digest in (one.met.fingerprint, one.met.pin)
            if digest
        }
        return Withdrawn({**seen, **self.owners})

    def told_apart(self, one: Count) -> Count:
        """An unknown key that was known before is a withdrawn one."""
        owner = self.owner(one.met) if one.met.reason is Reason.UNKNOWN_KEY else ""
        if not owner:
            return one
        return replace(one, met=replace(one.met, reason=Reason.WITHDRAWN_KEY, server=owner))


def reports(
    counts: Iterable[Count], withdrawn: Withdrawn, since: date | None = None
) -> tuple[PeerReport, ...]:
    """
    Each peer's sessions since that day, by peer; its clean days are counted from all of *counts*.

    A day without sessions is no evidence: it neither counts nor ends the row.  A day of which lines of the
    log were lost does end it.
    """
    everything = tuple(counts)
    known = withdrawn.learning(everything)
    lost = frozenset(one.day for one in everything if one.met.reason is Reason.LOG_LOST)
    by_peer: dict[tuple[str, Way], list[Count]] = {}
    for one in everything:
        if one.met.reason is not Reason.LOG_LOST:
            by_peer.setdefault((one.met.peer, one.met.way), []).append(known.told_apart(one))
    found = (_report(peer, way, held, lost, since) for (peer, way), held in sorted(by_peer.items()))
    return tuple(one for one in found if one is not None)


ENOUGH_CLEAN_DAYS = 7
"""So many it takes before a peer is enforced, unless somebody says otherwise."""


def clean_days(counts: Iterable[Count], lost: frozenset[date] = frozenset()) -> int:
    """How many of one peer's last days in a row were clean."""
    verdicts: dict[date, bool] = {}
    for one in counts:
        verdicts[one.day] = verdicts.get(one.day, True) and one.met.reason.accepts
    row = 0
    for day in sorted(verdicts.keys() | lost, reverse=True):
        if day in lost or not verdicts[day]:
            break
        row += 1
    return row


def _report(
    peer: str, way: Way, counts: list[Count], lost: frozenset[date], since: date | None
) -> PeerReport | None:
    shown = [one for one in counts if since is None or one.day >= since]
    if not shown:
        return None
    deferred = [one for one in shown if not one.met.reason.accepts]
    reasons = Counter[Reason]()
    for one in deferred:
        reasons[one.met.reason] += one.sessions
    return PeerReport(
        peer,
        way,
        tuple(sorted({one.met.server for one in shown if one.met.reason.accepts} - {""})),
        sum(one.sessions for one in shown if one.met.reason.accepts),
        dict(reasons.most_common()),
        min(one.first_at for one in shown),
        max(one.last_at for one in shown),
        clean_days(counts, lost),
        max(deferred, key=lambda one: one.last_at, default=None),
    )
