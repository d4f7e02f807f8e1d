"""
One look at one place, and everything that is known of a server: the view.

A sighting whose *found* is None could not look, and *why* says what stopped it.  That is never
"nothing is there", which is an empty *found*.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from mailtrust.core.model.certificate import Certificate, Fingerprint, Pin
from mailtrust.core.model.plan import Rotation
from mailtrust.core.model.replication import Fate, Seen, Stamp, fate
from mailtrust.core.model.server import Endpoint, ServerName

SeenAt = tuple[ServerName, str, Fingerprint]
"""A server, a place of its copies, and what is seen there."""


class Slot(StrEnum):
    """What a certificate in the store is for."""

    CURRENT = "current"
    NEXT = "next"
    PREVIOUS = "previous"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Installed:
    """A certificate in the server's own store."""

    certificate: Certificate
    slot: Slot
    arrived_at: datetime
    has_key: bool = True


@dataclass(frozen=True, slots=True)
class Published:
    """A certificate on a server's entry at one replica."""

    certificate: Certificate
    published_at: datetime
    """When it was first published anywhere, by the directory's own record; it travels with the value."""
    stamp: Stamp | None = None
    """The write that it came from; None where the directory does not number its writes."""


@dataclass(frozen=True, slots=True)
class Unparsable:
    """A published value that is no certificate.  Its digest names it, as a fingerprint would."""

    digest: Fingerprint
    size_bytes: int
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Impostor:
    """A certificate that says in the directory that it is a server's, and is not believed."""

    certificate: Certificate
    entry: str
    """Where it stands: an entry's name."""
    why: str
    """The code of a phrase: who may put it there, and is not that server."""
    published_at: datetime


@dataclass(frozen=True, slots=True)
class StoreSighting:
    """One look into a server's store."""

    server: ServerName
    place: str
    """The store's folder."""
    found: tuple[Installed, ...] | None
    seen_at: datetime
    why: str = ""
    exposed: tuple[str, ...] = ()
    """Key files that others than their owner can read."""
    changed_at: datetime | None = None
    """When the file was last written that says which one is current, as the file system has it."""

    @property
    def pins(self) -> frozenset[Pin]:
        """The keys of every certificate found, whatever its slot; empty where we could not look."""
        return frozenset(one.certificate.pin for one in self.found or ())


class WireFailure(StrEnum):
    """Why a look at the wire found nothing."""

    UNREACHABLE = "unreachable"
    """No name, no connection, no SMTP greeting, or silence."""
    NOT_OFFERED = "tls-not-offered"
    """SMTP answered and offered neither verb."""
    HANDSHAKE = "handshake"
    """TLS began and did not finish."""
    NO_ANSWER = "not-probed"
    """We did not look, for a reason of our own."""


@dataclass(frozen=True, slots=True)
class WireSighting:
    """One look at one endpoint, in a finished TLS handshake."""

    server: ServerName
    endpoint: Endpoint
    found: tuple[Certificate, ...] | None
    """The leaf that was presented; never more than one in one look."""
    seen_at: datetime
    why: str = ""
    failure: WireFailure | None = None
    phase: str = "done"
    """How far it came: resolve, connect, banner, ehlo, starttls, handshake, done."""
    verb: str = ""
    """``STARTTLS`` or ``X-ANONYMOUSTLS``."""
    protocol: str = ""
    """``TLSv1.3`` and so on."""
    asks_client_certificate: bool | None = None
    """None where the handshake did not come that far."""
    source: str = ""
    """The address of ours that we came from; empty where nobody was connected to."""

    @property
    def place(self) -> str:
        """The endpoint, as people write it."""
        return str(self.endpoint)


@dataclass(frozen=True, slots=True)
class ReplicaSighting:
    """One look at one server's entry on one replica."""

    server: ServerName
    place: str
    """The replica's URL."""
    found: tuple[Published, ...] | None
    seen_at: datetime
    why: str = ""
    unparsable: tuple[Unparsable, ...] = ()
    withdrawn: Mapping[Fingerprint, datetime] = field(default_factory=dict)
    """What was taken out here for good, and when.  It never returns."""
    withdrawn_pins: frozenset[Pin] = frozenset()
    """Compromised keys: whatever certificate carries them is withdrawn too."""
    listeners: tuple[Endpoint, ...] = ()
    """Where the server says that it presents."""
    home: bool = False
    primary: bool = False
    writer: str = ""
    """How its own writes are signed in stamps; empty where it does not tell."""
    seen: Seen = field(default_factory=dict)
    """How far it has seen of each writer, read before the entry was; empty where it does not tell."""
    changed: Stamp | None = None
    """The last write to the entry, where the directory replicates entries as a whole."""
    partners: tuple[str, ...] = ()
    """Whom it copies from; empty where it does not tell."""
    latencies: Mapping[str, timedelta] = field(default_factory=dict)
    """By writer, how long its writes may take to get here by the directory's links; else as configured."""
    read_only: bool = False
    """It takes no writes, whatever the others do."""
    far: bool = False
    """It stands in another site: that it cannot be read from here is no more than a note."""
    author: str = ""
    """The account that wrote to the entry last; empty where nobody asked, or the directory does not tell."""
    impostors: tuple[Impostor, ...] = ()
    """What says here that it is this server's, and counts for nobody."""

    @property
    def pins(self) -> frozenset[Pin]:
        """The keys published here; empty where we could not look."""
        return frozenset(one.certificate.pin for one in self.found or ())

    def publication(self, pin: Pin) -> Published | None:
        """The earliest certificate found here with that key."""
        held = [one for one in self.found or () if one.certificate.pin == pin]
        return min(held, key=lambda one: one.published_at, default=None)

    def fate_of(self, written: Stamp | None) -> Fate:
        """What became here of a write whose value is not shown."""
        return fate(written, self.seen, self.changed)


@dataclass(frozen=True, slots=True)
class SnapshotSighting:
    """One look at the trust snapshot that a server's transport decides by."""

    server: ServerName
    place: str
    """The snapshot's file."""
    seen_at: datetime
    taken_at: datetime | None
    """When the replica last answered; None when it never did."""
    replica: str = ""
    kept: tuple[ServerName, ...] = ()
    """Whose keys it believes although the replica shows them no longer: a server for each key."""
    kept_until: datetime | None = None
    """When the last of these goes."""


@dataclass(frozen=True, slots=True)
class RehearsalSighting:
    """What a peer said to a certificate that *server* does not present yet, in a session without mail."""

    server: ServerName
    place: str
    """The peer, as ``NAME HOST:PORT``."""
    fingerprint: Fingerprint
    accepted: bool | None
    """None where the peer could not be asked."""
    seen_at: datetime
    why: str = ""
    """What it answered, or why it could not be asked."""


Sighting = StoreSighting | WireSighting | ReplicaSighting | SnapshotSighting | RehearsalSighting
_AnySighting = TypeVar(
    "_AnySighting", StoreSighting, WireSighting, ReplicaSighting, SnapshotSighting, RehearsalSighting
)


NOT_ENDED = "it did not come to its end"
"""Why an act has failed that was begun and of which no more is known."""


@dataclass(frozen=True, slots=True)
class Act:
    """Something that was done here, from the journal."""

    what: str
    """``enable``, ``present``, ``withdraw``, …"""
    server: ServerName
    fingerprint: Fingerprint
    done_at: datetime
    place: str = ""
    """The replica it was done at, where there was one."""
    failed: str = ""
    """Why it did not come to its end; empty when it did."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A rotation that somebody asked for, or that was due."""

    rotation: Rotation
    why: str
    """``start``, ``now``, ``undo``, ``compromised``, or ``due`` where nobody asked."""
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Dead:
    """An operator's word that a replica is gone, so that nothing waits for it."""

    place: str
    until: datetime
    reason: str
    declared_at: datetime


@dataclass(frozen=True, slots=True)
class History:
    """What the journal remembers: acts and intents, and since when a certificate is seen where."""

    acts: tuple[Act, ...] = ()
    """Oldest first."""
    first_seen: Mapping[SeenAt, datetime] = field(default_factory=dict)
    """By server, place (endpoint or replica URL) and fingerprint."""
    since: Mapping[SeenAt, datetime] = field(default_factory=dict)
    """The same, and only where every look since then found it: what was missing once begins anew."""
    intent: Intent | None = None
    """The rotation that was begun and has not come to its end."""
    dead: tuple[Dead, ...] = ()
    """Replicas that were declared dead, also those for which that has ended."""
    readable: bool = True
    """False where the journal could not be read: then "never enabled here" cannot be said."""

    def withdrawn(self, server: ServerName) -> Iterator[tuple[Fingerprint, datetime]]:
        """What we took out for good; an LDAP directory forgets it, and then nobody else knows."""
        for act in self.acts:
            if (act.what, act.server) == ("withdraw", server) and not act.failed:
                yield act.fingerprint, act.done_at

    def withdrawals_begun(self, server: ServerName) -> Iterator[tuple[Fingerprint, datetime]]:
        """What we began to take out: whoever is killed meanwhile does not learn whether it came to that."""
        for act in self.acts:
            if (act.what, act.server, act.failed) == ("withdraw", server, NOT_ENDED):
                yield act.fingerprint, act.done_at

    def last_of(self, what: str, server: ServerName) -> Act | None:
        """The latest act of that kind at a server that came to its end."""
        found = [act for act in self.acts if (act.what, act.server) == (what, server) and not act.failed]
        return found[-1] if found else None

    def is_dead(self, place: str, now: datetime) -> bool:
        """True if an operator's word that the replica is gone still holds."""
        return self.death(place, now) is not None

    def death(self, place: str, now: datetime) -> Dead | None:
        """That word, while it holds."""
        return next((one for one in self.dead if one.place == place and now < one.until), None)

    def last(self, what: str, server: ServerName, fingerprint: Fingerprint) -> Act | None:
        """The latest act of that kind on that certificate."""
        wanted = (what, server, fingerprint)
        found = [act for act in self.acts if (act.what, act.server, act.fingerprint) == wanted]
        return found[-1] if found else None


@dataclass(frozen=True, slots=True)
class View:
    """What we know: the latest look at every place, and what the journal remembers."""

    latest: Mapping[ServerName, Mapping[tuple[type, str], Sighting]] = field(default_factory=dict)
    """By server, then by kind of sighting and place: a fleet's questions cost no more per server."""
    history: History = field(default_factory=History)

    def see(self, looks: Iterable[Sighting]) -> View:
        """This view with new looks folded in; the latest look at a place stands for it."""
        latest: dict[ServerName, dict[tuple[type, str], Sighting]] = {
            server: dict(places) for server, places in self.latest.items()
        }
        for look in looks:
            latest.setdefault(look.server, {})[type(look), look.place] = look
        return View(latest, self.history)

    def servers(self) -> tuple[ServerName, ...]:
        """Everyone that was looked at, in alphabetical order."""
        return tuple(sorted(self.latest))

    def store(self, server: ServerName) -> StoreSighting | None:
        """The look into that server's own store; None where it is not ours to look into."""
        looks = self.latest.get(server, {}).values()
        return next((look for look in looks if isinstance(look, StoreSighting)), None)

    def installed(self, server: ServerName) -> tuple[Installed, ...]:
        """What that server's own store has; empty where nothing is, and where we could not look."""
        store = self.store(server)
        return (store.found if store else None) or ()

    def current(self, server: ServerName) -> Installed | None:
        """What that server's own store says it presents; None where nothing is, or we could not look."""
        return next((one for one in self.installed(server) if one.slot is Slot.CURRENT), None)

    def wires(self, server: ServerName) -> tuple[WireSighting, ...]:
        """One sighting per endpoint, in the order in which they were first seen."""
        return tuple(self._of(WireSighting, server))

    def replicas(self, server: ServerName) -> tuple[ReplicaSighting, ...]:
        """One sighting per replica, in the order in which they were first seen."""
        looks = self.latest.get(server, {}).values()
        return tuple([look for look in looks if isinstance(look, ReplicaSighting)])

    def home(self, server: ServerName) -> ReplicaSighting | None:
        """The look at the replica that we read."""
        return next((look for look in self.replicas(server) if look.home), None)

    def withdrawals(self, server: ServerName) -> Mapping[Fingerprint, datetime]:
        """What was taken out for good, and when: by the replicas that remember it, and by our journal."""
        gone: dict[Fingerprint, datetime] = dict(self.history.withdrawn(server))
        for fingerprint, at in self.history.withdrawals_begun(server):
            if not self._stands_at_primary(server, fingerprint):
                gone.setdefault(fingerprint, at)
        for look in self.replicas(server):
            for fingerprint, at in look.withdrawn.items():
                gone[fingerprint] = min(at, gone.get(fingerprint, at))
        return gone

    def _stands_at_primary(self, server: ServerName, fingerprint: Fingerprint) -> bool:
        return any(
            one.certificate.fingerprint == fingerprint
            for look in self.replicas(server)
            if look.primary
            for one in look.found or ()
        )

    def is_withdrawn(self, server: ServerName, leaf: Certificate) -> bool:
        """True if it, or its key, was taken out for good."""
        keys = (look.withdrawn_pins for look in self.replicas(server))
        return leaf.fingerprint in self.withdrawals(server) or any(leaf.pin in pins for pins in keys)

    def snapshot(self, server: ServerName) -> SnapshotSighting | None:
        """What that server's transport decides by; None where it has none, or none we can see."""
        return next(self._of(SnapshotSighting, server), None)

    def rehearsals(self, server: ServerName) -> tuple[RehearsalSighting, ...]:
        """What that server's peers said to a certificate that it does not present yet."""
        return tuple(self._of(RehearsalSighting, server))

    def _of(self, kind: type[_AnySighting], server: ServerName) -> Iterator[_AnySighting]:
        return (look for look in self.latest.get(server, {}).values() if isinstance(look, kind))
