"""The search on several processors, and its result in figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass

from mailtrust.simulation.search import Failure, play, schedule_of

_PORTION = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """What a number of schedules came to."""

    schedules: int = 0
    finished: int = 0
    """Rotations that came to their end in them."""
    rejected: int = 0
    """Sessions that were rejected outside what is promised."""
    failures: tuple[Failure, ...] = ()

    def and_also(self, other: Found) -> Found:
        """Both together."""
        return Found(
            self.schedules + other.schedules, self.finished + other.finished, self.rejected + other.rejected,
            self.failures + other.failures,
        )  # fmt: skip


def searched(first: int, count: int) -> Found:
    """What the schedules from number *first* on come to."""
    found, finished, rejected = [], 0, 0
    for seed in range(first, first + count):
        schedule = schedule_of(seed)
        world = play(schedule)
        finished, rejected = finished + world.finished, rejected + world.rejected
        if world.broken:
            found.append(Failure(seed, world.broken, schedule))
    return Found(count, finished, rejected, tuple(found))


def search_all(
    first: int, count: int, jobs: int, watch: Callable[[Found], None], portion: int = _PORTION
) -> Found:
    """The same on *jobs* processors, in portions; *watch* is told how far it has come."""
    portions = _portions(first, count, portion)
    total = Found()
    if jobs == 1 or count <= portion:
        for one in portions:
            total = total.and_also(searched(*one))
            watch(total)
        return total
    with ProcessPoolExecutor(jobs) as pool:
        waiting: set[Future[Found]] = set()
        for one in portions:
            waiting.add(pool.submit(searched, *one))
            if len(waiting) >= 2 * jobs:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                total = _added(total, done, watch)
        done, _ = wait(waiting)
        return _added(total, done, watch)


def _added(total: Found, done: set[Future[Found]], watch: Callable[[Found], None]) -> Found:
    for one in done:
        total = total.and_also(one.result())
        watch(total)
    return total


def _portions(first: int, count: int, portion: int) -> Iterator[tuple[int, int]]:
    for at in range(first, first + count, portion):
        yield at, min(portion, first + count - at)
