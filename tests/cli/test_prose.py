"""Wrapping: English by words, Chinese by characters."""

from __future__ import annotations

import pytest

from mailtrust.cli.prose import wide, wrapped


def test_english_breaks_between_words_and_hangs() -> None:
    assert wrapped("one two three four", 11, "- ", "  ") == "- one two\n  three\n  four"


def test_chinese_takes_two_columns_and_no_line_begins_with_a_mark() -> None:
    lines = wrapped("三个字，好", 6).split("\n")

    assert lines == ["三个", "字，好"]
    assert max(map(wide, lines)) == 6


@pytest.mark.parametrize("columns", [5, 9, 30])
def test_a_long_word_stays_whole(columns: int) -> None:
    """A command or a path that is broken in two can not be pasted."""
    path = "sqlite:///srv/replicas/dc1.db"

    assert path in wrapped(f"at {path} 没有", columns).split("\n")


@pytest.mark.parametrize("text", ["", " ", "one", "运行 `mailtrust check`。它会指出原因。"])
def test_nothing_is_lost(text: str) -> None:
    assert "".join(wrapped(text, 10).split()) == "".join(text.split())
