"""What `benchmarks/probe/run.py` measures of mailtrust: probe so many servers of the fleet, and end."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

import uvloop

from benchmarks.fleet import PORT, address, name
from mailtrust.clock import now
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.probes.smtp import probe


async def count(servers: int) -> int:
    """How many different certificates were seen."""
    targets = [(ServerName(name(number)), Endpoint(address(number), PORT)) for number in range(servers)]
    seen = set()
    async for sighting in probe(targets, timeout=timedelta(seconds=30), now=now):
        if sighting.found is None:
            print(sighting.place, sighting.why)
        else:
            seen.update(leaf.fingerprint for leaf in sighting.found)
    return len(seen)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print("answered", runner.run(count(int(sys.argv[1]))))
