"""
Mail that waits, and what its last attempt tells: where to look first.

A queue knows one sentence for each message: what the next hop answered, or the transport's own words where
it came to no answer.  Who speaks matters: the same `454` means "they do not believe us" in an answer, and
"we do not believe them" in our own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mailtrust.core.events import catalog


class Complaint(StrEnum):
    """What stands in the way, by the queue."""

    UNTRIED = "untried"
    """Nothing was tried yet."""
    THEY_REFUSE = "they-refuse"
    """The next hop does not believe us."""
    THEIR_VIEW_IS_OLD = "their-view-is-old"
    """The next hop's own snapshot is too old to believe anybody (12111 over there)."""
    THEIR_TABLES = "their-tables"
    """The next hop cannot look up whom it believes."""
    THEIR_TLS = "their-tls"
    """The next hop offers TLS and cannot do it."""
    WE_REFUSE = "we-refuse"
    """We do not believe the next hop."""
    OUR_VIEW_IS_OLD = "our-view-is-old"
    OUR_TABLES = "our-tables"
    """Our transport cannot look up whom it believes, or where to send."""
    OUR_TRANSPORT = "our-transport"
    """Our Postfix has no process that would take the mail there."""
    OUR_TLS = "our-tls"
    """Our transport cannot begin TLS: it cannot use its own key and certificate."""
    NO_TLS = "no-tls"
    NOBODY = "nobody"
    """No connection, no name, no whole handshake, or a connection that broke."""
    NO_ROUTE = "no-route"
    LOCAL = "local"
    """It waits for a mailbox here."""
    OTHER = "other"
    """Something that has nothing to do with trust, in the next hop's own words."""


LOCAL_HOP = "local"
_FIRST_TRY_WITHIN = timedelta(minutes=1)
_TRUST = "|".join(
    str(event.code)
    for event in (
        catalog.PEER_NOT_TRUSTED_INBOUND, catalog.CERTIFICATE_MISSING, catalog.PRESENTED_NOT_PUBLISHED,
        catalog.PRESENTED_NOT_CURRENT, catalog.KEY_SHARED,
    )
)  # fmt: skip
_STALE = catalog.SNAPSHOT_STALE.code
_ANSWERS: tuple[tuple[str, Complaint], ...] = (
    (rf"4\.7\.1 {_STALE}\b", Complaint.THEIR_VIEW_IS_OLD),
    (rf"4\.7\.1 (?:{_TRUST})\b", Complaint.THEY_REFUSE),
    # A client is turned away for its name, its haste or its neighbours in the same words, but for the last.
    (r"^4\d\d .*\b(?:relay access denied|client certificate rejected: (?:access denied|try again later)|"
     r"client host rejected: (?:access denied|try again later))", Complaint.THEY_REFUSE),
    (r"^4\d\d .*\bcertificate\b", Complaint.THEY_REFUSE),
    (r"^4\d\d 4\.7\.5\b", Complaint.THEY_REFUSE),
    (r"tls not available|tls currently unavailable", Complaint.THEIR_TLS),
    (r"^4\d\d .*\b(?:lookup failure|server configuration (?:error|problem))", Complaint.THEIR_TABLES),
)  # fmt: skip
"""What next hops answer; the first that is found.  Postfix's words are those of 3.4 to 3.10."""
_WORDS: tuple[tuple[str, Complaint], ...] = (
    (r"tls is required, but was not offered", Complaint.NO_TLS),
    (rf"^{catalog.PEER_NOT_TRUSTED_OUTBOUND.code} tls is required", Complaint.NO_TLS),
    (rf"^{catalog.PEER_NOT_TRUSTED_OUTBOUND.code}\b", Complaint.WE_REFUSE),
    (r"server certificate not (?:verified|trusted)|client tls configuration problem", Complaint.WE_REFUSE),
    (rf"^{_STALE}\b", Complaint.OUR_VIEW_IS_OLD),
    (r"no route leads there", Complaint.NO_ROUTE),
    (r"tls engine is unavailable", Complaint.OUR_TLS),
    (r"mail transport (?:unavailable|error)", Complaint.OUR_TRANSPORT),
    (r"lookup (?:failure|error|problem)|is unavailable", Complaint.OUR_TABLES),
    (r"connect|timed out|handshake|start tls|lost connection|conversation with|did not answer|gave no|closed|"
     r"name service error|look up host|not found|not resolved|no route to host|network is unreachable",
     Complaint.NOBODY),
)  # fmt: skip
_NO_CERTIFICATE = re.compile(r"no certificate was presented|\d 1036 TLS is required")
_NAMED = re.compile(r"certificate ([0-9a-f]{12})\b")


@dataclass(frozen=True, slots=True)
class Waiting:
    """One message, for those of its recipients that wait for the same."""

    id: str
    hop: str
    """The next hop as the transport writes it; ``local``; empty where there is no route, or none is known."""
    domains: tuple[str, ...]
    """Of its recipients."""
    since: datetime
    answer: str = ""
    """What the next hop said, its code first; empty where it came to no answer."""
    words: str = ""
    """What the transport says itself."""
    next_try: datetime | None = None
    ends_at: datetime | None = None
    """When its sender is told that it was given up."""

    @property
    def said(self) -> str:
        """The last word on it."""
        return _no(self.answer) or self.words

    @property
    def complaint(self) -> Complaint:
        """What stands in its way."""
        return complaint(self.hop, self.answer, self.words)


@dataclass(frozen=True, slots=True)
class Stuck:
    """Everything that waits for one next hop, and waits for the same reason."""

    hop: str
    waiting: tuple[Waiting, ...]
    """Oldest first; never empty."""

    @property
    def complaint(self) -> Complaint:
        """What stands in the way: by the oldest that was tried."""
        return self.spokesman.complaint

    @property
    def spokesman(self) -> Waiting:
        """The message whose reason speaks for all."""
        return next((one for one in self.waiting if one.said), self.waiting[0])

    @property
    def count(self) -> int:
        """Messages."""
        return len({one.id for one in self.waiting})

    @property
    def since(self) -> datetime:
        """How long the oldest has waited."""
        return self.waiting[0].since

    @property
    def bounces_at(self) -> datetime | None:
        """When the first sender is told; None where the queue does not tell."""
        return min((one.ends_at for one in self.waiting if one.ends_at), default=None)

    @property
    def next_try(self) -> datetime | None:
        """When the next attempt is made; None where the queue does not tell."""
        return min((one.next_try for one in self.waiting if one.next_try), default=None)

    @property
    def domains(self) -> tuple[str, ...]:
        """Of all recipients, each once, by name."""
        return tuple(sorted({domain for one in self.waiting for domain in one.domains}))

    def is_on_its_way(self, now: datetime) -> bool:
        """True for what was accepted a moment ago and not tried yet: every queue that works holds some."""
        return not self.spokesman.said and now - self.since < _FIRST_TRY_WITHIN

    @property
    def met_nobody(self) -> bool:
        """True where the next hop says that we presented no certificate at all."""
        return bool(_NO_CERTIFICATE.search(self.spokesman.said))

    @property
    def named(self) -> str:
        """The beginning of the fingerprint that the last word names; empty where it names none."""
        found = _NAMED.search(self.spokesman.said)
        return found[1] if found else ""


def complaint(hop: str, answer: str, words: str) -> Complaint:
    """What an attempt's outcome says: *answer* is the next hop's, *words* are our transport's own."""
    if hop == LOCAL_HOP:
        return Complaint.LOCAL
    if no := _no(answer):
        return _first(_ANSWERS, no)
    return _first(_WORDS, words) if words else Complaint.UNTRIED


def stuck(waiting: Iterable[Waiting]) -> tuple[Stuck, ...]:
    """
    What waits, by next hop; what waits for most messages first.

    Messages that were not tried yet wait for what stands in the way of the others.
    """
    hops: dict[str, list[Waiting]] = {}
    for one in sorted(waiting, key=lambda one: (one.since, one.id)):
        hops.setdefault(one.hop, []).append(one)
    found = [Stuck(hop, tuple(held)) for hop, held in hops.items()]
    return tuple(sorted(found, key=lambda one: (-one.count, one.since, one.hop)))


def _no(answer: str) -> str:
    """An answer that says no.  A positive one is kept where it lacked something: an EHLO without STARTTLS."""
    return answer if answer[:1] in ("4", "5") else ""


def _first(table: tuple[tuple[str, Complaint], ...], text: str) -> Complaint:
    lower = text.lower()
    return next((found for pattern, found in table if re.search(pattern, lower)), Complaint.OTHER)
