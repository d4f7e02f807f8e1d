"""How slow an organization is whose rotations are looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Pace:
    """The lengths that a rotation depends on."""

    lag: timedelta
    """Of the replica that is late."""
    snapshot_max_age: timedelta
    settle: timedelta

    latency: timedelta
    """What the administrator says that replication takes at most, right or wrong."""

    @property
    def policy(self) -> Mapping[str, timedelta]:
        """The table of that name."""
        return {
            "snapshot_max_age": self.snapshot_max_age,
            "spread": self.snapshot_max_age,
            "settle": self.settle,
        }


SECOND = timedelta(seconds=1)
HALF_A_MINUTE_LATE = Pace(lag=30 * SECOND, snapshot_max_age=3 * SECOND, settle=4 * SECOND, latency=2 * SECOND)
"""Of the stories under load, which wait for the late replica more than they work."""
A_SECOND, AT_LEAST = 60, 20_000
"""Messages, and how many they are at the end: more a second would only keep the processors busy."""
