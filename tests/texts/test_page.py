"""The structure of an event's page."""

from __future__ import annotations

import pytest

from mailtrust.errors import TextMissing
from mailtrust.texts.page import event_text

WHOLE = """\
# The mail server is asleep

{server} does not
answer.

## Explanation

It sleeps.
It will wake up.

It always did.

## Conditions

- It is night,
  or nearly.
- Nobody calls.

## User action

- Let it sleep.

## See also

- 12012

## Cause tired

{server} worked all day.
"""


def test_a_page_is_read_part_by_part() -> None:
    """Lines are joined; paragraphs stay apart."""
    text = event_text(WHOLE, "en/1.md")

    assert (text.title, text.message) == ("The mail server is asleep", "{server} does not answer.")
    assert text.explanation == "It sleeps. It will wake up.\n\nIt always did."
    assert text.conditions == ("It is night, or nearly.", "Nobody calls.")
    assert (text.user_action, text.see_also) == (("Let it sleep.",), ("12012",))
    assert text.causes == {"tired": "{server} worked all day."}


def test_a_chinese_line_goes_on_without_a_space() -> None:
    """But a word in Latin letters keeps its distance, as Chinese is set."""
    chinese = WHOLE.replace("does not\nanswer.", "没有应答，\n也没有\nTLS。")

    assert event_text(chinese, "zh/1.md").message == "{server} 没有应答，也没有 TLS。"


@pytest.mark.parametrize("name", ["Explanation", "Conditions", "User action", "See also"])
def test_a_page_without_one_of_its_sections_is_refused(name: str) -> None:
    head, _, rest = WHOLE.partition(f"## {name}\n")
    following = rest[rest.index("## ") :]

    with pytest.raises(TextMissing, match=rf"^zh/1\.md: the section '{name}' is missing or empty$"):
        event_text(head + following, "zh/1.md")


@pytest.mark.parametrize("name", ["Explanation", "Conditions", "User action", "See also"])
def test_an_empty_section_is_as_good_as_none(name: str) -> None:
    head, _, rest = WHOLE.partition(f"## {name}\n")
    following = rest[rest.index("## ") :]

    with pytest.raises(TextMissing, match=rf"^en/1\.md: the section '{name}' is missing or empty$"):
        event_text(f"{head}## {name}\n\n{following}", "en/1.md")


def test_a_cause_that_says_nothing_is_refused() -> None:
    with pytest.raises(TextMissing, match=r"^en/1\.md: the section 'Cause tired' is missing or empty$"):
        event_text(WHOLE.replace("{server} worked all day.", ""), "en/1.md")


@pytest.mark.parametrize(
    "head", ["", "# \n\nIt does not answer.", "It does not answer.", "# The mail server is asleep\n"]
)
def test_a_page_begins_with_a_title_and_a_message(head: str) -> None:
    _, begin, rest = WHOLE.partition("\n## Explanation")

    with pytest.raises(TextMissing, match=r"^en/1\.md: it does not begin with a title and a message$"):
        event_text(head + begin + rest, "en/1.md")


def test_a_section_that_nobody_would_show_is_refused() -> None:
    """Most likely its name is misspelt or translated."""
    with pytest.raises(TextMissing, match=r"^en/1\.md: 'Explanations' is not a section that we know$"):
        event_text(WHOLE.replace("## Explanation", "## Explanations"), "en/1.md")


def test_prose_where_bullets_belong_is_refused() -> None:
    with pytest.raises(
        TextMissing, match=r"^en/1\.md: the section 'User action' does not consist of bullets$"
    ):
        event_text(WHOLE.replace("- Let it sleep.", "Let it sleep."), "en/1.md")
