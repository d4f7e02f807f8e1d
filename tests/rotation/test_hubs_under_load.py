"""No session is refused while certificates change: hubs, SQLite replicas, agents that are killed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.rotation.hubs import hubs, rotate_hubs
from tests.rotation.pace import Pace
from tests.rotation.story import PHASES

SECOND = timedelta(seconds=1)
PACE = Pace(lag=5 * SECOND, snapshot_max_age=3 * SECOND, settle=4 * SECOND, latency=2 * SECOND)
A_SECOND = 300
AT_LEAST = 20_000


@pytest.mark.timeout(600)
@pytest.mark.xdist_group("rotation")
async def test_every_server_rotates_under_load_and_no_message_is_turned_away(tmp_path: Path) -> None:
    async with hubs(tmp_path, PACE, messages_per_session=10) as organization:
        told = await rotate_hubs(organization, a_second=A_SECOND, at_least=AT_LEAST)

    assert told.mail.is_clean, told
    assert told.mail.sent >= AT_LEAST
    assert set(told.killed) >= PHASES
