"""
The world: hosts, a directory, links between them, and one true clock; and what must hold in it.

After every event each session is judged that could take place: whatever any process presents, by every peer.
A rejection that the guarantee covers, and whatever was withdrawn and is published or presented again, breaks
the world; `docs/rotation.md` says what the guarantee covers, and `present` and `_judge_sessions` hold to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from mailtrust.core.model.certificate import Certificate, Fingerprint
from mailtrust.core.model.plan import Phase
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import Intent, View
from mailtrust.core.model.trust import Column, Trusted, Verdict
from mailtrust.core.succession import Course
from mailtrust.simulation.directory import Directory, Replica
from mailtrust.simulation.host import Host
from mailtrust.simulation.values import POLICY

SNAPSHOT_MAX_AGE = POLICY.snapshot_max_age.total_seconds() / 60
_ASK_AGAIN = 5.0
_TRUSTING = ("enable", "compromised")
"""These switch before every peer can know: what cannot look again defers until its next look."""


class Steps(Protocol):
    """How a step of an agent is made (`agent.step`)."""

    def __call__(self, world: World, host: Host, sample: int = 0) -> Iterator[str]:
        """The step, until it is stopped."""


@dataclass(slots=True)
class World:
    """Everything, at one moment."""

    hosts: tuple[Host, ...]
    directory: Directory
    steps: Steps
    minute: float = 0.0
    cut: set[tuple[str, int, int]] = field(default_factory=set)
    """Links that are down: ``home`` between a host and a replica, ``peer`` between two hosts."""
    under_way: dict[tuple[int, int], tuple[Iterator[str], str]] = field(default_factory=dict)
    """Steps that are suspended, by host and writer, and where."""
    one_writer: bool = True
    agents: tuple[int, ...] = ()
    """The hosts whose agents look at a replica that was set back before it is filled again."""
    gone: set[tuple[ServerName, Fingerprint]] = field(default_factory=set)
    """What was withdrawn for good."""
    stolen: set[Fingerprint] = field(default_factory=set)
    """Keys in somebody's hands: that a peer rejects them is what was asked for."""
    rejected: int = 0
    """Sessions that were rejected outside what is promised."""
    finished: int = 0
    broken: str = ""
    """What must not be, and happened first."""
    tell: Callable[[str, dict[str, str]], None] | None = None
    """Told what agents do, where somebody listens."""

    @property
    def primary(self) -> Replica:
        """The replica that takes the writes."""
        return self.directory.replicas[self.directory.primary]

    def reaches(self, host: Host, replica: int) -> bool:
        """Whether that host can read that replica now."""
        return self.directory.replicas[replica].is_up and ("home", host.number, replica) not in self.cut

    def meets(self, one: Host, other: Host) -> bool:
        """Whether these two can hold a session now."""
        low, high = sorted((one.number, other.number))
        return ("peer", low, high) not in self.cut

    def breaks(self, what: str) -> None:
        """Something happened that must not be."""
        self.broken = self.broken or what

    # Time

    def pass_time(self, minutes: float) -> None:
        """Let time pass; readers look as late as they may, and processes end."""
        until = self.minute + minutes
        self.finish_steps(also_looking=False)
        while (due := self._next_reader(until)) is not None:
            self.minute, peer = due
            self.renew(peer)
            self.judge_sessions()
        self.minute = until

    def _next_reader(self, until: float) -> tuple[float, Host] | None:
        found: tuple[float, Host] | None = None
        for peer in self.hosts:
            due = peer.renewed_at + SNAPSHOT_MAX_AGE
            if due <= until:
                due = max(due, peer.asked_at + _ASK_AGAIN, self.minute)
                if due <= until and (found is None or due < found[0]) and self.reaches(peer, peer.home):
                    found = due, peer
        return found

    def rest(self, minutes: float) -> None:
        """Let a long time pass in which nothing happens: each reader looks at its end, and once more."""
        self.minute += minutes
        for _ in range(2):
            for peer in self.hosts:
                self.renew(peer)

    # Readers

    def renew(self, peer: Host) -> None:
        """Another look at home; where it cannot be read, at the first other replica that can."""
        replicas = self.directory.replicas
        peer.asked_at = self.minute
        if self.reaches(peer, peer.home):
            column, before = self._column(peer.home), peer.snapshot
            if column is not peer.column or before.kept or before.lent:
                peer.snapshot = before.renewed(column, replicas[peer.home].name, peer.clock(self.minute))
                peer.column = column if peer.snapshot is not before else None
            if peer.column is not None:
                peer.renewed_at = self.minute
            return
        other = next((one for one in range(len(replicas)) if self.reaches(peer, one)), None)
        if other is not None:
            peer.snapshot, peer.column = peer.snapshot.extended(self._column(other)), None

    def _column(self, number: int) -> Column:
        replica, embedded = self.directory.replicas[number], self.directory.embedded
        if replica.hides:
            return Column(remembered=frozenset() if embedded else None)
        return replica.state.column(remembers=embedded)

    def judged(self, peer: Host, leaf: Certificate) -> Verdict:
        """What that peer says to a certificate: a hub looks again before it says no."""
        verdict = peer.snapshot.judge(leaf)
        if peer.is_hub and not isinstance(verdict, Trusted):
            self.look_again(peer)
            verdict = peer.snapshot.judge(leaf)
        return verdict

    def look_again(self, peer: Host) -> None:
        """A key is unknown: has it come this second?"""
        self.renew(peer)

    def restart(self, peer: Host) -> None:
        """Its transport starts again, by the snapshot that was saved before it was used."""

    # What must hold

    def judge_sessions(self) -> None:
        """Every session that could take place now."""
        for host in self.hosts:
            for fingerprint in host.shown(self.minute):
                leaf = host.leaves[fingerprint]
                for peer in self.hosts:
                    if leaf.pin in peer.snapshot.servers:
                        # From here on it must not forget it.
                        peer.excused.discard(fingerprint)
                    elif peer is not host:
                        self._judge_session(host, peer, leaf)

    def _judge_session(self, host: Host, peer: Host, leaf: Certificate) -> None:
        if isinstance(self.judged(peer, leaf), Trusted):
            return
        excused = leaf.fingerprint in peer.excused and not self._could_see(peer, host, leaf)
        if excused or leaf.fingerprint in self.stolen:
            self.rejected += 1
        else:
            self.breaks(f"{peer.name} rejects {host.name}")

    # Acts

    def publish(self, host: Host, fingerprint: Fingerprint, now: datetime) -> None:
        """At the primary, if it can be reached."""
        if not self.reaches(host, self.directory.primary):
            return
        if self.directory.publish(self.directory.primary, host.name, host.leaves[fingerprint], now):
            if (host.name, fingerprint) in self.gone:
                self.breaks(f"{host.name} publishes again what was withdrawn")
            self._told("published", host, fingerprint)

    def present(self, host: Host, fingerprint: Fingerprint, why: str) -> None:
        """It is current from now on; a peer that need not know it is excused until it does."""
        leaf = host.leaves[fingerprint]
        if fingerprint in host.keyless:
            self.breaks(f"{host.name} has no key to what it is to present")
        if (host.name, fingerprint) in self.gone:
            self.breaks(f"{host.name} presents again what was withdrawn")
        for peer in self.hosts:
            if peer is not host and leaf.pin not in peer.snapshot.servers:
                is_stale = self.minute - peer.renewed_at > SNAPSHOT_MAX_AGE
                if why in _TRUSTING or (is_stale and (why == "now" or not self.meets(host, peer))):
                    peer.excused.add(fingerprint)
        host.set_slots(host.slots.with_current(fingerprint))
        self._told("presented", host, fingerprint)
        if host.is_hub and not host.is_frozen:
            host.show(fingerprint, self.minute)
        self.judge_sessions()

    def _could_see(self, peer: Host, host: Host, leaf: Certificate) -> bool:
        """Whether that peer looks again before it says no, and would find it."""
        if not peer.is_hub or not self.reaches(peer, peer.home):
            return False
        home = self.directory.replicas[peer.home]
        return not home.hides and any(one.certificate.pin == leaf.pin for one in home.state.found(host.name))

    def put_chain_right(self, host: Host) -> None:
        """The transport takes what is current, where it does not see to that itself."""
        if host.chain != host.slots.current and not host.is_frozen and not host.is_shown_anew:
            host.show(host.slots.current, self.minute)
            self.judge_sessions()

    def withdraw(self, host: Host, fingerprint: Fingerprint, now: datetime) -> bool:
        """At the primary, if it can be reached; False where it cannot."""
        if not self.reaches(host, self.directory.primary):
            return False
        self.directory.withdraw(self.directory.primary, host.name, fingerprint, now)
        self.gone.add((host.name, fingerprint))
        self._told("withdrawn", host, fingerprint)
        return True

    def end(self, host: Host, intent: Intent, outcome: str, view: View) -> None:
        """A rotation that was asked for is over: what it replaced stood nowhere that could be seen."""
        host.diary.end()
        self._told(f"rotation-{outcome}", host, intent.rotation.new)
        if outcome == "done":
            self.finished += 1
            old = intent.rotation.old - {intent.rotation.new}
            now = host.clock(self.minute)
            for number, replica in enumerate(self.directory.replicas):
                if host.diary.history().is_dead(replica.name, now) or not self.reaches(host, number):
                    continue
                shown = {one.certificate.fingerprint for one in replica.state.found(host.name)}
                # Whatever came back there since the look is for the next one.
                came_back = _looked_without(view, host.name, replica.name, old)
                if not replica.hides and shown & old and not came_back:
                    self.breaks(f"{host.name}'s rotation is over, and {replica.name} shows what it replaced")

    def thought(self, host: Host, course: Course | None) -> None:
        """Told what an agent came to think."""
        waits = course is not None and course.plan.phase is not Phase.DONE and course.plan.action is None
        if self.tell is not None and course is not None and waits:
            self._told("waits", host, course.plan.rotation.new, phase=course.plan.phase.value)

    # Agents

    def advance(self, host: Host, writer: int, upto: int | None, sample: int = 0) -> None:
        """
        One of a host's writers begins a step or goes on with one, to its *upto*-th halt or to its end.

        With the store's lock, whoever comes second is told, and does nothing.
        """
        key = (host.number, writer)
        running, _ = self.under_way.pop(key, (None, ""))
        if running is None:
            if self.one_writer and any(one[0] == host.number for one in self.under_way):
                self._told("refused", host, None)
                return
            running = self.steps(self, host, sample)
        for halts, place in enumerate(running, 1):
            if halts == upto:
                self.under_way[key] = running, place
                break
        self.judge_sessions()

    def kill(self, host: Host, writer: int) -> None:
        """That process ends here; what it has done stays done, and the kernel frees its lock."""
        self.under_way.pop((host.number, writer), None)

    def finish_steps(self, *, also_looking: bool) -> None:
        """Whoever has thought acts before time passes; who has only looked may be suspended for long."""
        for key, (_, place) in list(self.under_way.items()):
            if also_looking or place != "looked":
                self.advance(self.hosts[key[0]], key[1], None)

    def _told(self, what: str, host: Host, fingerprint: Fingerprint | None, **values: str) -> None:
        if self.tell is not None:
            self.tell(what, {"server": host.name, "fingerprint": fingerprint or "", **values})


def _looked_without(view: View, server: ServerName, place: str, old: frozenset[Fingerprint]) -> bool:
    found = next((look.found for look in view.replicas(server) if look.place == place), None)
    return found is not None and old.isdisjoint(one.certificate.fingerprint for one in found)
