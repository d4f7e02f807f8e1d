"""No session is refused while certificates change: Postfix, OpenLDAP replicas, agents that are killed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests import postfix
from tests.programs import needs
from tests.rotation.pace import Pace
from tests.rotation.postfixes import postfixes, rotate_postfixes
from tests.rotation.story import PHASES

pytestmark = [*postfix.MARKS, needs("slapd", "slapadd"), pytest.mark.xdist_group("rotation")]
SECOND = timedelta(seconds=1)
PACE = Pace(lag=5 * SECOND, snapshot_max_age=3 * SECOND, settle=4 * SECOND, latency=2 * SECOND)
A_SECOND = 100
AT_LEAST = 10_000


@pytest.mark.timeout(900)
async def test_every_server_rotates_under_load_and_no_message_is_turned_away() -> None:
    with postfix.folder() as folder:
        async with postfixes(folder, PACE) as instances:
            told = await rotate_postfixes(instances, a_second=A_SECOND, at_least=AT_LEAST)

    assert told.mail.is_clean, told
    assert told.mail.sent >= AT_LEAST
    assert set(told.killed) >= PHASES
