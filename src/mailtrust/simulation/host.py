"""A mail server of a world: its store, what its processes present, its journal, snapshot and clock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from mailtrust.certificates.slots import Slots
from mailtrust.core.model.certificate import Certificate, Fingerprint
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import Installed, Slot
from mailtrust.core.model.trust import Column, Snapshot
from mailtrust.simulation.diary import Diary
from mailtrust.simulation.values import BEGINNING, LINGERS, certificate_of, host_name


@dataclass(slots=True)
class Host:
    """One server.  Its certificates are numbered in the order in which they were made."""

    number: int
    home: int
    is_hub: bool
    """A hub looks again for an unknown key, and has no old processes; Postfix decides by tables alone."""
    days_left: int = 1795
    name: ServerName = field(init=False)
    leaves: dict[Fingerprint, Certificate] = field(default_factory=dict)
    """What is in the store, or was at any time."""
    keyless: set[Fingerprint] = field(default_factory=set)
    slots: Slots = field(default_factory=Slots)
    held: tuple[Installed, ...] = ()
    diary: Diary = field(default_factory=Diary)
    chain: Fingerprint | None = None
    """What a new session is shown."""
    lingering: dict[Fingerprint, float] = field(default_factory=dict)
    """What older processes go on showing, and until which minute."""
    presented: list[Fingerprint] = field(default_factory=list)
    """What its chain file held before, the latest last."""
    is_frozen: bool = False
    """Its process takes no notice of another current certificate."""
    is_shown_anew: bool = False
    """Somebody put an old chain file there, and no agent has looked since."""
    is_blind: bool = False
    """Its own agent's probes come to nothing, and its peers' sessions do not."""
    has_readable_store: bool = True
    """False where its files refuse whoever wants to read them; its transport has read them before."""
    snapshot: Snapshot = field(default_factory=Snapshot)
    column: Column | None = None
    """What the snapshot was made of, where nothing came to it since: home need only say that it stands."""
    renewed_at: float = 0.0
    """The minute at which home last gave an answer that counts."""
    asked_at: float = -1e9
    """The minute at which home was last asked."""
    offset: float = 0.0
    """By how many minutes its clock is ahead."""
    drift: float = 0.0
    stepped: float = 0.0
    """How far its clock was set forward in all."""
    excused: set[Fingerprint] = field(default_factory=set)
    """What it need not know yet: outside what is promised (`docs/rotation.md`)."""

    def __post_init__(self) -> None:
        self.name = host_name(self.number)

    @classmethod
    def presenting(cls, number: int, home: int, *, is_hub: bool, days_left: int = 1795) -> Host:
        """One whose first certificate is current, as the last `enable` left it."""
        host = cls(number, home, is_hub, days_left)
        first = host.make(host.clock(0.0) - timedelta(days=30))
        host.set_slots(host.slots.with_current(first.fingerprint))
        host.chain = first.fingerprint
        return host

    def clock(self, minute: float) -> datetime:
        """What its clock shows."""
        return BEGINNING + timedelta(minutes=minute * (1.0 + self.drift) + self.offset)

    def make(self, now: datetime, *, successor: bool = False) -> Certificate:
        """A certificate comes into the store."""
        number = len(self.leaves)
        leaf = certificate_of(self.number, number, self.days_left if number == 0 else 1795)
        self.leaves[leaf.fingerprint] = leaf
        slots = self.slots.with_arrival(leaf.fingerprint, now)
        self.set_slots(slots.with_next(leaf.fingerprint) if successor else slots)
        return leaf

    def set_slots(self, slots: Slots) -> None:
        """The store's certificates have these slots now."""
        self.slots = slots
        self.held = tuple(
            Installed(leaf, slots.of(one), slots.arrived[one], one not in self.keyless)
            for one, leaf in self.leaves.items()
            if one in slots.arrived
        )

    def lose_key(self, fingerprint: Fingerprint) -> None:
        """The key's file is gone."""
        self.keyless.add(fingerprint)
        self.set_slots(self.slots)

    def held_key(self, fingerprint: Fingerprint) -> bool:
        """Whether it could present that one."""
        return any(one.certificate.fingerprint == fingerprint and one.has_key for one in self.held)

    def forget(self, fingerprint: Fingerprint) -> None:
        """The certificate is taken out of the store by hand."""
        self.set_slots(self.slots.without(fingerprint))

    def put_back(self, slots: Slots) -> None:
        """The store as an older image of the host had it."""
        self.set_slots(replace(slots, arrived={**slots.arrived}))

    def show(self, fingerprint: Fingerprint | None, minute: float) -> None:
        """New sessions are shown that one; processes that run already go on for a while."""
        if fingerprint != self.chain:
            if not self.is_hub and self.chain is not None:
                self.lingering[self.chain] = minute + LINGERS
                self.presented.append(self.chain)
            self.chain = fingerprint

    def shown(self, minute: float) -> tuple[Fingerprint, ...]:
        """Everything that some session is shown now, what is new first."""
        found = () if self.chain is None else (self.chain,)
        if not self.lingering:
            return found
        self.lingering = {one: until for one, until in self.lingering.items() if until > minute}
        return (*found, *(one for one in self.lingering if one != self.chain))

    def slot(self, wanted: Slot) -> Fingerprint | None:
        """The newest certificate in that slot."""
        found = [one for one in self.held if one.slot is wanted]
        return found[-1].certificate.fingerprint if found else None
