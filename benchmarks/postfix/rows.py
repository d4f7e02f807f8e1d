"""
What a large directory's tables cost: all of them the first time, and then one change.

*Everything* is the command that an administrator types, with LDAP, TLS and the certificates; *the tables* are
what becomes of the keys after that, beside postmap with the same rows.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.ldap.organization import READER, name, organization
from mailtrust.core.model.certificate import Pin
from mailtrust.core.model.spread import Spread
from mailtrust.core.model.trust import Snapshot
from mailtrust.transports.postfix.compile import NextHops, changes, tables
from mailtrust.transports.postfix.lmdb_table import LmdbTable
from mailtrust.transports.postfix.tables import PostmapTable, TableFiles
from tests import slapd
from tests.make import a_certificate, a_replica
from tests.postfix import Postfix

COLD_AT_MOST_SECONDS, CHANGE_AT_MOST_MS = 6, 50
_ROUNDS = 3
_NOW = datetime(2026, 6, 1, tzinfo=UTC)
_HOPS = 100
_OLD, _NEW = (a_certificate(name(0), key=label) for label in ("old", "new"))


def rows(folder: Path, count: int, changed: int) -> None:
    """Prints the seconds until the tables stand, and the milliseconds that a change takes."""
    folder.mkdir()
    mx1 = Postfix(folder / "mx1", "mx1.example.test")
    mx1.make_configuration()
    mx1.tables.mkdir()
    print(f"\n{count} keys in the tables for the first time; seconds\n")
    print(f"{'':52}{'best':>8}{'median':>8}{'CPU':>8}")
    everything = _everything(folder, mx1, count)
    snapshot = _snapshot(count)
    hops: NextHops = {f"[hub{number}]:25": (name(number),) for number in range(min(_HOPS, count))}
    alone = _timed(lambda: _cold(mx1, snapshot, hops))
    theirs = _timed(lambda: _postmap(mx1, snapshot))
    for who, took in {
        "everything: mailtrust postfix compile": everything,
        "the tables: compiled, written by mailtrust": alone,
        "the tables: compiled, written by postmap": theirs,
    }.items():
        wall, cpu = [one for one, _ in took], min(one for _, one in took)
        print(f"{who:52}{min(wall):8.2f}{statistics.median(wall):8.2f}{cpu:8.2f}")
    reached = min(one for one, _ in everything) < COLD_AT_MOST_SECONDS
    print(f"everything under {COLD_AT_MOST_SECONDS} s:", "reached" if reached else "MISSED")
    _print_changes(mx1, snapshot, hops, changed)


def _everything(folder: Path, mx1: Postfix, count: int) -> list[tuple[float, float]]:
    with organization(folder / "o", count) as (server,):
        password = slapd.password_file(server.folder)
        password.chmod(0o600)
        config = folder / "mailtrust.toml"
        config.write_text(_configuration(folder, server, mx1, password))
        words = [sys.executable, "-m", "mailtrust", "--config", str(config), "postfix", "compile", "--yes"]

        def typed() -> None:
            for file in (*mx1.tables.iterdir(), *folder.glob("store/*")):
                file.unlink()
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)

        return _timed(typed)


def _timed(work: Callable[[], None]) -> list[tuple[float, float]]:
    """Wall and processor time of each round, its children's included."""
    took = []
    for _ in range(_ROUNDS):
        begun, spent = time.monotonic(), sum(os.times()[:4])
        work()
        took.append((time.monotonic() - begun, sum(os.times()[:4]) - spent))
    return took


def _snapshot(count: int) -> Snapshot:
    servers = {Pin(os.urandom(32).hex()): name(number) for number in range(count)}
    return Snapshot(Spread(servers), _NOW, "sqlite:///srv/dc1.db")


def _cold(mx1: Postfix, snapshot: Snapshot, hops: NextHops) -> None:
    for file in mx1.tables.iterdir():
        file.unlink()
    files = TableFiles(mx1.tables, LmdbTable)
    files.write(tables(snapshot, hops))
    files.close()


def _postmap(mx1: Postfix, snapshot: Snapshot) -> None:
    for file in mx1.tables.iterdir():
        file.unlink()
    files = TableFiles(mx1.tables, lambda path: PostmapTable(path, mx1.config))
    files.write(tables(snapshot, {}))


def _print_changes(mx1: Postfix, snapshot: Snapshot, hops: NextHops, changed: int) -> None:
    _cold(mx1, snapshot, hops)
    ours = _changes(TableFiles(mx1.tables, LmdbTable), snapshot, hops, changed)
    postmap = TableFiles(mx1.tables, lambda path: PostmapTable(path, mx1.config))
    postmap.write(tables(snapshot, {}))
    theirs = _changes(postmap, snapshot, {}, max(changed // 20, 5))
    print(
        f"\nOne key of {len(snapshot.servers)} published or withdrawn, compiled and on disk; milliseconds\n"
    )
    print(f"{'':52}{'p50':>8}{'p95':>8}{'max':>8}")
    for who, took in {"mailtrust": ours, "postmap, all rows anew": theirs}.items():
        parts = statistics.quantiles([one * 1000 for one in took], n=100, method="inclusive")
        print(f"{who:52}{parts[49]:8.1f}{parts[94]:8.1f}{max(took) * 1000:8.1f}")
    print(
        f"a change under {CHANGE_AT_MOST_MS} ms:",
        "reached" if max(ours) * 1000 < CHANGE_AT_MOST_MS else "MISSED",
    )


def _changes(files: TableFiles, snapshot: Snapshot, hops: NextHops, changed: int) -> list[float]:
    took = []
    looks = [a_replica(snapshot.replica, *leaves, server=name(0)) for leaves in ([_OLD, _NEW], [_OLD])]
    # The first change of a snapshot costs what it has, once.
    before = snapshot.updated(looks[1:], snapshot.replica, _NOW)
    files.write(tables(before, hops))
    for look in itertools.islice(itertools.cycle(looks), changed):
        after = before.updated([look], snapshot.replica, _NOW)
        begun = time.monotonic()
        files.change(changes(before, after, hops))
        took.append(time.monotonic() - begun)
        before = after
    files.close()
    return took


def _configuration(folder: Path, server: slapd.Server, mx1: Postfix, password: Path) -> str:
    return f"""\
[server]
name = "mx1.example.test"
store = "{folder}/store"

[directory]
home = "{server.ldaps}"
base = "{slapd.SERVERS}"
ca_file = "{server.ca_file}"
bind = "simple"
bind_dn = "{READER}"
password_file = "{password}"

[policy]
probe_timeout = "5m"

[transport]
kind = "postfix"
postfix = "{mx1.config}"
tables = "{mx1.tables}"
"""
