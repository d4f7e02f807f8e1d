"""Reading everybody: mailtrust beside `ldapsearch`, which prints what it gets to nowhere."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fleet import Cost, measure
from benchmarks.ldap.organization import ours, searching
from mailtrust.directory.ldap_standard import CERTIFICATE
from tests import slapd

AT_MOST, AT_MOST_MB = 3, 100
_TO_NOWHERE = ("sh", "-c", 'exec "$@" > /dev/null', "sh")
_Commands = dict[str, list[str | Path]]


def read(folder: Path, server: slapd.Server, count: int, rounds: int) -> None:
    """Measure, in rounds that take turns, and print."""
    commands = _commands(folder, server)
    costs: dict[str, list[Cost]] = {who: [] for who in commands}
    for _ in range(rounds):
        for who, words in commands.items():
            (folder / "snapshot.jsonl").unlink(missing_ok=True)
            cost = measure(words, folder)
            _check(who, cost, count)
            costs[who].append(cost)
    _print(costs, count)


def _commands(folder: Path, server: slapd.Server) -> _Commands:
    search = [*_TO_NOWHERE, *searching(folder, server)]
    wanted = [f"({CERTIFICATE}=*)", CERTIFICATE]
    commands: _Commands = {
        "ldapsearch": [*search, "-H", server.ldaps, *wanted],
        "ldapsearch, pages": [*search, "-H", server.ldaps, "-E", "pr=500/noprompt", *wanted],
        "ldapsearch, no TLS": [*search, "-H", server.ldap, *wanted],
    }
    for work in ("start", "stream", "trust"):
        commands[f"mailtrust, {work}"] = ours(work, server, folder / "snapshot.jsonl")
    return commands


def _check(who: str, cost: Cost, count: int) -> None:
    """Who reads less has done less."""
    expected = "" if who.startswith("ldapsearch") else f"read {0 if who.endswith('start') else count}\n"
    if cost.status or cost.output != expected:
        raise SystemExit(f"{who} ended with {cost.status}:\n{cost.output[-2000:]}")


def _print(costs: dict[str, list[Cost]], count: int) -> None:
    print(f"\n{count} certificates read over TLS; wall and CPU in seconds, ratios to ldapsearch\n")
    print(f"{'':22}{'wall, best':>12}{'median':>8}{'worst':>8}{'CPU':>7}{'MB':>6}{'ratio: best, median':>23}")
    for who, each in costs.items():
        walls = [one.wall_seconds for one in each]
        cpu = statistics.median(one.cpu_seconds for one in each)
        most = max(one.most_kib for one in each) / 1024
        best, median = _ratio(each, costs["ldapsearch"])
        print(
            f"{who:22}{min(walls):12.2f}{statistics.median(walls):8.2f}{max(walls):8.2f}"
            f"{cpu:7.2f}{most:6.0f}{best:16.2f}{median:7.2f}"
        )
    for who in ("mailtrust, stream", "mailtrust, trust"):
        best, _ = _ratio(costs[who], costs["ldapsearch"])
        most = max(one.most_kib for one in costs[who]) / 1024
        reached = best <= AT_MOST and most <= AT_MOST_MB
        print(f"{who}, at most {AT_MOST} x and {AT_MOST_MB} MB:", "reached" if reached else "MISSED")


def _ratio(ours: Sequence[Cost], other: Sequence[Cost]) -> tuple[float, float]:
    mine, its = ([one.wall_seconds for one in each] for each in (ours, other))
    return min(mine) / min(its), statistics.median(mine) / statistics.median(its)
