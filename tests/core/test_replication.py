"""Late or lost: what a directory's own numbers prove about a value that is not there."""

from __future__ import annotations

from mailtrust.core.model.replication import Fate, Stamp, fate
from tests.make import NOON

WRITTEN = Stamp("dc1", 100, NOON)


def test_a_write_that_was_not_seen_is_late() -> None:
    assert fate(WRITTEN, {"dc1": 99, "dc2": 5000}) is Fate.LATE


def test_a_writer_that_nobody_has_seen_anything_of_is_late() -> None:
    assert fate(WRITTEN, {"dc2": 5000}) is Fate.LATE


def test_a_write_that_was_seen_is_lost() -> None:
    assert fate(WRITTEN, {"dc1": 100}) is Fate.LOST


def test_without_numbers_nobody_knows() -> None:
    assert fate(None, {"dc1": 100}) is Fate.UNKNOWN
    assert fate(WRITTEN, {}) is Fate.UNKNOWN


def test_an_entry_that_was_written_later_has_won() -> None:
    """Even where that replica says that it has not seen so much: its own word on the entry is nearer."""
    assert fate(WRITTEN, {"dc1": 99}, Stamp("dc2", 101, NOON)) is Fate.LOST


def test_an_entry_that_was_written_earlier_is_late() -> None:
    assert fate(WRITTEN, {"dc1": 100}, Stamp("dc2", 99, NOON)) is Fate.LATE
