"""The lab's switches, thrown by hand."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from mailtrust.lab.control import switches, turn
from mailtrust.lab.organization import open_organization


async def test_a_switch_that_takes_the_place_of_another_one_holds(tmp_path: Path) -> None:
    second = timedelta(seconds=1)
    async with open_organization(
        tmp_path, "embedded", servers=2, replicas=1, lag=second, latency=second
    ) as organization:
        known, member = switches(organization), organization.members[0]
        await turn(known, set(), {"strip-hub1"})
        await turn(known, {"strip-hub1"}, {"slow-hub1"})

        assert member.hub is not None
        assert member.hub.bound[0].port != member.port, "a device has its address"
