"""How changes in 389 Directory Server are noticed, where it tells them and where it does not."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.core.model.server import ServerName
from mailtrust.directory.base import Changed
from tests import ds389
from tests.directory.place import Place
from tests.ds389 import Server
from tests.make import HUB1, HUB2, NOON, a_certificate

pytestmark = [ds389.needs_ds389, pytest.mark.xdist_group("389")]

POLL = timedelta(milliseconds=20)
SOON = timedelta(seconds=4)
NEVER = timedelta(hours=1)
LIMITS = {"nsslapd-sizelimit": "20", "nsslapd-pagedsizelimit": "-1"}


@pytest.fixture(scope="module")
def silent() -> Iterator[Server]:
    """One as it is delivered."""
    with tempfile.TemporaryDirectory(prefix="mt-") as folder, ds389.started(Path(folder)) as (one,):
        yield one


@pytest.fixture(scope="module")
def telling() -> Iterator[Server]:
    """One with the plugins that the page turns on, and a limit on answers that are not pages."""
    with (
        tempfile.TemporaryDirectory(prefix="mt-") as folder,
        ds389.started(Path(folder), plugins=ds389.TELLING, settings=LIMITS) as (one,),
    ):
        yield one


async def anext_within(watch: AsyncIterator[Changed]) -> Changed:
    return await asyncio.wait_for(anext(watch), 10)


async def test_changes_within_one_second_are_all_seen_by_reading_again_and_again(silent: Server) -> None:
    """The server stamps in whole seconds, and it tells nothing by itself as it is delivered."""
    place = Place(silent)
    async with place.replica() as watched, place.replica() as other:
        await watched.look(None, NOON)
        async with aclosing(watched.watch(POLL)) as watch:
            for key in "abcdef":
                await other.publish(HUB1, a_certificate(key=key).der, NOON)

                await anext_within(watch)


async def test_a_server_that_tells_its_changes_is_not_read_again_and_again(telling: Server) -> None:
    place, leaf = Place(telling), a_certificate()
    async with place.replica() as watched, place.replica() as other:
        await watched.look(None, NOON)
        await other.publish(HUB1, leaf.der, NOON)
        async with aclosing(watched.watch(NEVER)) as watch:
            # What changed since the look.
            assert await anext_within(watch) is None
            for name in (HUB1, HUB2):
                await other.publish(name, a_certificate(key="b").der, NOON)
                assert await anext_within(watch) == {name}
            await other.withdraw(HUB1, leaf.fingerprint, NOON)
            assert await anext_within(watch) == {HUB1}
            telling.change(f"dn: {place.name(HUB2)}\nchangetype: delete\n")

            assert await anext_within(watch) == {HUB2}


async def test_a_watch_goes_on_over_a_restart(telling: Server) -> None:
    place = Place(telling)
    async with place.replica() as watched, place.replica() as other:
        await watched.look(None, NOON)
        async with aclosing(watched.watch(POLL)) as watch:
            await other.publish(HUB1, a_certificate().der, NOON)
            await anext_within(watch)
            telling.stop()
            # That it cannot be read is news; and then, that it can.
            await anext_within(watch)
            telling.start()
            await anext_within(watch)
            await other.publish(HUB2, a_certificate(HUB2).der, NOON)

            await anext_within(watch)


async def test_by_the_documented_rules_a_server_is_told_what_changes_and_nothing_else(
    telling: Server,
) -> None:
    place = Place(telling)
    place.add(HUB2, "userCertificate;binary: abc")
    place.follow_the_page()
    async with place.replica(place.account) as watched, place.replica() as other:
        await watched.look(None, NOON)
        async with aclosing(watched.watch(NEVER)) as watch:
            waiting = asyncio.ensure_future(anext(watch))
            done, _ = await asyncio.wait({waiting}, timeout=10 * POLL.total_seconds())
            assert not done
            await other.publish(HUB1, a_certificate().der, NOON)

            assert await asyncio.wait_for(waiting, 10) in (None, {HUB1})


async def test_more_entries_than_it_tells_at_once_are_read_again_and_again(telling: Server) -> None:
    """The limit on one answer is none on pages.  Of changes it says nothing then, not even that."""
    place = Place(telling)
    place.follow_the_page()
    for number in range(30):
        place.add(ServerName(f"many{number}.example.test"), "userCertificate;binary: abc")
    async with place.replica(place.account, timeout=SOON) as watched, place.replica() as other:
        looks = await watched.look(None, NOON)
        async with aclosing(watched.watch(POLL)) as watch:
            await other.publish(HUB1, a_certificate().der, NOON)

            assert await anext_within(watch) is None

    assert len(looks) == 30
