"""
What would break without each guard: the engine and the readers with one of them taken out, at run time.

A guard that the search does not miss is either useless, or guards against what the world lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from unittest.mock import patch

from mailtrust.core import rotation, succession
from mailtrust.core.model.plan import Phase
from mailtrust.core.model.trust import Snapshot
from mailtrust.simulation.host import Host
from mailtrust.simulation.world import World

_Line = Callable[[Any], Iterator[Any]]


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard: where it stands, what it says, and how to take it out."""

    name: str
    place: str
    """The line of the checklist, or the part."""
    removal: Callable[[], Any]
    """Gives a context in which it is missing."""

    @property
    def key(self) -> str:
        """What names it."""
        return f"{self.place}: {self.name}"


def _without(phase: Phase, *phrases: str) -> Callable[[], Any]:
    """A line of the checklist that never says one of these."""

    def lacking(line: _Line) -> _Line:
        def told(case: Any) -> Iterator[Any]:
            return (one for one in line(case) if one.said.phrase not in phrases)

        return told

    def removed() -> Any:
        lines = tuple(
            (of, lacking(line) if of is phase else line, act)
            for of, line, act in rotation._CHECKLIST  # noqa: SLF001  # that is what is to be taken apart
        )
        return patch.object(rotation, "_CHECKLIST", lines)

    return removed


def _replaced(what: Any, name: str, by: Any) -> Callable[[], Any]:
    return lambda: patch.object(what, name, by)


def _since_publication(case: Any, place: str, shown: set[Any]) -> datetime:
    looks = (look for look in case.view.replicas(case.rotation.server) if look.found)
    moments = [
        one.published_at for look in looks for one in look.found if one.certificate.fingerprint in shown
    ]
    return min(moments, default=_SINCE(case, place, shown))


_SINCE = rotation._Case.since  # noqa: SLF001


def _all_judged(case: Any) -> Iterator[Any]:
    """Publish, where every replica is asked and not the primary alone."""
    for look in case.view.replicas(case.rotation.server):
        if look.found is None:
            yield case.stopped("obstacle.replica-unread", look.place, why=look.why)
        elif not case.holds(look):
            yield case.gap("obstacle.not-published", look.place)


def _judging_all() -> Any:
    lines = tuple(
        (of, _all_judged if of is Phase.PUBLISH else line, act)
        for of, line, act in rotation._CHECKLIST  # noqa: SLF001
    )
    return patch.object(rotation, "_CHECKLIST", lines)


_RENEWED = Snapshot.renewed


def _renewed_by_nothing(self: Snapshot, column: Any, replica: str, now: datetime) -> Snapshot:
    """As `renewed`, but an empty answer counts as one."""
    if column.believed() or not self.servers:
        return _RENEWED(self, column, replica, now)
    kept = self._kept(self.servers.keys(), column, now)
    return Snapshot({pin: self.servers[pin] for pin in kept}, now, replica, kept=kept)


def _lost_on_restart(self: World, peer: Host) -> None:
    peer.snapshot, peer.column, peer.renewed_at = Snapshot(), None, -1e9
    self.renew(peer)


@contextmanager
def _two_writers() -> Iterator[None]:
    made = World.__init__

    def unlocked(self: World, *given: Any, **named: Any) -> None:
        made(self, *given, **named)
        self.one_writer = False

    with patch.object(World, "__init__", unlocked):
        yield


GUARDS: tuple[Guard, ...] = (
    Guard("the store can be read", "install", _without(Phase.INSTALL, "obstacle.store-unread")),
    Guard("the new one is installed", "install", _without(Phase.INSTALL, "obstacle.not-installed")),
    Guard("it has its key", "install", _without(Phase.INSTALL, "obstacle.no-key")),
    Guard("what was withdrawn never returns", "publish", _without(Phase.PUBLISH, "obstacle.withdrawn")),
    Guard("it is published", "publish", _without(Phase.PUBLISH, "obstacle.not-published")),
    Guard("the primary is judged alone", "publish", _judging_all),
    Guard("every replica has it", "spread", _without(Phase.SPREAD, "obstacle.not-spread")),
    Guard("every replica has had it for so long, or is dead that long", "spread",
          _without(Phase.SPREAD, "obstacle.too-recent", "obstacle.just-died")),
    Guard("that is counted from when it was seen there", "spread",
          _replaced(rotation._Case, "since", _since_publication)),  # noqa: SLF001
    Guard("a replica that cannot be read holds it back", "spread",
          _without(Phase.SPREAD, "obstacle.replica-unread")),
    Guard("an old look proves nothing", "spread", _without(Phase.SPREAD, "obstacle.look-old")),
    Guard("peers are asked", "rehearse", _without(Phase.SPREAD, "obstacle.not-rehearsed")),
    Guard("a peer that says no holds it back", "rehearse", _without(Phase.SPREAD, "obstacle.peer-refuses")),
    Guard("it is made current", "present", _without(Phase.PRESENT, "obstacle.not-current")),
    Guard("every listener presents it", "settle", _without(Phase.SETTLE, "obstacle.not-presented")),
    Guard("every listener has presented it for so long", "settle",
          _without(Phase.SETTLE, "obstacle.unsettled")),
    Guard("a listener that cannot be seen holds it back", "settle",
          _without(Phase.SETTLE, "obstacle.wire-unread")),
    Guard("an old look at a listener proves nothing", "settle", _without(Phase.SETTLE, "obstacle.look-old")),
    Guard("what was replaced is withdrawn", "withdraw", _without(Phase.WITHDRAW, "obstacle.not-withdrawn")),
    Guard("a primary that cannot be read holds it back", "withdraw",
          _without(Phase.WITHDRAW, "obstacle.replica-unread")),
    Guard("it is gone everywhere", "fade", _without(Phase.FADE, "obstacle.not-faded")),
    Guard("a replica that cannot be read may show it yet", "fade",
          _without(Phase.FADE, "obstacle.replica-unread")),
    Guard("a rotation that was asked for ends", "record",
          _replaced(succession, "outcome", lambda *_: "")),
    Guard("one writer for a server", "record", _two_writers),
    Guard("an empty answer is damage", "reader", _replaced(Snapshot, "renewed", _renewed_by_nothing)),
    Guard("a reader never goes back", "reader", _replaced(Snapshot, "_kept", lambda *_: {})),
    Guard("a hub looks again", "reader", _replaced(World, "look_again", lambda *_: None)),
    Guard("a snapshot is saved", "reader", _replaced(World, "restart", _lost_on_restart)),
)  # fmt: skip
