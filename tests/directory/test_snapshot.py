"""The trust snapshot's file: what is saved is loaded, wholly or not at all."""

from __future__ import annotations

import stat
from collections.abc import Callable
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from mailtrust.core.model.trust import Snapshot
from mailtrust.directory.snapshot import load, save
from mailtrust.errors import StoreUnavailable
from tests.directory.account import an_ordinary_account
from tests.make import DC1, HUB1, HUB2, NOON, a_certificate

HELD = Snapshot({a_certificate().pin: HUB1, a_certificate(key="b").pin: HUB2}, NOON, DC1)


@pytest.fixture
def file(folder: Path) -> Path:
    return folder / "snapshot.json"


@pytest.mark.parametrize("held", [HELD, Snapshot(), Snapshot({}, NOON, DC1)], ids=["full", "none", "empty"])
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

    assert [one.name for one in file.parent.iterdir()] == ["snapshot.json"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_a_save_that_fails_leaves_the_old_one(file: Path) -> None:
    save(file, HELD)
    file.parent.chmod(0o555)

    with an_ordinary_account(), pytest.raises(StoreUnavailable, match="cannot be written") as failed:
        save(file, Snapshot())

    assert failed.value.hint
    assert load(file) == HELD
    assert [one.name for one in file.parent.iterdir()] == ["snapshot.json"]


def test_a_save_that_fails_at_its_end_leaves_nothing_beside_it(file: Path) -> None:
    """Or every attempt would add a file to a disk that may be full already."""
    file.mkdir()

    with pytest.raises(StoreUnavailable, match="cannot be written"):
        save(file, HELD)

    assert [one.name for one in file.parent.iterdir()] == ["snapshot.json"]


def cut(content: str) -> str:
    return content[: len(content) // 2]


def of_another_release(content: str) -> str:
    return content.replace("snapshot/1", "snapshot/2")


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
