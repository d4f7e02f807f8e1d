"""The trust snapshot's file: what is saved is loaded, wholly or not at all."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from mailtrust.core.model.certificate import Pin
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.trust import Snapshot
from mailtrust.directory.snapshot import SnapshotFile, load, save
from mailtrust.errors import StoreUnavailable
from tests.directory.account import an_ordinary_account
from tests.make import DC1, HUB1, HUB2, NOON, a_certificate, a_replica, minutes

FIRST, SECOND = a_certificate(), a_certificate(key="b")
HELD = Snapshot({FIRST.pin: HUB1, SECOND.pin: HUB2}, NOON, DC1)
LENT = replace(HELD, seen={"001": 5}, lent=frozenset({SECOND.pin}), lent_seen={"001": 7})


@pytest.fixture
def file(folder: Path) -> Path:
    return folder / "snapshot.jsonl"


@pytest.mark.parametrize(
    "held", [HELD, LENT, Snapshot(), Snapshot({}, NOON, DC1)], ids=["full", "lent", "none", "empty"]
)
def test_what_is_saved_is_loaded(file: Path, held: Snapshot) -> None:
    save(file, held)

    assert load(file) == held


def test_a_moment_is_the_same_in_every_zone(file: Path) -> None:
    there = NOON.astimezone(timezone(timedelta(hours=8)))
    save(file, Snapshot({}, there, DC1))

    assert load(file).taken_at == NOON


def test_what_never_was_saved_is_empty_and_stale(file: Path) -> None:
    held = load(file)

    assert held == Snapshot()
    assert held.is_stale(NOON, timedelta(days=1000))


def test_saving_leaves_nothing_beside_it_and_anybody_may_read_it(file: Path) -> None:
    """A monitoring account shows how old it is."""
    for _ in range(3):
        save(file, HELD)

    assert [one.name for one in file.parent.iterdir()] == ["snapshot.jsonl"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_a_save_that_fails_leaves_the_old_one(file: Path) -> None:
    save(file, HELD)
    file.parent.chmod(0o555)

    with an_ordinary_account(), pytest.raises(StoreUnavailable, match="cannot be written") as failed:
        save(file, Snapshot())

    assert failed.value.hint
    assert load(file) == HELD
    assert [one.name for one in file.parent.iterdir()] == ["snapshot.jsonl"]


def test_a_save_that_fails_at_its_end_leaves_nothing_beside_it(file: Path) -> None:
    """Or every attempt would add a file to a disk that may be full already."""
    file.mkdir()

    with pytest.raises(StoreUnavailable, match="cannot be written"):
        save(file, HELD)

    assert [one.name for one in file.parent.iterdir()] == ["snapshot.jsonl"]


def cut(content: str) -> str:
    return content[: len(content) // 2]


def of_another_release(content: str) -> str:
    return content.replace("snapshot/2", "snapshot/3")


def with_a_pin_that_is_none(content: str) -> str:
    return content.replace(a_certificate().pin, "ab")


def without_a_zone(content: str) -> str:
    return content.replace("12:00:00Z", "12:00:00")


@pytest.mark.parametrize("damage", [cut, of_another_release, with_a_pin_that_is_none, without_a_zone])
def test_a_damaged_snapshot_is_not_believed(file: Path, damage: Callable[[str], str]) -> None:
    """Half of whom we trusted is worse than nobody: mail waits, and a new one is taken."""
    save(file, HELD)
    before = file.read_text()
    file.write_text(damage(before))
    assert file.read_text() != before

    with pytest.raises(StoreUnavailable, match=r"snapshot\.json") as damaged:
        load(file)

    assert damaged.value.hint


def test_bytes_that_are_no_text_are_not_believed(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00" * 100)

    with pytest.raises(StoreUnavailable, match="damaged"):
        load(file)


def a_large_one() -> Snapshot:
    """As it is after a look at one server, when it is known whose keys are whose."""
    many = {Pin(f"{number:064x}"): ServerName(f"hub{number}.example.test") for number in range(1000)}
    return Snapshot(many, NOON, DC1).updated([a_replica(DC1, FIRST)], DC1, NOON)


def test_a_change_and_a_new_date_cost_a_line(file: Path) -> None:
    """However much there is: the rest of the file is left as it stands."""
    keeper, before = SnapshotFile(file), a_large_one()
    keeper.save(before)
    whole = file.read_bytes()
    after = before.updated([a_replica(DC1, SECOND)], DC1, NOON + minutes(1))

    keeper.save(after)
    with_change = file.read_bytes()
    keeper.save(after.confirmed(NOON + minutes(2)))

    assert with_change.startswith(whole)
    assert with_change[len(whole) :].count(b"\n") == 1
    assert len(with_change) - len(whole) < 400
    assert file.read_bytes().startswith(with_change)
    assert keeper.load() == after.confirmed(NOON + minutes(2))


def test_a_line_that_a_power_cut_left_unfinished_was_never_said(file: Path) -> None:
    keeper, before = SnapshotFile(file), a_large_one()
    keeper.save(before)
    whole = file.stat().st_size
    keeper.save(before.updated([a_replica(DC1, SECOND)], DC1, NOON + minutes(1)))
    long = file.read_bytes()

    for size in (whole, whole + 1, len(long) - 1):
        file.write_bytes(long[:size])
        assert load(file) == before


def taken_away(file: Path) -> None:
    file.unlink()


def written_by_another(file: Path) -> None:
    save(file, HELD)


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize("disturbed", [taken_away, written_by_another, cut_short])
def test_a_file_that_is_not_as_it_was_left_is_written_anew(
    file: Path, disturbed: Callable[[Path], None]
) -> None:
    keeper, before = SnapshotFile(file), a_large_one()
    keeper.save(before)
    disturbed(file)
    after = before.updated([a_replica(DC1, SECOND)], DC1, NOON + minutes(1))

    keeper.save(after)

    assert load(file) == after


def test_a_file_does_not_grow_for_ever(file: Path) -> None:
    keeper, held = SnapshotFile(file), a_large_one()
    keeper.save(held)
    whole = file.stat().st_size

    for minute in range(3000):
        held = held.confirmed(NOON + minutes(minute))
        keeper.save(held)

    assert file.stat().st_size < 3 * whole
    assert load(file) == held
