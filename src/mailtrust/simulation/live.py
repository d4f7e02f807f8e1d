"""A world minute by minute: agents step, readers look, and writes reach the replicas after their lag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mailtrust.simulation.directory import State
from mailtrust.simulation.host import Host
from mailtrust.simulation.world import World


@dataclass(slots=True)
class Living:
    """A world that goes on by itself."""

    world: World
    lags: Sequence[int]
    """By replica, how many minutes behind the primary it is."""
    awake: tuple[Host, ...] = ()
    """Whose agents run."""
    reads_every: int = 1
    """How often readers look, in minutes; no less often than a snapshot may be old."""
    _held: list[State] = field(default_factory=list)
    """What the primary held, minute by minute."""

    def minutes(self, count: int) -> None:
        """Let so many minutes pass."""
        for _ in range(count):
            self.minute()

    def minute(self) -> None:
        """Let one minute pass: agents act, writes arrive, readers look."""
        world = self.world
        for host in self.awake:
            world.advance(host, 0, None)
        self.replicate()
        world.pass_time(1.0)
        for peer in world.hosts:
            if (int(world.minute) + peer.number) % self.reads_every == 0:
                world.renew(peer)
        world.judge_sessions()

    def replicate(self) -> None:
        """What is due arrives; nothing does where a link is cut or a replica is down."""
        directory, primary = self.world.directory, self.world.primary
        self._held.append(primary.state)
        for replica, lag in zip(directory.replicas, self.lags, strict=True):
            if (
                replica is primary
                or replica.is_cut
                or primary.is_cut
                or not (replica.is_up and primary.is_up)
            ):
                continue
            if len(self._held) > lag:
                replica.state = self._held[-1 - lag]
