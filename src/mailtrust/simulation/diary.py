"""
What the journal does in SQL, as values: acts, intents, replicas declared dead, and since when.

`tests/simulation/test_diary.py` holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from mailtrust.core.model.certificate import Fingerprint
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import (
    Act,
    Dead,
    History,
    Intent,
    ReplicaSighting,
    SeenAt,
    Slot,
    StoreSighting,
    WireSighting,
)

Look = StoreSighting | WireSighting | ReplicaSighting


@dataclass(slots=True)
class Diary:
    """One server's journal, in memory; its methods are named as `mailtrust.agent.journal` has them."""

    acts: tuple[Act, ...] = ()
    first_seen: dict[SeenAt, datetime] = field(default_factory=dict)
    since: dict[SeenAt, datetime] = field(default_factory=dict)
    intent: Intent | None = None
    dead: dict[str, Dead] = field(default_factory=dict)

    def record_act(self, act: Act) -> None:
        """Put an act on record."""
        self.acts = (*self.acts, act)

    def record_seen(self, looks: Iterable[Look], now: datetime) -> None:
        """Since when every look finds what is there; what was missing once begins anew."""
        first_seen, since = self.first_seen, self.since
        for look in looks:
            server, place = look.server, look.place
            if look.found is None:
                if isinstance(look, WireSighting):
                    # It may have presented anything.
                    self._forget(server, place, ())
                continue
            if isinstance(look, StoreSighting):
                shown = [one.certificate.fingerprint for one in look.found if one.slot is Slot.CURRENT]
            elif isinstance(look, ReplicaSighting):
                shown = [one.certificate.fingerprint for one in look.found]
            else:
                shown = [leaf.fingerprint for leaf in look.found]
            self._forget(server, place, shown)
            for fingerprint in shown:
                key = (server, place, fingerprint)
                if key not in since:
                    since[key] = now
                    first_seen.setdefault(key, now)

    def _forget(self, server: ServerName, place: str, shown: Collection[Fingerprint]) -> None:
        """What a place does not show begins anew there."""
        for key in [key for key in self.since if key[1] == place and key[0] == server]:
            if key[2] not in shown:
                del self.since[key]

    def forget_since(self) -> None:
        """Begin anew everywhere: our clock was set."""
        self.since.clear()

    def begin(self, intent: Intent) -> None:
        """Put a rotation on record, in the place of one that is under way."""
        self.intent = intent

    def end(self) -> None:
        """The rotation under way has come to its end."""
        self.intent = None

    def declare_dead(self, one: Dead) -> None:
        """An operator's word on a replica: the last one counts."""
        self.dead[one.place] = one

    def history(self) -> History:
        """What a view is given of it."""
        return History(
            self.acts, dict(self.first_seen), dict(self.since), self.intent, tuple(self.dead.values())
        )
