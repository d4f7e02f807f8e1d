"""
What a scrape takes: `/metrics` of a dashboard that looks at a whole organization, three replicas, meanwhile.

    python -m benchmarks.metrics.run [--servers 500 1000 2000] [--seconds 60]

Each scrape is a connection of its own that asks for gzip, as Prometheus does, every half second, and a look
begins five seconds after the last one, so that many fall into one.  Beside it stands what a scrape would take
that looks by itself: one `check --all`.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.check.run import publish
from benchmarks.fleet import alone, certificates, fleet, measure

AT_MOST_SECONDS, AT_SERVERS = 1.0, 2000
_PAUSE_SECONDS = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--servers", type=int, nargs="+", default=[500, 1000, 2000])
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    alone([sys.executable, "-m", "benchmarks.metrics.run", *sys.argv[1:]])
    sizes = sorted(options.servers)
    with tempfile.TemporaryDirectory() as folder:
        pem, ders = certificates(sizes[-1], "p256", own_keys=True)
        with fleet(Path(folder), pem, ders):
            print(
                f"{'servers':>8}{'series':>8}{'KB sent':>9}{'looks':>7}{'scrapes':>9}"
                f"{'median s':>10}{'p95 s':>8}{'worst s':>9}{'check --all s':>15}"
            )
            for size in sizes:
                here = Path(folder, str(size))
                here.mkdir()
                publish(here, ders[:size])
                with (here / "mailtrust.toml").open("a") as config:
                    config.write('\n[agent]\nevery = "5s"\n')
                worst = _measured(here, size, options.seconds)
    if sizes[-1] == AT_SERVERS:
        print(f"under {AT_MOST_SECONDS:g} s:", "reached" if worst < AT_MOST_SECONDS else "MISSED")


def _measured(folder: Path, servers: int, seconds: float) -> float:
    config = str(folder / "mailtrust.toml")
    looking = measure([sys.executable, "-m", "mailtrust", "--config", config, "check", "--all"], folder)
    with _dashboard(config) as port:
        while _moment(page := _scraped(port)[1]) is None:
            time.sleep(_PAUSE_SECONDS)
        took: list[float] = []
        looks = set()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            lasted, page = _scraped(port)
            took.append(lasted)
            looks.add(_moment(page))
            time.sleep(_PAUSE_SECONDS)
    series = [line for line in gzip.decompress(page).splitlines() if not line.startswith(b"#")]
    seen = sum(line.startswith(b"mailtrust_last_look_timestamp_seconds{") for line in series)
    if seen != servers:
        raise SystemExit(f"{seen} of {servers} servers are there")
    print(
        f"{servers:8}{len(series):8}{len(page) / 1024:9.0f}{len(looks):7}{len(took):9}"
        f"{statistics.median(took):10.3f}{statistics.quantiles(took, n=20)[-1]:8.3f}{max(took):9.3f}"
        f"{looking.wall_seconds:15.1f}"
    )
    return max(took)


@contextmanager
def _dashboard(config: str) -> Iterator[int]:
    words = ["--config", config, "dashboard", "--listen", "127.0.0.1:12012", "--json"]
    environment = {**os.environ, "MAILTRUST_CONFIG": config}
    with subprocess.Popen(
        [sys.executable, "-m", "mailtrust", *words], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            port = urlsplit(json.loads(process.stdout.readline())["address"]).port
            assert port is not None
            yield port
        finally:
            process.terminate()


def _scraped(port: int) -> tuple[float, bytes]:
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    page = answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"/metrics answered {answer.status}")
    return time.monotonic() - begun, page


def _moment(page: bytes) -> bytes | None:
    """When it was looked; None before anybody has."""
    lines = gzip.decompress(page).splitlines()
    return next((one for one in lines if one.startswith(b"mailtrust_last_look_timestamp_seconds{")), None)


if __name__ == "__main__":
    main()
