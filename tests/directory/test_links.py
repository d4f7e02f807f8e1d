"""Replication links: nothing arrives early, nothing over a cut link, everything after healing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.directory.links import Delivered, Links
from mailtrust.directory.sqlite import SqliteReplica
from tests.make import HUB1, NOON, a_certificate

LEAF = a_certificate(HUB1)
LAG = timedelta(seconds=5)


@pytest.fixture
def replicas(tmp_path: Path) -> tuple[SqliteReplica, ...]:
    return tuple(
        SqliteReplica(f"sqlite://{tmp_path}/dc{number}.db", timeout=timedelta(seconds=5))
        for number in (1, 2, 3)
    )


async def values(replica: SqliteReplica) -> int:
    return (await replica.state()).values


async def test_what_is_new_arrives_everywhere(replicas: tuple[SqliteReplica, ...]) -> None:
    first, second, third = replicas
    links = Links(replicas, timedelta(0))
    await first.publish(HUB1, LEAF.der, NOON)

    delivered = await links.step(NOON)

    assert [await values(one) for one in replicas] == [1, 1, 1]
    assert delivered == (Delivered(first.url, second.url, 1), Delivered(first.url, third.url, 1))


async def test_nothing_arrives_before_its_time(replicas: tuple[SqliteReplica, ...]) -> None:
    links = Links(replicas, LAG)
    await replicas[0].publish(HUB1, LEAF.der, NOON)

    await links.step(NOON)
    await links.step(NOON + LAG - timedelta(milliseconds=1))
    early = [await values(one) for one in replicas]
    await links.step(NOON + LAG)

    assert early == [1, 0, 0]
    assert [await values(one) for one in replicas] == [1, 1, 1]


async def test_one_replica_may_be_later_than_the_others(replicas: tuple[SqliteReplica, ...]) -> None:
    links = Links(replicas, timedelta(0))
    links.lags[replicas[2].url] = LAG
    await replicas[0].publish(HUB1, LEAF.der, NOON)

    await links.step(NOON)
    early = [await values(one) for one in replicas]
    await links.step(NOON + LAG)

    assert early == [1, 1, 0]
    assert [await values(one) for one in replicas] == [1, 1, 1]


async def test_a_withdrawal_travels_too(replicas: tuple[SqliteReplica, ...]) -> None:
    links = Links(replicas, timedelta(0))
    await replicas[0].publish(HUB1, LEAF.der, NOON)
    await links.step(NOON)
    await replicas[2].withdraw(HUB1, LEAF.fingerprint, NOON)

    await links.step(NOON)

    assert [await values(one) for one in replicas] == [0, 0, 0]


async def test_nothing_crosses_a_cut_link_until_it_is_healed(replicas: tuple[SqliteReplica, ...]) -> None:
    links = Links(replicas, timedelta(0))
    links.cut.add(replicas[1].url)
    await replicas[0].publish(HUB1, LEAF.der, NOON)
    await links.step(NOON)
    while_cut = [await values(one) for one in replicas]

    links.heal(replicas[1].url)
    await links.step(NOON)

    assert while_cut == [1, 0, 1]
    assert [await values(one) for one in replicas] == [1, 1, 1]


async def test_what_is_under_way_is_lost_when_its_link_is_cut(replicas: tuple[SqliteReplica, ...]) -> None:
    """And sent again after healing, as replication does after a break."""
    links = Links(replicas, LAG)
    await replicas[0].publish(HUB1, LEAF.der, NOON)
    await links.step(NOON)
    links.cut.add(replicas[0].url)
    await links.step(NOON + LAG)
    lost = [await values(one) for one in replicas]

    links.heal(replicas[0].url)
    await links.step(NOON + LAG)
    await links.step(NOON + LAG + LAG)

    assert lost == [1, 0, 0]
    assert [await values(one) for one in replicas] == [1, 1, 1]


async def test_a_replica_that_cannot_be_reached_is_named_and_gets_it_later(
    replicas: tuple[SqliteReplica, ...], tmp_path: Path
) -> None:
    links = Links(replicas, timedelta(0))
    await links.step(NOON)
    file = tmp_path / "dc3.db"
    kept = file.read_bytes() if file.exists() else None
    file.write_bytes(b"not a database any more\n" * 400)
    await replicas[0].publish(HUB1, LEAF.der, NOON)

    await links.step(NOON)
    unreachable = dict(links.unreachable)
    if kept is None:
        file.unlink()
    else:
        file.write_bytes(kept)
    await links.step(NOON)

    assert list(unreachable) == [replicas[2].url]
    assert "its file is no database" in unreachable[replicas[2].url]
    assert links.unreachable == {}
    assert [await values(one) for one in replicas] == [1, 1, 1]
