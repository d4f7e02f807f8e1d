"""Results in plain words."""

from __future__ import annotations

from mailtrust.ldap.results import Code, in_words


def test_every_code_of_the_standards_has_words_of_its_own() -> None:
    said = [in_words(code) for code in Code]

    assert not [words for words in said if "no standard" in words]
    assert len({words.partition(" ")[2] for words in said}) == len(Code)


def test_a_missing_entry_may_be_one_that_we_may_not_see() -> None:
    assert in_words(32) == "32 (no such entry, or no right to see it)"


def test_a_code_that_nobody_defined_is_still_an_answer() -> None:
    assert in_words(8888) == "8888, which no standard defines"
