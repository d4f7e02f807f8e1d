"""An emergency, measured: how soon the next key shows, and how soon a stolen one is refused."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from tests import postfix
from tests.loopback import eventually
from tests.programs import needs
from tests.rotation.hubs import hubs
from tests.rotation.pace import Pace
from tests.rotation.postfixes import postfixes, some_mail
from tests.rotation.servers import Server
from tests.rotation.speed import Compromised, Now, compromise, prepared, switch_now

SECOND = timedelta(seconds=1)
PACE = Pace(lag=3 * SECOND, snapshot_max_age=3 * SECOND, settle=SECOND, latency=5 * SECOND)
SOON_SECONDS = 60
"""That it came to an end at all: how long it takes on a busy machine is no matter of right or wrong."""
pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("rotation")]


def check(now: Now, compromised: Compromised) -> None:
    assert now.processes < SOON_SECONDS
    assert compromised.refused < compromised.bound


async def test_hubs_present_the_next_key_at_once_and_refuse_a_stolen_one_in_time(tmp_path: Path) -> None:
    async with hubs(tmp_path, PACE, messages_per_session=100) as organization:
        first, *others = organization.members
        one = Server(first.site, organization.folder / first.config_name)
        await prepared(one)

        now = await switch_now(one)
        compromised = await compromise(one, [other.port for other in others], tmp_path)

    check(now, compromised)


@pytest.mark.skipif(os.geteuid() != 0, reason="Postfix's master starts as root only")
@needs("postconf", "/usr/lib/postfix/postfix-lmdb.so", "slapd", "slapadd")
async def test_postfix_presents_the_next_key_at_once_and_refuses_a_stolen_one_in_time() -> None:
    with postfix.folder() as folder:
        async with postfixes(folder, PACE) as instances:
            first, *others = instances
            for other in others:
                other.server.start()
            try:
                await prepared(first.server)

                with some_mail(instances, a_second=10):
                    await eventually(first.processes, "it has processes that present")
                    now = await switch_now(first.server, first.processes)
                peers = [other.postfix.inner for other in others]
                compromised = await compromise(first.server, peers, folder)
            finally:
                for other in others:
                    other.server.stop()

    check(now, compromised)
