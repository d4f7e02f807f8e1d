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
