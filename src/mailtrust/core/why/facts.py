"""What the three ways of being in the way are judged by: both sides, as they were looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from mailtrust.core.checks.case import Case
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.event import Diagnosis, Event, Finding, Said, when
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import ReplicaSighting, View, WireSighting
from mailtrust.core.policy import Policy
from mailtrust.core.why.stuck import Stuck


@dataclass(frozen=True, slots=True)
class Facts:
    """This server, the peer, and what waits between them."""

    view: View
    diagnosis: Diagnosis
    """Of both sides, nothing acknowledged left out."""
    policy: Policy
    now: datetime
    here: ServerName
    peer: ServerName
    """Where nobody is known there, a name that stands for it; see `known`."""
    known: bool
    """True if the directory has an entry for it."""
    hop: str = ""
    """The next hop, for people."""
    stuck: Stuck | None = None
    listed: bool = True
    """False where the transport was never told who is at this next hop, and so believes nobody there."""
    one_process: bool = False
    """The same process listens and sends, with one certificate."""
    unseen: tuple[Said, ...] = ()
    """What else could not be looked at, such as the queue."""
    restart: str = ""
    """What to type to have the transport take its files anew."""
    compile: str = ""
    """What to type to have the transport's tables made anew; empty where it has none."""

    @property
    def ours(self) -> Case:
        """Our own side."""
        return Case(self.here, self.view, self.policy, self.now)

    @property
    def theirs(self) -> Case:
        """The peer's side, seen from outside."""
        return Case(self.peer, self.view, self.policy, self.now)

    @property
    def home(self) -> ReplicaSighting | None:
        """The look at the replica that we read, also where it did not come through."""
        return self.view.home(self.here)

    @property
    def wire(self) -> WireSighting | None:
        """The look at the peer that came furthest."""
        return max(self.theirs.wires, key=lambda wire: wire.found is not None, default=None)

    @property
    def met(self) -> Certificate | None:
        """What the peer presents."""
        return next(iter(self.theirs.presented), None)

    @property
    def last_known(self) -> tuple[ServerName, Certificate] | None:
        """The peer's newest published certificate, for want of one that it presents."""
        held = [one for look in self.theirs.readable for one in look.found or ()]
        newest = max(held, key=lambda one: one.published_at, default=None)
        return (self.peer, newest.certificate) if newest is not None else None

    def mend_link(self, place: str) -> Said:
        """Which link has to be mended, for what is overdue at that replica."""
        looks = (*self.ours.replicas, *self.theirs.replicas)
        partners = next(
            (", ".join(look.partners) for look in looks if look.place == place and look.partners), ""
        )
        if not partners:
            return self.say("act.mend-link", place=place)
        return self.say("act.mend-link-from", place=place, partners=partners)

    @property
    def look_again(self) -> str:
        """What to type to see whether the peer is well again."""
        return f"mailtrust why {self.peer if self.known else self.hop}"

    @property
    def shown(self) -> Certificate | None:
        """
        What we present to peers: what the peer says it met, else what our wire shows, else the current.

        What one process does, its listener shows; then it is what the peer said that may be old.
        """
        case = self.ours
        if self.one_process and case.presented:
            return case.presented[0]
        if self._named:
            return self._named[0]
        if case.presented:
            return case.presented[0]
        return case.current.certificate if case.current else None

    @property
    def met_unknown(self) -> str:
        """The beginning of a fingerprint that the peer says it met, and nobody here knows; else empty."""
        if (self.one_process and self.ours.presented) or self._named or self.stuck is None:
            return ""
        return self.stuck.named

    @property
    def _named(self) -> list[Certificate]:
        """What the peer says it met, if we know it."""
        case, named = self.ours, self.stuck.named if self.stuck else ""
        held = (one.certificate for one in (case.store.found if case.store else None) or ())
        known = (*case.presented, *held, *_published(case))
        return [leaf for leaf in known if named and short(leaf.fingerprint) == named]

    def finding(
        self,
        server: ServerName,
        *events: Event,
        leaf: Certificate | None = None,
        places: Collection[str] | None = None,
    ) -> Finding | None:
        """
        The first finding of that server by one of *events*, in their order; silenced ones last.

        *leaf*: about that certificate; *places*: at one of these replicas.
        """
        told = (*self.diagnosis.findings, *(one.finding for one in self.diagnosis.silenced))
        about = [
            one for one in told
            if one.server == server
            and (leaf is None or one.values.get("fingerprint") == short(leaf.fingerprint))
            and (places is None or one.place in places)
        ]  # fmt: skip
        return next((one for event in events for one in about if one.event is event), None)

    def say(self, phrase: str, **values: str) -> Said:
        """A phrase, with the names of both sides."""
        return Said(phrase, {"server": self.here, "peer": self.peer, "hop": self.hop, **values})

    def wire_said(self, wire: WireSighting, phrase: str, **values: str) -> Said:
        """A phrase about a look at a listener."""
        return self.say(phrase, endpoint=wire.place, seen=when(wire.seen_at), **values)


def _published(case: Case) -> Iterator[Certificate]:
    return (one.certificate for look in case.readable for one in look.found or ())
