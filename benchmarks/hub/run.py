"""
What a message costs the embedded hub, and Postfix, under the same load in one run.

    python -m benchmarks.hub.run [--rounds 3] [--sessions 20] [--scale 1.0] [--only hub]

Every message comes behind STARTTLS from a peer that proves itself by its certificate, and is on disk before
it is answered with 250.  The load runs on the same machine and takes its share.  The rounds take turns, so
that a busy neighbour disturbs everybody alike.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet import build
from benchmarks.hub.servers import Server, Site, hub, postfix, site

WARM_UP = 200
REACH = {"20 a session": 4000, "new session each": 600}
"""Messages a second that the hub shall take durably."""


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of load."""

    name: str
    per_session: int
    messages: int
    size_bytes: int
    pipelining: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """One measurement."""

    a_second: float
    """Messages acknowledged."""
    settled_a_second: float
    """Messages that had come to where they stay."""
    cpu_seconds: float
    """Of the server, by message, until all had come."""


WORKS = (
    Work("20 a session", 20, 3000, 4096),
    Work("20, PIPELINING", 20, 3000, 4096, pipelining=True),
    Work("new session each", 1, 800, 4096),
    Work("100 KiB", 20, 600, 102400),
)
_Start = Callable[..., AbstractContextManager[Server]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sessions", type=int, default=20, help="at once")
    parser.add_argument("--scale", type=float, default=1.0, help="times as many messages")
    parser.add_argument("--only", choices=["hub", "postfix"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mailtrust-benchmark-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # Postfix's accounts go through it.
        load = build(Path(__file__).parent / "load.c", folder)
        servers = {who: start for who, start in _servers().items() if options.only in (None, who)}
        with site(folder) as at:
            for delivering in (False, True):
                results: dict[tuple[str, str], list[Result]] = {}
                for _ in range(options.rounds):
                    for work in WORKS:
                        for who, start in servers.items():
                            result = _measure(load, at, start, work, options, delivering=delivering)
                            results.setdefault((work.name, who), []).append(result)
                _print(results, delivering=delivering)


def _servers() -> dict[str, _Start]:
    servers: dict[str, _Start] = {"hub": hub}
    if not Path("/usr/lib/postfix/sbin/master").exists():
        print("Postfix is not installed: left out")
    elif os.geteuid() != 0:
        print("Postfix starts as root only: left out")
    else:
        servers["postfix"] = postfix
    return servers


def _measure(
    load: Path, at: Site, start: _Start, work: Work, options: argparse.Namespace, *, delivering: bool
) -> Result:
    messages = int(work.messages * options.scale)
    with start(at, delivering=delivering) as server:
        # Postfix starts a process for each session at first, and keeps it.
        _load(load, at, server, work, options.sessions, WARM_UP)
        server.wait(WARM_UP)
        spent, begun = server.cpu_seconds(), time.monotonic()
        seconds = _load(load, at, server, work, options.sessions, messages)
        server.wait(WARM_UP + messages)
        settled = time.monotonic() - begun
        cpu = (server.cpu_seconds() - spent) / messages
    return Result(messages / seconds, messages / settled, cpu)


def _load(load: Path, at: Site, server: Server, work: Work, sessions: int, messages: int) -> float:
    """Seconds it took to have all acknowledged."""
    words = [server.port, sessions, work.per_session, messages, work.size_bytes, at.sender_pem]
    words += [server.recipient, *(["pipelining"] if work.pipelining else [])]
    done = subprocess.run([load, *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the load ended: {done.stderr}{done.stdout}")
    _, acknowledged, _, seconds, *_ = done.stdout.split()
    if int(acknowledged) != messages:
        raise SystemExit(f"{acknowledged} of {messages} messages were acknowledged")
    return float(seconds)


def _print(results: dict[tuple[str, str], list[Result]], *, delivering: bool) -> None:
    does = "takes, queues, and delivers to a Maildir meanwhile" if delivering else "takes and queues only"
    print(f"\nThe server {does}; messages a second: acknowledged, and come to where they stay;")
    print("CPU of the server in microseconds by message; best and median of the rounds\n")
    print(f"{'':18}{'':8}{'acknowledged':>14}{'come':>14}{'CPU':>14}   ratio to Postfix")
    for (work, who), rounds in results.items():
        figures = [
            f"{best(values):7.0f}{statistics.median(values):7.0f}"
            for best, values in (
                (max, [one.a_second for one in rounds]),
                (max, [one.settled_a_second for one in rounds]),
                (min, [one.cpu_seconds * 1e6 for one in rounds]),
            )
        ]
        print(f"{work:18}{who:8}{''.join(figures)}{_ratio(results, work, who)}")
    if not delivering:
        for work, wanted in REACH.items():
            _reached([one.a_second for one in results.get((work, "hub"), [])], work, wanted)
    sys.stdout.flush()


def _reached(rates: list[float], work: str, wanted: int) -> None:
    if rates:
        print(f"{work}: {wanted} a second", "reached" if max(rates) >= wanted else "MISSED")


def _ratio(results: dict[tuple[str, str], list[Result]], work: str, who: str) -> str:
    other = results.get((work, "postfix"))
    if who != "hub" or not other:
        return ""
    ours = results[work, who]
    rate = statistics.median(one.a_second for one in ours) / statistics.median(one.a_second for one in other)
    cpu = statistics.median(one.cpu_seconds for one in ours) / statistics.median(
        one.cpu_seconds for one in other
    )
    return f"   {rate:.2f} x rate, {cpu:.2f} x CPU"


if __name__ == "__main__":
    main()
