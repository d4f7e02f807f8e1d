"""One round of replication: everybody who can be read ends with the same."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.core.model.certificate import fingerprint_of
from mailtrust.core.model.server import Endpoint
from mailtrust.directory.contents import Added, Contents
from mailtrust.directory.open import Directory, open_directory
from mailtrust.directory.replicate import replicate_once
from mailtrust.directory.sqlite import SqliteReplica
from mailtrust.errors import PublishRefused
from tests.directory.account import an_ordinary_account
from tests.make import ENDPOINT, HUB1, HUB2, NOON, a_certificate, minutes

ONE, TWO, THREE = (a_certificate(key=str(number)) for number in (1, 2, 3))


@pytest.fixture
def urls(folder: Path) -> list[str]:
    return [f"sqlite://{folder}/dc{number}.db" for number in (1, 2, 3)]


@pytest.fixture
def directory(urls: list[str]) -> Directory:
    return open_directory(urls[0], urls[0], urls, timeout=timedelta(seconds=10), memory=None)


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite://"))


async def contents(directory: Directory) -> list[Contents]:
    return [await one.contents() for one in directory.replicas if isinstance(one, SqliteReplica)]


async def test_replicas_agree_after_one_round_and_the_next_changes_nothing(
    directory: Directory, urls: list[str]
) -> None:
    for url, leaf in zip(urls, (ONE, TWO, THREE), strict=True):
        await directory.publish(HUB1, leaf.der, NOON, replica_url=url)

    first = await replicate_once(directory, NOON)
    second = await replicate_once(directory, NOON)

    [held, *others] = await contents(directory)
    assert len(held.values) == 3
    assert others == [held, held]
    assert (first.changes, first.complete) == (dict.fromkeys(urls, 2), True)
    assert (second.changed, second.complete, second.done_at) == (0, True, NOON)


async def test_the_first_publication_travels_with_the_value(directory: Directory, urls: list[str]) -> None:
    """A replica that got it an hour later did not publish it an hour later."""
    await directory.publish(HUB1, ONE.der, NOON + minutes(60), replica_url=urls[1])
    await directory.publish(HUB1, ONE.der, NOON)

    await replicate_once(directory, NOON + minutes(90))

    looks = await directory.look([HUB1], NOON)
    assert [one.published_at for look in looks for one in look.found or ()] == [NOON] * 3


async def test_a_withdrawal_takes_the_value_out_everywhere(directory: Directory, urls: list[str]) -> None:
    for url in urls:
        await directory.publish(HUB1, ONE.der, NOON, replica_url=url)
    await directory.withdraw(HUB1, ONE.fingerprint, NOON + minutes(1), replica_url=urls[1])

    await replicate_once(directory, NOON)

    looks = await directory.look([HUB1], NOON)
    assert [look.pins for look in looks] == [frozenset()] * 3
    assert [look.withdrawn for look in looks] == [{ONE.fingerprint: NOON + minutes(1)}] * 3


async def test_a_compromised_key_goes_out_everywhere(directory: Directory, urls: list[str]) -> None:
    await directory.publish(HUB1, ONE.der, NOON, replica_url=urls[2])
    await directory.primary.withdraw_key(HUB1, ONE.pin, NOON)

    await replicate_once(directory, NOON)

    looks = await directory.look([HUB1], NOON)
    assert [(look.pins, look.withdrawn_pins) for look in looks] == [(frozenset(), frozenset([ONE.pin]))] * 3


async def test_the_latest_listeners_stand_even_where_a_clock_was_set_back(
    directory: Directory, urls: list[str]
) -> None:
    await directory.publish(HUB1, ONE.der, NOON, listeners=[ENDPOINT])
    await replicate_once(directory, NOON)
    later = Endpoint("127.0.0.1", 26)

    await directory.publish(HUB1, TWO.der, NOON - minutes(30), replica_url=urls[1], listeners=[later])
    await replicate_once(directory, NOON)

    assert [look.listeners for look in await directory.look([HUB1], NOON)] == [(later,)] * 3


async def test_an_unreadable_replica_is_skipped_and_named_and_the_others_agree(
    directory: Directory, urls: list[str]
) -> None:
    await directory.publish(HUB1, ONE.der, NOON)
    file_of(urls[2]).write_bytes(b"not a database any more\n" * 400)

    done = await replicate_once(directory, NOON)

    assert done.changes == {urls[0]: 0, urls[1]: 1}
    [skipped] = done.skipped
    assert (skipped.url, done.complete) == (urls[2], False)
    assert "no database" in skipped.why


async def test_a_replica_that_gives_and_cannot_take_is_named(directory: Directory, urls: list[str]) -> None:
    for url, leaf in zip(urls, (ONE, TWO, THREE), strict=True):
        await directory.publish(HUB1, leaf.der, NOON, replica_url=url)
        file_of(url).chmod(0o444 if url == urls[1] else 0o666)
    file_of(urls[0]).parent.chmod(0o777)

    with an_ordinary_account():
        done = await replicate_once(directory, NOON)

    assert [one.url for one in done.skipped] == [urls[1]]
    assert "read-only" in done.skipped[0].why
    [first, second, third] = await contents(directory)
    assert len(first.values) == 3
    assert first == third
    assert len(second.values) == 1


async def test_a_round_with_nothing_to_bring_needs_no_right_to_write(
    directory: Directory, urls: list[str]
) -> None:
    await directory.publish(HUB1, ONE.der, NOON)
    await replicate_once(directory, NOON)
    for url in urls:
        file_of(url).chmod(0o444)

    with an_ordinary_account():
        done = await replicate_once(directory, NOON)

    assert (done.complete, done.changed) == (True, 0)


async def test_empty_replicas_stay_unmade(directory: Directory, urls: list[str]) -> None:
    done = await replicate_once(directory, NOON)

    assert (done.complete, done.changed) == (True, 0)
    assert not any(file_of(url).exists() for url in urls)


async def test_rounds_and_writes_at_once_lose_nothing(directory: Directory, urls: list[str]) -> None:
    """Every host may replicate, whatever the others do meanwhile."""
    values = [bytes([number]) * 50 for number in range(12)]

    await asyncio.gather(
        *(directory.publish(HUB2, value, NOON, replica_url=urls[at % 3]) for at, value in enumerate(values)),
        *(replicate_once(directory, NOON) for _ in range(4)),
    )
    await replicate_once(directory, NOON)

    for held in await contents(directory):
        assert {one.value for one in held.values.values()} == set(values)


async def test_a_value_with_other_bytes_than_its_digest_is_taken_in_by_nobody(directory: Directory) -> None:
    [replica, *_] = directory.replicas
    assert isinstance(replica, SqliteReplica)
    forged = Contents(values={(HUB1, fingerprint_of(b"one")): Added(NOON, b"another")})

    with pytest.raises(PublishRefused, match="digest"):
        await replica.merge(forged)

    assert await replica.contents() == Contents()
