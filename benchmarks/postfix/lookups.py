"""
Whether a lookup ever goes wrong while the table changes, and whether we would notice.

Readers are Postfix's own, which look up each of the table's keys in turn; a writer puts and removes other
rows without a pause.  The last line is a writer that does not take Postfix's lock.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import lmdb

from mailtrust.transports.postfix.compile import Difference
from mailtrust.transports.postfix.lmdb_table import LmdbTable
from tests.postfix import Postfix
from tests.programs import program

_READERS = 2
_AT_ONCE = 100_000
_SMALL = 3000
"""A small table's pages are used again soonest, and that is when a lookup without a lock goes wrong."""


@dataclass
class Read:
    """What came back."""

    asked: int = 0
    wrong: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, asked: int, wrong: int) -> None:
        with self.lock:
            self.asked += asked
            self.wrong += wrong


def lookups(folder: Path, keys: int, asked: int) -> None:
    """Prints how many lookups went wrong."""
    folder.mkdir()
    print(f"\nLookups in a table of {keys} keys while other rows come and go\n")
    print(f"{'writer':32}{'lookups':>12}{'wrong':>8}{'a second':>12}{'changes':>10}")
    _one(folder / "locked", "mailtrust", keys, asked, "ours")
    _one(folder / "small", f"mailtrust, {_SMALL} keys", _SMALL, asked, "ours")
    _one(folder / "unlocked", f"without the lock, {_SMALL} keys", _SMALL, asked, "unlocked")


def _one(folder: Path, who: str, keys: int, asked: int, way: str) -> None:
    mx1 = Postfix(folder, "mx1.example.test")
    mx1.make_configuration()
    mx1.tables.mkdir()
    path = mx1.tables / "clients.lmdb"
    stable = {f"{number:064x}": f"hub{number}.example.test" for number in range(keys)}
    table = LmdbTable(path)
    table.replace(stable)
    table.close()
    words = [sys.executable, "-m", "benchmarks.postfix.lookups", way, str(path)]
    writer = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    read, begun = Read(), time.monotonic()
    readers = [threading.Thread(target=_ask, args=(mx1, stable, asked, read)) for _ in range(_READERS)]
    for one in readers:
        one.start()
    for one in readers:
        one.join()
    took = time.monotonic() - begun
    changes, _ = writer.communicate("stop\n")
    print(f"{who:32}{read.asked:12}{read.wrong:8}{read.asked / took:12.0f}{changes.strip():>10}")


def _ask(mx1: Postfix, stable: dict[str, str], asked: int, read: Read) -> None:
    line = [
        program("postmap") or "postmap",
        "-c",
        str(mx1.config),
        "-q",
        "-",
        f"lmdb:{mx1.tables / 'clients'}",
    ]
    times = max(1, _AT_ONCE // len(stable))
    keys = "".join(f"{key}\n" for key in stable) * times
    expected = "".join(f"{key}\t{value}\n" for key, value in stable.items()) * times
    while read.asked < asked:
        done = subprocess.run(line, input=keys, capture_output=True, text=True, check=False)
        wrong = 0
        if done.stdout != expected:
            right = {f"{key}\t{value}" for key, value in stable.items()}
            wrong = len(stable) * times - sum(line in right for line in done.stdout.splitlines())
        read.add(len(stable) * times, wrong)


def churn(way: str, path: Path) -> None:
    """Put and remove rows until a line comes; says how often."""
    change = _unlocked(path) if way == "unlocked" else LmdbTable(path).change
    stopping = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), stopping.set()), daemon=True).start()
    count = 0
    while not stopping.is_set():
        come = {f"c{count}-{one}": "x" * 200 for one in range(20)}
        change(Difference(come))
        change(Difference({}, frozenset(come)))
        count += 2
    print(count)


def _unlocked(path: Path) -> Callable[[Difference], None]:
    # Not waiting for the disk it changes more often, and fails sooner.
    environment = lmdb.open(
        str(path), subdir=False, lock=False, map_size=256 << 20, readahead=False, sync=False
    )

    def change(difference: Difference) -> None:
        with environment.begin(write=True) as transaction:
            for key in difference.gone:
                transaction.delete(key.encode() + b"\0")
            for key, value in difference.put.items():
                transaction.put(key.encode() + b"\0", value.encode() + b"\0")

    return change


if __name__ == "__main__":
    churn(sys.argv[1], Path(sys.argv[2]))
