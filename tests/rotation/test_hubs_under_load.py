"""No session is refused while certificates change: hubs, SQLite replicas, agents that are killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rotation.hubs import hubs, rotate_hubs
from tests.rotation.pace import A_SECOND, AT_LEAST, HALF_A_MINUTE_LATE
from tests.rotation.story import PHASES


@pytest.mark.timeout(1200)
async def test_every_server_rotates_under_load_and_no_message_is_turned_away(tmp_path: Path) -> None:
    async with hubs(tmp_path, HALF_A_MINUTE_LATE, messages_per_session=10) as organization:
        told = await rotate_hubs(organization, a_second=A_SECOND, at_least=AT_LEAST)

    assert told.mail.is_clean, told
    assert told.mail.sent >= AT_LEAST
    assert set(told.killed) >= PHASES
