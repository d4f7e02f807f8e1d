"""
Mail while nobody can read the directory and no agent runs: what a hub was told last is all that it has.

The replicas are damaged and no agent is started; three hubs go on sending each other mail in new sessions.
In the end the replicas come back, and nobody does anything else.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from mailtrust.lab.organization import Organization
from tests.loopback import eventually
from tests.rotation.counted import Counted
from tests.rotation.hubs import hubs
from tests.rotation.load import HubLoad
from tests.rotation.pace import Pace

SECOND = timedelta(seconds=1)
STALE = 12111
PACE = Pace(lag=SECOND, snapshot_max_age=10 * SECOND, settle=5 * SECOND, latency=5 * SECOND)


@dataclass(frozen=True, slots=True)
class Outage:
    """What became of it."""

    seconds: float
    mail: Counted
    before: Sequence[frozenset[int]]
    """What `mailtrust check` said at each server, by number."""
    during: Sequence[frozenset[int]]
    afterwards: Sequence[frozenset[int]]
    quiet_after_seconds: float
    """From the directory's return until `check` said what it had said before."""


async def outage(length: timedelta, a_second: float) -> Outage:
    """Take the directory away for so long, and bring it back."""
    with tempfile.TemporaryDirectory(prefix="mailtrust-benchmark-") as name:
        async with hubs(Path(name), PACE, messages_per_session=2) as organization:
            load, replicas = HubLoad(organization, a_second), organization.replicas
            try:
                await eventually(lambda: len(load.sent) > a_second, "mail goes")
                before = await _checks(organization)
                began = time.monotonic()
                for url in replicas.urls:
                    await replicas.damage(url)
                await asyncio.sleep(length.total_seconds())
                during = await _checks(organization)
                lasted = time.monotonic() - began
                for url in replicas.urls:
                    await replicas.repair(url)
                back = time.monotonic()
                while (after := await _checks(organization)) != before and time.monotonic() < back + 60:  # noqa: ASYNC110
                    await asyncio.sleep(1)
                quiet_after = time.monotonic() - back
                return Outage(lasted, await load.settled(), before, during, after, quiet_after)
            finally:
                load.stop()


def print_outage(seen: Outage) -> None:
    """For people."""
    mail = seen.mail
    print(f"\nno directory and no agent for {seen.seconds:.0f} s, three hubs:")
    print(
        f"  {mail.sent} messages: {mail.refused} refused, {mail.not_trusted} not trusted, {mail.deferred} "
        f"deferred, {mail.lost} lost, {mail.duplicated} duplicated"
    )
    for moment, said in {"before": seen.before, "at its end": seen.during, "after": seen.afterwards}.items():
        print(f"  check said {moment}: {'; '.join(_numbers(one) for one in said)}")
    print(f"  as before {seen.quiet_after_seconds:.1f} s after the directory came back")
    reached = mail.is_clean and all(STALE in one for one in seen.during) and seen.afterwards == seen.before
    print("mail flows on, 12111 is raised, and all is quiet afterwards:", "reached" if reached else "MISSED")


def _numbers(found: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(found))) or "nothing"


async def _checks(organization: Organization) -> list[frozenset[int]]:
    configs = [organization.folder / one.config_name for one in organization.members]
    return list(await asyncio.gather(*(asyncio.to_thread(_check, one) for one in configs)))


def _check(config: Path) -> frozenset[int]:
    words = [sys.executable, "-m", "mailtrust", "--config", str(config), "check", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return frozenset(one["event"] for one in json.loads(done.stdout)["findings"])
