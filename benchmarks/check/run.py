"""
What it costs to look at everybody: `mailtrust check --all` of a whole organization, three replicas.

    python -m benchmarks.check.run [--servers 500 1000 2000] [--rounds 3] [--profile]

Every server listens (the fleet of the probe's benchmark), presents what all three replicas publish, and is
looked at by one process of the command line.  The first round of each size knows nobody; the later ones find
a journal that does.  With --profile the last size is run once more, and what took the time is printed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from benchmarks.fleet import PORT, Cost, address, alone, certificates, fleet, measure, name
from mailtrust.clock import now
from mailtrust.core.model.certificate import fingerprint_of
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.directory.contents import Added, Contents, Listens
from mailtrust.directory.sqlite_file import ReplicaFile
from mailtrust.directory.sqlite_rows import write

REPLICAS = 3
AT_MOST_SECONDS, AT_MOST_MB, AT_SERVERS = 10, 200, 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--servers", type=int, nargs="+", default=[500, 1000, 2000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    alone([sys.executable, "-m", "benchmarks.check.run", *sys.argv[1:]])
    sizes = sorted(options.servers)
    with tempfile.TemporaryDirectory() as folder:
        pem, ders = certificates(sizes[-1], "p256", own_keys=True)
        with fleet(Path(folder), pem, ders):
            print(f"{'servers':>8}{'round':>7}{'wall s':>9}{'CPU s':>8}{'ms/server':>11}{'MB':>7}")
            for size in sizes:
                here = Path(folder, str(size))
                here.mkdir()
                publish(here, ders[:size])
                costs = [_check(here, size, number) for number in range(options.rounds)]
            if options.profile:
                print(_profile(here))
    _judge(sizes[-1], costs)


def publish(folder: Path, ders: Sequence[bytes]) -> None:
    """
    Three replicas that agree, and the configuration of the first server.

    Written in one go: a publication reads the whole file, so that one by one they would take minutes.
    """
    urls = [f"sqlite://{folder}/dc{number}.db" for number in range(1, REPLICAS + 1)]
    _configure(folder, urls)
    begun = now() - timedelta(days=1)
    servers = [ServerName(name(number)) for number in range(len(ders))]
    held = Contents(
        values={
            (server, fingerprint_of(der)): Added(begun, der)
            for server, der in zip(servers, ders, strict=True)
        },
        listeners={
            server: Listens(begun, (Endpoint(address(number), PORT),))
            for number, server in enumerate(servers)
        },
    )
    for url in urls:
        file = ReplicaFile(Path(url.removeprefix("sqlite://")), patience_seconds=10)
        file.write(lambda db: write(db, Contents(), held), threading.Event())


def _configure(folder: Path, urls: Sequence[str]) -> None:
    (folder / "mailtrust.toml").write_text(f"""\
[server]
name = "{name(0)}"
store = "{folder}"
listeners = ["{address(0)}:{PORT}"]

[directory]
home = "{urls[0]}"
replicas = {json.dumps(list(urls))}
""")


def _command(folder: Path, *before: str) -> list[str]:
    words = ("-m", "mailtrust", "--config", str(folder / "mailtrust.toml"), "check", "--all", "--json")
    return [sys.executable, *before, *words]


def _check(folder: Path, servers: int, number: int) -> Cost:
    cost = measure(_command(folder), folder)
    _all_well(cost.output, servers)
    print(
        f"{servers:8}{number + 1:7}{cost.wall_seconds:9.2f}{cost.cpu_seconds:8.2f}"
        f"{cost.cpu_seconds / servers * 1000:11.2f}{cost.most_kib / 1024:7.0f}"
    )
    return cost


def _all_well(output: str, servers: int) -> None:
    """Every server presents what all replicas publish, or less was done than we say."""
    try:
        looked_at = json.loads(output[output.index("{") :])["servers"]
    except ValueError:
        raise SystemExit(f"check said no JSON:\n{output[-3000:]}") from None
    well = 0
    for one in looked_at:
        seen = [place["found"] for place in (*one["presented"], *one["published"])]
        well += len(seen) == 1 + REPLICAS and bool(seen[0]) and all(found == seen[0] for found in seen)
    if well != servers:
        raise SystemExit(f"{well} of {servers} servers are well")


def _profile(folder: Path) -> str:
    out = folder / "profile"
    measure(_command(folder, "-m", "cProfile", "-o", str(out)), folder)
    shown = "import pstats, sys; pstats.Stats(sys.argv[1]).sort_stats('cumtime').print_stats(45)"
    return measure([sys.executable, "-c", shown, out], folder).output


def _judge(servers: int, costs: Sequence[Cost]) -> None:
    if servers != AT_SERVERS:
        return
    seconds, most = min(cost.wall_seconds for cost in costs), max(cost.most_kib for cost in costs) / 1024
    reached = seconds < AT_MOST_SECONDS and most < AT_MOST_MB
    print(f"under {AT_MOST_SECONDS} s and {AT_MOST_MB} MB:", "reached" if reached else "MISSED")


if __name__ == "__main__":
    main()
