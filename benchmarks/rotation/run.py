"""
Rotations under load, and emergencies, with real processes on one machine.

    python -m benchmarks.rotation.run [--messages 100000] [--lag 30] [--only hubs] [--rounds 3]
    python -m benchmarks.rotation.run --outage 3600

Three servers send each other mail, each message with an id of its own, over mutual TLS, while their
certificates rotate one after the other, again and again; one of three replicas lags.  Each server's agent is
killed with -9 in every phase, and one rotation is undone half-way.  Then `rotate now` and
`rotate compromised` are timed, by looking at every listener and process and by asking every peer with the old
key.  With `--outage` there are no rotations: mail goes on without a directory and without an agent, for so
many seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks.rotation.outage import outage, print_outage
from tests import postfix
from tests.loopback import eventually
from tests.rotation.hubs import hubs, rotate_hubs
from tests.rotation.pace import Pace
from tests.rotation.postfixes import postfixes, rotate_postfixes, some_mail
from tests.rotation.servers import Server
from tests.rotation.speed import Compromised, Now, compromise, prepared, switch_now
from tests.rotation.story import Told

SECOND = timedelta(seconds=1)
A_SECOND = {"hubs": 300.0, "postfix": 60.0}
OUTAGE_A_SECOND = 10.0
MESSAGES_PER_SESSION = 2


@dataclass(frozen=True, slots=True)
class Site:
    """One server in an emergency, and the ports of its peers."""

    server: Server
    peers: Sequence[int]
    processes: Callable[[], Sequence[int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--lag", type=int, default=30, help="seconds, of one replica")
    parser.add_argument("--a-second", type=float, help="messages")
    parser.add_argument("--rounds", type=int, default=3, help="of each emergency")
    parser.add_argument("--only", choices=sorted(A_SECOND))
    parser.add_argument("--without", choices=["load", "emergencies"])
    parser.add_argument("--outage", type=float, help="seconds without a directory, and nothing else")
    options = parser.parse_args()
    if options.outage:
        print_outage(asyncio.run(outage(options.outage * SECOND, options.a_second or OUTAGE_A_SECOND)))
        return
    kinds = [one for one in A_SECOND if options.only in (None, one) and _can(one)]
    pace = Pace(lag=options.lag * SECOND, snapshot_max_age=10 * SECOND, settle=5 * SECOND, latency=5 * SECOND)
    for kind in kinds if options.without != "load" else ():
        a_second = options.a_second or A_SECOND[kind]
        told = asyncio.run(_LOADED[kind](pace, a_second, options.messages))
        _print_load(kind, options.lag, a_second, told)
    sound = Pace(pace.lag, pace.snapshot_max_age, pace.settle, latency=pace.lag + 5 * SECOND)
    for kind in kinds if options.without != "emergencies" else ():
        found = [asyncio.run(_emergency(_SITES[kind], sound)) for _ in range(options.rounds)]
        _print_emergencies(kind, found)


def _can(kind: str) -> bool:
    if kind != "postfix" or (os.geteuid() == 0 and Path("/usr/lib/postfix/sbin/master").exists()):
        return True
    print("Postfix is not installed, or this is not root: left out")
    return False


async def _hubs_under_load(pace: Pace, a_second: float, messages: int) -> Told:
    with tempfile.TemporaryDirectory(prefix="mailtrust-benchmark-") as name:
        async with hubs(Path(name), pace, messages_per_session=MESSAGES_PER_SESSION) as organization:
            return await rotate_hubs(organization, a_second=a_second, at_least=messages)


async def _postfixes_under_load(pace: Pace, a_second: float, messages: int) -> Told:
    with postfix.folder() as folder:
        async with postfixes(folder, pace) as instances:
            return await rotate_postfixes(instances, a_second=a_second, at_least=messages)


async def _emergency(
    site: Callable[[Pace], AbstractAsyncContextManager[Site]], pace: Pace
) -> tuple[Now, Compromised]:
    with tempfile.TemporaryDirectory(prefix="mailtrust-benchmark-") as name:
        async with site(pace) as one:
            await prepared(one.server)
            now = await switch_now(one.server, one.processes)
            return now, await compromise(one.server, one.peers, Path(name))


@asynccontextmanager
async def _a_hub(pace: Pace) -> AsyncIterator[Site]:
    with tempfile.TemporaryDirectory(prefix="mailtrust-benchmark-") as name:
        async with hubs(Path(name), pace, messages_per_session=100) as organization:
            first, *others = organization.members
            server = Server(first.site, organization.folder / first.config_name)
            yield Site(server, [one.port for one in others], tuple)


@asynccontextmanager
async def _a_postfix(pace: Pace) -> AsyncIterator[Site]:
    with postfix.folder() as folder:
        async with postfixes(folder, pace) as instances:
            first, *others = instances
            try:
                for one in others:
                    one.server.start()
                with some_mail(instances, a_second=10):
                    await eventually(first.processes, "it has processes that present")
                    yield Site(first.server, [one.postfix.inner for one in others], first.processes)
            finally:
                for one in others:
                    one.server.stop()


_LOADED = {"hubs": _hubs_under_load, "postfix": _postfixes_under_load}
_SITES = {"hubs": _a_hub, "postfix": _a_postfix}


def _print_load(kind: str, lag: int, a_second: float, told: Told) -> None:
    mail = told.mail
    died = ", ".join(f"{phase} {count}" for phase, count in sorted(told.killed.items()))
    print(f"\n{kind}, one replica {lag} s late, {a_second:g} messages a second offered:")
    print(f"  {told.rotations} rotations and one undone in {told.seconds:.0f} s")
    print(f"  agents killed with -9: {sum(told.killed.values())} times ({died})")
    print(
        f"  {mail.sent} messages: {mail.refused} refused, {mail.not_trusted} not trusted, {mail.deferred} "
        f"deferred, {mail.lost} lost, {mail.duplicated} duplicated"
    )


def _print_emergencies(kind: str, found: Sequence[tuple[Now, Compromised]]) -> None:
    now, compromised = zip(*found, strict=True)
    print(f"\n{kind}, an emergency, seconds from the command; best, median and worst of {len(found)}:")
    for what, values in (
        ("rotate now: every listener presents it", [one.listeners for one in now]),
        ("rotate now: no older process is left", [one.processes for one in now]),
        ("rotate now: the command has ended", [one.command for one in now]),
        ("rotate compromised: every peer refuses", [one.refused for one in compromised]),
        ("rotate compromised: the bound it prints", [one.bound for one in compromised]),
    ):
        print(f"  {what:42} {min(values):7.2f} {statistics.median(values):7.2f} {max(values):7.2f}")


if __name__ == "__main__":
    main()
