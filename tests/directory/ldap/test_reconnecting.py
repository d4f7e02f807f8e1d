"""A server that is away is asked less and less often, and met soon after it is back."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from mailtrust.directory.ldap import LdapReplica, LdapSettings
from mailtrust.directory.ldap_bind import Password
from mailtrust.ldap import names
from tests import slapd
from tests.directory.ldap import hostile
from tests.make import NOON
from tests.programs import needs
from tests.slapd import ADMIN, SERVERS, password_file

PATIENCE = timedelta(seconds=20)
POLL = timedelta(milliseconds=10)
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


async def test_who_hangs_up_again_and_again_is_not_hammered(short: Path) -> None:
    """Asked as often as one that answers it would be met some eighty times."""
    met: list[float] = []
    loop = asyncio.get_running_loop()

    async def hang_up(reader: Reader, writer: Writer) -> None:
        met.append(loop.time())

    async with hostile.server(hang_up, short, plain=True) as url:
        replica = LdapReplica(url, LdapSettings(names.parse(SERVERS)), timeout=PATIENCE)

        async def watch() -> None:
            async with aclosing(replica.watch(POLL)) as changes:
                async for _ in changes:
                    pass

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(watch(), 1.5)
        await replica.close()

    gaps = [later - earlier for earlier, later in pairwise(met)]
    assert 5 < len(met) < 40
    assert max(gaps) > 0.15


@needs("slapd", "slapadd")
async def test_one_that_is_back_is_met_each_time(short: Path) -> None:
    """The pause begins anew, or a day with a few restarts would end with half a minute of blindness."""
    with slapd.started(short) as (server,):
        settings = LdapSettings(names.parse(SERVERS), Password(ADMIN, password_file(short)), server.ca_file)
        replica = LdapReplica(server.ldaps, settings, timeout=PATIENCE)
        await replica.look(None, NOON)
        async with aclosing(replica.watch(POLL)) as changes:
            for _ in range(4):
                server.stop()
                # That it cannot be asked is news.
                await asyncio.wait_for(anext(changes), 10)
                await asyncio.sleep(0.3)
                server.start()
                await asyncio.wait_for(anext(changes), 10)
        await replica.close()
