"""Our lines in master.cf: written, found again, and taken out without anybody else's."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrust.core.model.server import Endpoint
from mailtrust.errors import BadInput
from mailtrust.transports.postfix.block import BEGIN, END, find, with_block, without_block
from mailtrust.transports.postfix.master_cf import entries
from mailtrust.transports.postfix.ours import Places, all_wanted

PLACES = Places(Path("/var/lib/mailtrust/postfix"))
OURS = all_wanted((Endpoint("192.0.2.7", 2525),), PLACES, "postfix")
LISTENER, HUB = "192.0.2.7:2525/inet", "hub/unix"
STRANGERS = """\
# a usual one
smtp      inet  n       -       y       -       -       smtpd
submission inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
# -o smtpd_tls_security_level=may
  -o smtpd_tls_security_level=encrypt

cleanup   unix  n       -       y       -       0       cleanup
"""
WITH_OURS = with_block(STRANGERS, OURS)


def keys(text: str) -> list[str]:
    return [entry.key for entry in entries(text.splitlines())]


def test_what_was_there_stays_as_it_was() -> None:
    assert WITH_OURS.startswith(STRANGERS)
    assert keys(WITH_OURS) == ["smtp/inet", "submission/inet", "cleanup/unix", LISTENER, HUB]


def test_undo_gives_the_file_back_to_the_byte() -> None:
    undone = without_block(WITH_OURS)

    assert (undone.text, undone.kept, undone.gone) == (STRANGERS, (), {LISTENER, HUB})


def test_a_last_line_without_a_line_feed_is_given_back_without_one() -> None:
    before = STRANGERS + "# the end"
    once = with_block(before, OURS)

    assert with_block(once, OURS) == once
    assert without_block(once).text == before
    assert without_block(once + "late unix - - n - - smtp\n").text == before + "\nlate unix - - n - - smtp\n"


def test_to_set_up_again_changes_nothing() -> None:
    assert with_block(WITH_OURS, OURS) == WITH_OURS


def test_another_listener_takes_the_place_of_the_first() -> None:
    moved = all_wanted((Endpoint("192.0.2.8", 25),), PLACES, "postfix")

    changed = with_block(WITH_OURS + "after unix - - n - - smtp\n", moved)

    assert keys(changed)[3:] == ["192.0.2.8:25/inet", HUB, "after/unix"]


def test_lines_around_ours_stay_wherever_they_are() -> None:
    edited = WITH_OURS.replace("y       -       0       cleanup", "n       -       0       cleanup")
    edited += "relay unix - - n - - smtp\n"

    assert without_block(edited).text == edited.replace(WITH_OURS[len(STRANGERS) :], "")


def test_an_edited_option_stays_and_does_not_become_somebody_elses() -> None:
    """Alone it would be an option of `cleanup`, which stands above it."""
    edited = WITH_OURS.replace("-o smtp_tls_loglevel=1", "-o smtp_tls_loglevel=2")

    undone = without_block(edited)

    [kept] = undone.kept
    assert (kept.line, kept.key, kept.silenced) == ("  -o smtp_tls_loglevel=2", HUB, True)
    assert "#  -o smtp_tls_loglevel=2\n" in undone.text
    assert keys(undone.text) == keys(STRANGERS)
    assert [one.rest for one in entries(undone.text.splitlines())] == [(), (3, 5), ()]


def test_an_edited_first_line_stays_and_opens_no_door() -> None:
    """Without the restrictions below it, it would be a listener like the public one."""
    edited = WITH_OURS.replace("192.0.2.7:2525 inet n - n - - smtpd", "192.0.2.9:2525 inet n - n - 20 smtpd")

    undone = without_block(edited)

    assert [(one.line, one.silenced) for one in undone.kept] == [
        ("192.0.2.9:2525 inet n - n - 20 smtpd", True)
    ]
    assert "#192.0.2.9:2525 inet n - n - 20 smtpd\n" in undone.text
    assert keys(undone.text) == keys(STRANGERS)


def test_an_option_that_was_added_stays_and_is_named() -> None:
    edited = WITH_OURS.replace(
        "hub unix - - n - - smtp\n", "hub unix - - n - - smtp\n  -o smtp_helo_name=x\n"
    )

    undone = without_block(edited)

    assert [(one.line, one.key) for one in undone.kept] == [("  -o smtp_helo_name=x", HUB)]
    assert "#  -o smtp_helo_name=x\n" in undone.text


def test_an_option_behind_our_last_comment_is_said_of_our_last_service() -> None:
    undone = without_block(WITH_OURS + "\n  -o smtp_helo_name=x\nafter unix - - n - - smtp\n")

    assert [(one.line, one.silenced) for one in undone.kept] == [("  -o smtp_helo_name=x", True)]
    assert keys(undone.text) == [*keys(STRANGERS), "after/unix"]


def test_a_service_of_somebody_elses_between_ours_stays_in_force() -> None:
    theirs = "slow unix - - n - 2 smtp\n  -o smtp_helo_name=x\n# theirs\n"
    edited = WITH_OURS.replace("# mailtrust sha256", theirs + "# mailtrust sha256", 1)

    undone = without_block(edited)

    assert undone.text == STRANGERS + theirs
    assert [one.silenced for one in undone.kept] == [False, False, False]


def test_other_blanks_are_no_edit() -> None:
    block = find(WITH_OURS.replace("  -o smtp_sasl_auth_enable", "\t-o  smtp_sasl_auth_enable"))

    assert block is not None
    assert not block.touched


def test_an_option_that_was_taken_out_is_an_edit() -> None:
    block = find(WITH_OURS.replace("  -o smtp_fallback_relay=\n", ""))

    assert block is not None
    assert (block.touched, block.edited, block.missing) == (True, (), 1)


@pytest.mark.parametrize("lost", [BEGIN, END])
def test_damaged_comments_are_nothing_to_guess_about(lost: str) -> None:
    with pytest.raises(BadInput, match="comments around mailtrust's lines"):
        without_block(WITH_OURS.replace(f"{lost}\n", ""))


def test_without_our_digests_nobody_guesses_which_service_is_ours() -> None:
    """Else undo took its own comments away, said that all is done, and could never find the rest again."""
    bare = "".join(one for one in WITH_OURS.splitlines(keepends=True) if "mailtrust sha256" not in one)

    with pytest.raises(BadInput, match=f"nothing was changed: whether {LISTENER}, {HUB} is as") as caught:
        without_block(bare)

    assert "setup --print" in caught.value.hint


def test_a_service_whose_digests_alone_are_gone_is_not_left_in_force() -> None:
    lines = WITH_OURS.splitlines(keepends=True)
    begin = next(number for number, line in enumerate(lines) if line.startswith("hub "))
    edited = [
        line.replace("\n", " \\\n") if begin <= number and line[:1] in " h" else line
        for number, line in enumerate(lines)
    ]

    with pytest.raises(BadInput, match=f"whether {HUB} is as"):
        without_block("".join(edited), [LISTENER, HUB])


def test_the_digests_of_the_printed_lines_bring_undo_back() -> None:
    """What the hint says: the comments come back, and what is ours to the letter goes."""
    bare = "".join(one for one in WITH_OURS.splitlines(keepends=True) if "mailtrust sha256" not in one)
    digests = [one for one in WITH_OURS.splitlines(keepends=True) if "mailtrust sha256" in one]

    assert without_block(bare.replace(END, "".join(digests) + END), [LISTENER, HUB]).text == STRANGERS


_LINE = st.sampled_from(
    [
        "",
        "# a comment",
        "smtp inet n - y - - smtpd",
        "  -o a=b",
        "\t-o { c = d e }",
        "  # indented",
        "x unix - - n - - y",
    ]
)


@given(st.lists(_LINE).map(lambda lines: "".join(f"{line}\n" for line in lines)))
def test_whatever_a_file_holds_undo_brings_it_back(text: str) -> None:
    assert without_block(with_block(text, OURS)).text == text


@given(st.lists(_LINE, min_size=1).map("\n".join), st.integers(0, 40), _LINE)
def test_whatever_is_written_between_ours_nobody_elses_service_changes(
    text: str, place: int, line: str
) -> None:
    before = f"{text}\n"
    lines = with_block(before, OURS).splitlines()
    start = len(before.splitlines())
    lines.insert(start + 1 + place % (len(lines) - start - 1), line)

    edited = "\n".join(lines) + "\n"

    undone = without_block(edited).text

    def meaning(of: str) -> list[tuple[str, list[str]]]:
        found = of.splitlines()
        return [(one.key, [found[number] for number in one.numbers]) for one in entries(found)]

    # An option right behind our first comment was said of the service above us, and still is.
    theirs = meaning(edited)[: len(meaning(before))]
    assert meaning(undone)[: len(theirs)] == theirs
