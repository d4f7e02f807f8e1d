"""A snapshot that never goes back: on disk before it is used, kept when its replica loses its memory."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from mailtrust import clock
from mailtrust.core.model.certificate import Pin
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.trust import KEPT_WHERE_IT_WENT_BACK, Column, Stranger, Trusted
from mailtrust.directory.snapshot import load
from mailtrust.transports.base import Raised
from mailtrust.transports.hub.trust import Home, Trust
from tests.hub.organization import Organization, Peer, held
from tests.hub.test_trust import BOX, PEER, STRANGER, Unreadable
from tests.loopback import eventually
from tests.make import HUB1, HUB2, NOON, days, minutes

THIRD = held("hub3.example.test")
HOURS_OF_A_DAY = 24


class Reading:
    """A snapshot that is renewed when the test says so, on a clock that the test turns."""

    def __init__(self, home: Home, file: Path) -> None:
        self.at = NOON
        self.file = file
        self.raised: list[Raised] = []
        self.trust = Trust(ServerName(HUB1), home, file, self.raised.append, now=lambda: self.at)

    @property
    def codes(self) -> list[int]:
        return [one.event.code for one in self.raised]


@pytest.fixture
def reading(organization: Organization, tmp_path: Path) -> Reading:
    return Reading(organization.replica, tmp_path / "snapshot.jsonl")


async def test_nobody_is_believed_who_is_not_on_disk_yet(
    organization: Organization, reading: Reading
) -> None:
    """A hub that is killed a moment later believes the same peers when it comes back."""
    await organization.publish(PEER)
    looking = asyncio.create_task(reading.trust.look())
    while reading.trust.judge(PEER.certificate) != Trusted(ServerName(HUB2)):  # noqa: ASYNC110  # no event
        await asyncio.sleep(0)

    assert load(reading.file).judge(PEER.certificate) == Trusted(ServerName(HUB2))
    await looking


async def test_what_cannot_be_saved_is_used_said_once_and_saved_later(
    organization: Organization, reading: Reading
) -> None:
    """To believe fewer for it would defer today the mail that the file is to save after a restart."""
    reading.file.mkdir()
    await organization.publish(PEER)
    for _ in range(3):
        await reading.trust.look()
        reading.at += minutes(1)
    assert reading.trust.judge(PEER.certificate) == Trusted(ServerName(HUB2))
    assert reading.codes == [12155]
    assert reading.raised[0].values["why"]

    reading.file.rmdir()
    await reading.trust.look()

    assert load(reading.file) == reading.trust.snapshot
    assert reading.codes == [12155]


async def lose_a_peer(organization: Organization, reading: Reading) -> None:
    """Home comes back from a backup of before the peer's publication, which has been read."""
    backup, file = organization.folder / "backup", organization.replica.file
    await organization.publish(THIRD)
    shutil.copy(file, backup)
    await organization.publish(PEER)
    await reading.trust.look()
    shutil.copy(backup, file)


async def test_a_restored_replica_takes_nobody_away_and_a_withdrawal_does(
    organization: Organization, reading: Reading
) -> None:
    await lose_a_peer(organization, reading)

    await reading.trust.look()
    assert reading.trust.judge(PEER.certificate) == Trusted(ServerName(HUB2))
    assert reading.codes == [12156]
    assert reading.raised[0].values["servers"] == HUB2
    again = Reading(Unreadable(organization), reading.file)
    again.trust.snapshot = load(reading.file)
    assert again.trust.snapshot.kept == {PEER.certificate.pin: NOON + KEPT_WHERE_IT_WENT_BACK}

    await organization.withdraw(PEER)
    await reading.trust.look()
    assert reading.trust.judge(PEER.certificate) == Stranger(PEER.certificate)
    assert reading.trust.judge(THIRD.certificate) == Trusted(ServerName("hub3.example.test"))
    assert reading.codes == [12156]


async def test_a_key_that_a_replica_lost_is_kept_for_a_week_and_no_longer(
    organization: Organization, reading: Reading
) -> None:
    await lose_a_peer(organization, reading)
    await reading.trust.look()

    reading.at += days(7)
    await reading.trust.look()

    assert reading.trust.judge(PEER.certificate) == Stranger(PEER.certificate)


class Clock:
    """Turned by a test, read by a hub."""

    def __init__(self) -> None:
        self.at = clock.now()

    def __call__(self) -> datetime:
        return self.at


async def test_a_day_without_the_directory_stops_no_mail_between_those_who_know_each_other(
    organization: Organization,
) -> None:
    """12111 is said once, and once the directory is back nobody has to do anything."""
    turned, home = Clock(), Unreadable(organization)
    await organization.publish(PEER)
    async with organization.hub(home=home, now=turned, snapshot_max_age=timedelta(seconds=0.4)) as hub1:
        home.gone = True
        for _ in range(HOURS_OF_A_DAY):
            turned.at += timedelta(hours=1)
            async with Peer.meets(hub1.endpoint, PEER) as session:
                assert (await session.mails(BOX)).startswith("250")
            await eventually(lambda: hub1.codes == [12111])
        await hub1.mails_come(BOX, HOURS_OF_A_DAY)

        home.gone = False
        await eventually(lambda: load(hub1.settings.store / "snapshot.jsonl").taken_at == turned.at)
        async with Peer.meets(hub1.endpoint, PEER) as session:
            assert (await session.mails(BOX)).startswith("250")

    assert hub1.codes == [12111]


async def test_however_many_strangers_come_the_looks_they_cause_are_counted_by_the_clock(
    organization: Organization, tmp_path: Path
) -> None:
    """A thousand, each with a key of its own, in ten waves: ten looks, and no two within a step."""
    moments: list[float] = []
    home, step = Unreadable(organization), 0.05
    column = home.column

    async def counted(now: datetime) -> Column:
        moments.append(asyncio.get_running_loop().time())
        return await column(now)

    home.column = counted  # type: ignore[method-assign]
    trust = Trust(
        ServerName(HUB1), home, tmp_path / "snapshot.jsonl", lambda _: None, ask_again=timedelta(seconds=step)
    )
    await trust.start()
    strangers = [replace(STRANGER.certificate, pin=Pin(f"{number:064x}")) for number in range(1000)]
    for wave in range(0, 1000, 100):
        verdicts = await asyncio.gather(*map(trust.judge_again, strangers[wave : wave + 100]))
        assert verdicts == list(map(Stranger, strangers[wave : wave + 100]))

    assert len(moments) == 1 + 10
    assert all(later - earlier > step * 0.9 for earlier, later in pairwise(moments))


async def test_hundreds_of_strangers_on_the_wire_cost_a_look_a_second_and_no_known_peer_its_mail(
    organization: Organization,
) -> None:
    looks = 0
    home = Unreadable(organization)
    column = home.column

    async def counted(now: datetime) -> Column:
        nonlocal looks
        looks += 1
        return await column(now)

    home.column = counted  # type: ignore[method-assign]
    await organization.publish(PEER)
    async with organization.hub(home=home) as hub1:
        loop = asyncio.get_running_loop()
        began, before = loop.time(), looks
        coming = iter(range(300))

        async def stranger() -> None:
            for _ in coming:
                async with Peer.meets(hub1.endpoint, STRANGER) as session:
                    assert (await session.says("MAIL FROM:<>")).startswith("454 4.7.1 1036")

        async def known() -> None:
            async with Peer.meets(hub1.endpoint, PEER) as session:
                assert (await session.mails(BOX)).startswith("250")

        await asyncio.gather(*(stranger() for _ in range(95)), known())
        seconds = loop.time() - began

    assert looks - before <= seconds + 2
