"""An embedded replica that is damaged, gone, locked or forbidden: it says so, and nothing is lost."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.directory.sqlite import SqliteReplica
from mailtrust.errors import BadInput, DirectoryUnavailable, PublishRefused
from tests.directory.account import an_ordinary_account
from tests.make import ENDPOINT, HUB1, HUB2, NOON, a_certificate, minutes

SHORT = timedelta(milliseconds=300)
LEAF = a_certificate()


class Diary:
    """Remembers which replicas were read, as the journal does."""

    def __init__(self) -> None:
        self.read: dict[str, datetime] = {}

    def read_before(self, url: str) -> datetime | None:
        return self.read.get(url)

    def remember(self, url: str, now: datetime) -> None:
        self.read[url] = now


def opened(
    folder: Path, *, timeout: timedelta = timedelta(seconds=10), memory: Diary | None = None
) -> SqliteReplica:
    return SqliteReplica(f"sqlite://{folder}/dc1.db", timeout=timeout, memory=memory)


@pytest.fixture
async def replica(folder: Path) -> AsyncIterator[SqliteReplica]:
    """Holds enough that its file has inner pages."""
    made = opened(folder)
    await made.publish(HUB1, LEAF.der, NOON, [ENDPOINT])
    for number in range(10):
        await made.publish(HUB2, bytes([number]) * 5000, NOON)
    yield made
    await made.close()


async def entry(replica: SqliteReplica) -> ReplicaSighting:
    [look] = await replica.look([HUB1], NOON)
    return look


async def unseen(replica: SqliteReplica) -> str:
    """Why it could not be looked at, after every other question was refused as well."""
    look = await entry(replica)
    assert look.found is None
    assert list(await replica.look(None, NOON)) == []
    assert (await replica.state()).why == look.why
    for act in (
        replica.contents(),
        replica.publish(HUB2, LEAF.der, NOON),
        replica.withdraw(HUB2, LEAF.fingerprint, NOON),
    ):
        with pytest.raises(DirectoryUnavailable) as unavailable:
            await act
        assert unavailable.value.message.startswith(replica.url)
        assert unavailable.value.hint
    return look.why


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def cut(file: Path) -> None:
    os.truncate(file, 3 * 4096)


def empty(file: Path) -> None:
    os.truncate(file, 0)


def write_over(file: Path) -> None:
    file.write_bytes(b"not a database any more\n" * 400)


def write_over_pages(file: Path) -> None:
    """The header stays, so that only a look at the pages can tell."""
    held = bytearray(file.read_bytes())
    held[4096 : 3 * 4096] = os.urandom(2 * 4096)
    file.write_bytes(held)


def lose_a_value(file: Path) -> None:
    """Everything is in order, and a certificate is gone, as after a lost write."""
    changed(file, "DELETE FROM value WHERE server LIKE 'hub1%'")


def lose_the_seal(file: Path) -> None:
    changed(file, "DELETE FROM seal")


def change_a_listener(file: Path) -> None:
    changed(file, "UPDATE listeners SET endpoints = '[]'")


def change_a_value(file: Path) -> None:
    """Well-formed, and not what was published."""
    changed(file, "UPDATE value SET value = zeroblob(5000)")


def change_a_moment(file: Path) -> None:
    changed(file, "UPDATE value SET added_at = 'yesterday'")


def change_a_name(file: Path) -> None:
    changed(file, "UPDATE value SET server = 'HUB1' WHERE server LIKE 'hub1%'")


def drop_a_table(file: Path) -> None:
    changed(file, "DROP TABLE withdrawn")


def put_another_database(file: Path) -> None:
    file.unlink()
    changed(file, "CREATE TABLE value (server, digest, added_at, value)")


def put_a_newer_one(file: Path) -> None:
    changed(file, "PRAGMA user_version = 99")


def put_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def changed(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute(statement)


DAMAGES: tuple[tuple[Callable[[Path], None], str], ...] = (
    (cut, "cut short or damaged"),
    (empty, "0 bytes"),
    (write_over, "no database"),
    (write_over_pages, "damaged"),
    (lose_a_value, "rows are missing"),
    (lose_the_seal, "rows are missing"),
    (change_a_listener, "others than were written"),
    (change_a_value, "other bytes than were published"),
    (change_a_moment, "yesterday"),
    (change_a_name, "HUB1"),
    (drop_a_table, "damaged"),
    (put_another_database, "another program"),
    (put_a_newer_one, "newer mailtrust"),
    (put_a_folder, "not a file"),
)


@pytest.mark.parametrize(("damage", "why"), DAMAGES, ids=[one.__name__ for one, _ in DAMAGES])
async def test_a_damaged_replica_was_not_seen(
    replica: SqliteReplica, damage: Callable[[Path], None], why: str
) -> None:
    """Neither empty nor half: and nothing is written to what may be mended yet."""
    damage(replica.file)
    before = replica.file.read_bytes() if replica.file.is_file() else b""

    assert why in await unseen(replica)
    assert (replica.file.read_bytes() if replica.file.is_file() else b"") == before


async def test_a_cut_anywhere_is_noticed(replica: SqliteReplica) -> None:
    whole = replica.file.read_bytes()
    for size in range(0, len(whole), 1024):
        replica.file.write_bytes(whole[:size])
        assert (await entry(replica)).found is None, size


async def test_a_replica_comes_back_from_its_backup(replica: SqliteReplica) -> None:
    backup = replica.file.with_suffix(".backup")
    shutil.copy2(replica.file, backup)
    write_over(replica.file)
    assert (await entry(replica)).found is None

    backup.replace(replica.file)

    assert (await entry(replica)).pins == {LEAF.pin}


async def test_a_missing_folder_is_no_empty_replica(tmp_path: Path) -> None:
    """It is a disk that is not mounted."""
    replica = opened(tmp_path / "unmounted")

    assert "does not exist" in await unseen(replica)
    assert not replica.file.parent.exists()


async def test_a_file_that_never_was_is_an_empty_replica_and_looking_makes_none(folder: Path) -> None:
    replica = opened(folder, memory=Diary())

    assert (await entry(replica)).found == ()
    assert (await replica.state()).readable
    assert names(folder) == []


async def test_a_file_that_was_read_before_and_is_gone_was_not_seen(folder: Path) -> None:
    """A new, empty one in its place would take every server's certificates out of sight."""
    diary = Diary()
    replica = opened(folder, memory=diary)
    await replica.publish(HUB1, LEAF.der, NOON)
    assert (await entry(replica)).pins == {LEAF.pin}
    replica.file.unlink()

    assert (
        await unseen(opened(folder, memory=diary))
        == "it was read until 2026-06-01 12:00Z and its file is gone"
    )
    assert not replica.file.exists()


async def test_a_look_is_remembered_only_where_there_was_a_file(folder: Path) -> None:
    diary = Diary()
    replica = opened(folder, memory=diary)
    await replica.look(None, NOON)
    assert diary.read == {}

    await replica.publish(HUB1, LEAF.der, NOON + minutes(1))
    await replica.look(None, NOON + minutes(2))

    assert diary.read == {replica.url: NOON + minutes(2)}


async def test_a_new_file_is_not_spoiled_by_what_an_old_one_left(
    replica: SqliteReplica, folder: Path
) -> None:
    """The rollback journal of a killed writer would be played into whatever file comes next."""
    journal = folder / "dc1.db-journal"
    with closing(sqlite3.connect(replica.file, isolation_level=None)) as writer:
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN")
        writer.execute("UPDATE value SET value = zeroblob(9000)")
        left = journal.read_bytes()
    replica.file.unlink()
    journal.write_bytes(left)

    await replica.publish(HUB2, LEAF.der, NOON)

    assert left
    assert [look.server for look in await replica.look(None, NOON)] == [HUB2]


async def test_a_lock_that_is_not_let_go_is_named_and_nothing_is_lost(
    replica: SqliteReplica, folder: Path
) -> None:
    hurried = opened(folder, timeout=SHORT)
    with closing(sqlite3.connect(replica.file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        # On a busy machine our own patience ends before SQLite's.
        assert re.search("locked|did not answer", (await entry(hurried)).why)
        with pytest.raises(DirectoryUnavailable, match=r"locked|did not answer"):
            await hurried.publish(HUB2, LEAF.der, NOON)

    assert (await entry(replica)).pins == {LEAF.pin}


async def test_a_writer_does_not_keep_others_from_looking(replica: SqliteReplica, folder: Path) -> None:
    hurried = opened(folder, timeout=SHORT)
    with closing(sqlite3.connect(replica.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert (await entry(hurried)).pins == {LEAF.pin}
        with pytest.raises(DirectoryUnavailable, match=r"locked|did not answer"):
            await hurried.publish(HUB2, LEAF.der, NOON)


async def test_a_file_that_may_not_be_written_can_be_read(replica: SqliteReplica) -> None:
    replica.file.chmod(0o444)

    with an_ordinary_account():
        with pytest.raises(PublishRefused, match="read-only") as refused:
            await replica.publish(HUB2, LEAF.der, NOON)
        look = await entry(replica)
        # What is published is published: there is nothing to write.
        await replica.publish(HUB1, LEAF.der, NOON)

    assert refused.value.hint
    assert look.pins == {LEAF.pin}


async def test_a_folder_that_may_not_be_written_can_be_read(replica: SqliteReplica) -> None:
    """SQLite puts its rollback journal beside the file."""
    replica.file.chmod(0o666)
    replica.file.parent.chmod(0o555)

    with an_ordinary_account():
        with pytest.raises(PublishRefused, match="folder"):
            await replica.publish(HUB2, LEAF.der, NOON)
        assert (await entry(replica)).pins == {LEAF.pin}


async def test_a_replica_cannot_begin_in_a_folder_that_may_not_be_written(folder: Path) -> None:
    replica = opened(folder)
    replica.file.parent.chmod(0o555)

    with an_ordinary_account(), pytest.raises(PublishRefused, match="permission denied"):
        await replica.publish(HUB1, LEAF.der, NOON)

    assert (await entry(replica)).found == ()


async def test_a_file_that_may_not_be_read_was_not_seen(replica: SqliteReplica) -> None:
    replica.file.chmod(0o600 if os.getuid() == 0 else 0o000)

    with an_ordinary_account():
        assert await unseen(replica) == "this account may not read its file"


@pytest.mark.parametrize(
    "url",
    [
        "/srv/dc1.db",
        "sqlite://srv/dc1.db",
        "sqlite:dc1.db",
        "sqlite:///",
        "sqlite:///srv/",
        "sqlite:///a?b",
        "ldap://dc1",
    ],
)
def test_a_url_that_is_no_absolute_path_is_refused(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        SqliteReplica(url, timeout=SHORT)

    assert "sqlite:///srv/dc1.db" in refused.value.hint
