"""Durations and sizes, read and written."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailtrust.config import duration, size_bytes, write_duration, write_size
from mailtrust.errors import BadInput


@pytest.mark.parametrize("text", ["0s", "90s", "15m", "2h", "90d"])
def test_a_duration_survives_writing(text: str) -> None:
    """What is printed can be pasted back."""
    assert write_duration(duration(text)) == text


@pytest.mark.parametrize("text", ["", "5", "-5m", "1.5h", "m", "5 weeks", "5M", "99999999999d", "36501d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """A bare number could be anything."""
    with pytest.raises(BadInput, match="is not a duration"):
        duration(text)


def test_a_duration_is_a_length_of_time() -> None:
    """Each unit once."""
    assert [duration(f"2{unit}") for unit in "smhd"] == [
        timedelta(seconds=2),
        timedelta(minutes=2),
        timedelta(hours=2),
        timedelta(days=2),
    ]


@pytest.mark.parametrize(("text", "count"), [("50 MiB", 52428800), ("1KiB", 1024), ("10 B", 10)])
def test_a_size_is_a_number_of_bytes(text: str, count: int) -> None:
    """Powers of two, as the unit says."""
    assert size_bytes(text) == count
    assert size_bytes(write_size(count)) == count


@pytest.mark.parametrize("text", ["50", "50 MB", "-1 KiB", "many"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """MB would be read as either."""
    with pytest.raises(BadInput, match="is not a size"):
        size_bytes(text)
