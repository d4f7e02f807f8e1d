"""The forest does what tests ask of it: it replicates, pauses, freezes, dies, and refuses."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from mailtrust.core.model.server import ServerName
from mailtrust.directory.ldap import LdapReplica, LdapSettings
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import DirectoryUnavailable, PublishRefused
from mailtrust.ldap import names
from mailtrust.ldap.requests import Change, How, Scope, Search
from tests.make import NOON
from tests.samba.controller import BASE, Controller
from tests.samba.fixtures import needs_forest
from tests.samba.forest import ADMINISTRATOR, HUB1, HUB2, PATIENCE, PUBLISHER, READER, Forest

pytestmark = needs_forest

SOON = timedelta(seconds=0.5)
HUB = ServerName("hub1.corp.example")


async def describe(forest: Forest, at: Controller, text: str, name: str = HUB1) -> None:
    async with await forest.wire(ADMINISTRATOR, at) as wire:
        await wire.modify(name, Change(How.REPLACE, "description", (text.encode(),)), timeout=PATIENCE)


async def description(wire: Wire, name: str = HUB1) -> str:
    (entry,) = await wire.search(Search(name, Scope.BASE), timeout=PATIENCE)
    return b"".join(entry.values("description")).decode()


async def arrives(forest: Forest, at: Controller, text: str, name: str = HUB1) -> None:
    async with await forest.wire(at=at) as wire, asyncio.timeout(PATIENCE.total_seconds()):
        while await description(wire, name) != text:  # noqa: ASYNC110  # Samba tells nobody
            await asyncio.sleep(0.05)


async def test_a_change_goes_to_the_other_controller_by_itself(forest: Forest) -> None:
    await describe(forest, forest.dc1, "said on dc1")
    await arrives(forest, forest.dc2, "said on dc1")


async def test_and_the_other_way(forest: Forest) -> None:
    await describe(forest, forest.dc2, "said on dc2")
    await arrives(forest, forest.dc1, "said on dc2")


async def test_a_paused_controller_takes_nothing_in_until_it_is_resumed_and_told(forest: Forest) -> None:
    forest.dc2.pause()
    await describe(forest, forest.dc1, "while dc2 was paused")
    # What dc2 says does go out, later than what it would have taken in.
    await describe(forest, forest.dc2, "meanwhile", HUB2)
    await arrives(forest, forest.dc1, "meanwhile", HUB2)
    with pytest.raises(AssertionError, match="DISABLED"):
        forest.replicate(forest.dc2, forest.dc1)
    async with await forest.wire(at=forest.dc2) as wire:
        assert await description(wire) != "while dc2 was paused"

    forest.dc2.resume()
    forest.replicate(forest.dc2, forest.dc1)
    async with await forest.wire(at=forest.dc2) as wire:
        assert await description(wire) == "while dc2 was paused"


@pytest.mark.parametrize("scheme", ["url", "ldap"])
async def test_a_frozen_controller_costs_the_deadline(forest: Forest, scheme: str) -> None:
    forest.dc2.freeze()
    loop = asyncio.get_running_loop()
    before = loop.time()
    with pytest.raises(DirectoryUnavailable, match=r"within 0\.5 seconds"):
        await Wire.open(getattr(forest.dc2, scheme), ca_file=forest.ca_file, timeout=SOON)
    took = loop.time() - before
    forest.dc2.thaw()

    assert 0.49 <= took < 3
    await (await forest.wire(at=forest.dc2)).close()


async def test_a_replica_that_froze_after_it_was_read_costs_the_deadline(forest: Forest) -> None:
    settings = LdapSettings(names.parse(BASE), forest.password(READER), forest.ca_file)
    replica = LdapReplica(forest.dc2.url, settings, timeout=timedelta(seconds=1))
    (read,) = await replica.look([HUB], NOON)
    forest.dc2.freeze()
    loop = asyncio.get_running_loop()
    before = loop.time()
    (unread,) = await replica.look([HUB], NOON)
    took = loop.time() - before
    forest.dc2.thaw()
    await replica.close()

    assert read.found == ()
    assert unread.found is None
    assert 0.89 <= took < 3


async def test_a_stopped_controller_is_refused_at_once_and_catches_up(forest: Forest) -> None:
    forest.dc2.stop()
    with pytest.raises(DirectoryUnavailable, match="cannot be reached"):
        await forest.wire(at=forest.dc2, timeout=timedelta(seconds=60))
    await describe(forest, forest.dc1, "while dc2 was down")
    forest.dc2.start()
    await arrives(forest, forest.dc2, "while dc2 was down")


async def test_a_killed_controller_is_lost_at_once_and_comes_back(forest: Forest) -> None:
    async with await forest.wire() as wire:
        forest.dc1.kill()
        with pytest.raises(DirectoryUnavailable):
            await description(wire)
    forest.dc1.start()
    async with await forest.wire() as wire:
        await description(wire)


def a_point(name: str) -> list[tuple[str, list[bytes]]]:
    return [("objectClass", [b"serviceConnectionPoint"]), ("serviceClassName", [name.encode()])]


async def test_a_computer_publishes_below_itself_and_below_nobody_else(forest: Forest) -> None:
    async with await forest.wire("HUB1$") as wire:
        await wire.add(f"CN=own,{HUB1}", a_point("own"), timeout=PATIENCE)
        with pytest.raises(PublishRefused, match=": 50 "):
            await wire.add(f"CN=foreign,{HUB2}", a_point("foreign"), timeout=PATIENCE)


async def test_the_publisher_publishes_for_others_and_changes_nothing_else(forest: Forest) -> None:
    async with await forest.wire(PUBLISHER) as wire:
        await wire.add(f"CN=by order,{HUB2}", a_point("mailtrust"), timeout=PATIENCE)
        change = Change(How.REPLACE, "keywords", (b"changed",))
        await wire.modify(f"CN=by order,{HUB2}", change, timeout=PATIENCE)
        await wire.delete(f"CN=by order,{HUB2}", timeout=PATIENCE)
        with pytest.raises(PublishRefused, match=": 50 "):
            await wire.modify(HUB2, Change(How.REPLACE, "description", (b"mine",)), timeout=PATIENCE)


async def test_a_reader_changes_nothing(forest: Forest) -> None:
    async with await forest.wire() as wire:
        with pytest.raises(PublishRefused, match=": 50 "):
            await wire.add(f"CN=by a reader,{HUB1}", a_point("mailtrust"), timeout=PATIENCE)
