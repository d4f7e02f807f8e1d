"""
What a look at a mail server costs: mailtrust, a prober in C, and nmap, on one fleet in one run.

    python -m benchmarks.probe.run [--servers 2000] [--rounds 5] [--kind rsa]

CPU is what counts: user and system time of the prober's process, by server.  The rounds take turns, so that a
busy neighbour disturbs everybody alike.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.fleet import CORES, PORT, PROBE, address, alone, build, certificates, fleet, measure

AT_ONCE = 200
AT_MOST_C, AT_MOST_NMAP = 1.35, 1 / 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--servers", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kind", choices=["rsa", "p256"], default="rsa")
    options = parser.parse_args()
    alone([sys.executable, "-m", "benchmarks.probe.run", *sys.argv[1:]])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pem, ders = certificates(options.servers, options.kind)
        with fleet(folder, pem, ders):
            spent = _rounds(folder, options.servers, options.rounds)
    _print(spent, options.servers)


def _rounds(folder: Path, servers: int, rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each, round by round."""
    ours = [sys.executable, "-m", "benchmarks.probe.ours"]
    commands: dict[str, list[str | Path]] = {
        "C prober": [build(PROBE / "prober.c", folder), str(PORT), str(servers), str(AT_ONCE)],
        "mailtrust, in all": [*ours, str(servers)],
        "mailtrust, its start": [*ours, "0"],
    }
    if shutil.which("nmap"):
        (folder / "list").write_text("\n".join(map(address, range(servers))))
        scan = ["-Pn", "-n", "-p", str(PORT), "--script", "ssl-cert", "-iL", folder / "list"]
        commands["nmap"] = ["nmap", *scan]
    else:
        print("nmap is not installed: left out")
    spent: dict[str, list[float]] = {who: [] for who in commands}
    for _ in range(rounds):
        for who, words in commands.items():
            cost = measure(words, folder, {min(CORES)})
            _check(who, cost.output, 0 if words[-1] == "0" else servers)
            spent[who].append(cost.cpu_seconds)
    spent["mailtrust"] = [
        total - start
        for total, start in zip(spent["mailtrust, in all"], spent["mailtrust, its start"], strict=True)
    ]
    return spent


def _check(who: str, output: str, servers: int) -> None:
    """Who sees less has done less."""
    seen = output.count("ssl-cert: ") if who == "nmap" else int(output.split()[-1])
    if seen != servers:
        raise SystemExit(f"{who} saw {seen} of {servers}:\n{output[-2000:]}")


def _print(spent: dict[str, list[float]], servers: int) -> None:
    print(f"{servers} servers, CPU in microseconds by server; ratios of best and of median\n")
    print(f"{'':22}{'best':>8}{'median':>8}{'/ C':>13}{'/ nmap':>13}")
    for who in ("C prober", "mailtrust", "mailtrust, in all", "nmap"):
        if who not in spent:
            continue
        figures = [f"{of(spent[who]) / servers * 1e6:8.0f}" for of in (min, statistics.median)]
        print(f"{who:22}{''.join(figures)}{_ratio(spent, who, 'C prober')}{_ratio(spent, who, 'nmap')}")
    start = statistics.median(spent["mailtrust, its start"])
    print(f"\nmailtrust's start takes {start * 1000:.0f} ms, once")
    reached = [min(spent["mailtrust"]) / min(spent["C prober"]) <= AT_MOST_C]
    if "nmap" in spent:
        reached.append(min(spent["mailtrust"]) / min(spent["nmap"]) <= AT_MOST_NMAP)
    print(f"at most {AT_MOST_C} of C, a third of nmap:", "reached" if all(reached) else "MISSED")


def _ratio(spent: dict[str, list[float]], who: str, other: str) -> str:
    if other not in spent:
        return f"{'':13}"
    best, median = (of(spent[who]) / of(spent[other]) for of in (min, statistics.median))
    return f"{best:7.2f}{median:6.2f}"


if __name__ == "__main__":
    main()
