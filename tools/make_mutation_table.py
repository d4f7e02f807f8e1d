"""
Writes the table of guards in docs/rotation.md: each taken out, and after how many schedules it is missed.

`--check` compares the list of guards only: the figures take a quarter of an hour, and chance is in them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import median

from mailtrust.simulation.search import Failure, play, schedule_of
from tools.generated import DOCS, table
from tools.guards import GUARDS, Guard

PAGE = DOCS / "rotation.md"
BEGIN, END = "<!-- guards: begin -->", "<!-- guards: end -->"
LIMIT = 10_000
STARTS = tuple(range(0, 3_000_000, 1_000_000))
"""Where the searches begin: three, for one alone may be lucky."""
_HEAD = ("line", "guard", "missed after schedules (median, least, most)", "what breaks first without it")


@dataclass(frozen=True, slots=True)
class Caught:
    """How many schedules it took from each start, and what broke first."""

    after: tuple[int, ...]
    """LIMIT + 1 where it was not caught."""
    broke: str

    @property
    def is_caught(self) -> bool:
        """True if at least half of the searches caught it."""
        return median(self.after) <= LIMIT


def first_failure(start: int, limit: int) -> tuple[int, Failure | None]:
    """After how many schedules something broke, and what."""
    for number in range(limit):
        schedule = schedule_of(start + number)
        world = play(schedule)
        if world.broken:
            return number + 1, Failure(start + number, world.broken, schedule)
    return LIMIT + 1, None


def caught(guard: Guard, starts: Sequence[int] = STARTS, limit: int = LIMIT) -> Caught:
    """How soon the search misses that guard."""
    with guard.removal():
        found = [first_failure(start, limit) for start in starts]
    broke = next((failure.broken for _, failure in found if failure), "")
    return Caught(tuple(after for after, _ in found), broke)


def row(guard: Guard, found: Caught) -> tuple[str, ...]:
    """Its line of the table."""
    if not found.is_caught:
        return guard.place, guard.name, f"not within {LIMIT}", "nothing"
    figures = f"{round(median(found.after))} ({min(found.after)}, {_shown(max(found.after))})"
    return guard.place, guard.name, figures, found.broke


def listed(page: str) -> list[str]:
    """The guards that the page lists."""
    body = page.partition(BEGIN)[2].partition(END)[0]
    rows = [line.strip("| ").split(" | ") for line in body.strip().splitlines()[2:]]
    return [f"{cells[0]}: {cells[1]}" for cells in rows if len(cells) > 1]


def main(arguments: Sequence[str]) -> int:
    """1 where ``--check`` finds another list of guards, or where a guard was not missed."""
    page = PAGE.read_text("utf-8")
    if "--check" in arguments:
        if listed(page) == [guard.key for guard in GUARDS]:
            return 0
        print("docs/rotation.md lists other guards: run python -m tools.make_mutation_table", file=sys.stderr)
        return 1
    jobs = int(arguments[arguments.index("--jobs") + 1]) if "--jobs" in arguments else 1
    count = int(arguments[arguments.index("--starts") + 1]) if "--starts" in arguments else len(STARTS)
    names = range(len(GUARDS))
    with ProcessPoolExecutor(jobs) as pool:
        results = []
        for number, found in zip(names, pool.map(partial(_caught_at, count), names), strict=True):
            print(GUARDS[number].key, found.after, found.broke, flush=True)
            results.append(found)
    rows = [row(guard, found) for guard, found in zip(GUARDS, results, strict=True)]
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{table(_HEAD, rows)}\n{END}{after}", "utf-8")
    return int(not all(found.is_caught for found in results))


def _caught_at(count: int, number: int) -> Caught:
    return caught(GUARDS[number], STARTS[:count])


def _shown(after: int) -> str:
    return str(after) if after <= LIMIT else f"over {LIMIT}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
