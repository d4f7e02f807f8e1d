"""No session is refused while certificates change: Postfix, OpenLDAP replicas, agents that are killed."""

from __future__ import annotations

import pytest

from tests import postfix
from tests.programs import needs
from tests.rotation.pace import A_SECOND, AT_LEAST, HALF_A_MINUTE_LATE
from tests.rotation.postfixes import postfixes, rotate_postfixes
from tests.rotation.story import PHASES

pytestmark = [*postfix.MARKS, needs("slapd", "slapadd")]


@pytest.mark.timeout(1200)
async def test_every_server_rotates_under_load_and_no_message_is_turned_away() -> None:
    with postfix.folder() as folder:
        async with postfixes(folder, HALF_A_MINUTE_LATE) as instances:
            told = await rotate_postfixes(instances, a_second=A_SECOND, at_least=AT_LEAST)

    assert told.mail.is_clean, told
    assert told.mail.sent >= AT_LEAST
    assert set(told.killed) >= PHASES
