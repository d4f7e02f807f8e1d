"""Replies: whatever a server sends, split anywhere, becomes a value or a plain refusal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrust.smtp.reply import EnhancedCode, NoReply, Reply, ReplyLimits, ReplyReader


def read(*pieces: bytes, limits: ReplyLimits | None = None) -> list[Reply | NoReply]:
    reader = ReplyReader(limits)
    found: list[Reply | NoReply] = []
    for piece in pieces:
        reader.receive(piece)
        while (reply := reader.next_reply()) is not None:
            found.append(reply)
            if isinstance(reply, NoReply):
                return found
    return found


def broken(*pieces: bytes, limits: ReplyLimits | None = None) -> str:
    last = read(*pieces, limits=limits)[-1]
    assert isinstance(last, NoReply)
    return last.why


def test_a_reply_of_several_lines_is_one_reply() -> None:
    assert read(b"250-hub1 hello\r\n250-SIZE 100\r\n250 STARTTLS\r\n") == [
        Reply(250, ("hub1 hello", "SIZE 100", "STARTTLS"))
    ]


def test_two_replies_in_one_segment_are_two_replies() -> None:
    """Pipelined answers arrive like that."""
    assert read(b"250 ok\r\n550 no\r\n") == [Reply(250, ("ok",)), Reply(550, ("no",))]


@pytest.mark.parametrize("line", [b"220\r\n", b"220 \r\n", b"220\n", b"220-\r\n220\r\n"])
def test_a_reply_may_have_no_text(line: bytes) -> None:
    """RFC 5321 section 4.2 wants the blank after the code and forbids to rely on it."""
    (reply,) = read(line)

    assert isinstance(reply, Reply)
    assert reply.code == 220


def test_a_bare_line_feed_ends_a_line() -> None:
    """Old servers answer so; nothing can be smuggled into what only we read."""
    assert read(b"250-a\n250 b\n") == [Reply(250, ("a", "b"))]


def test_a_line_of_the_longest_length_is_read_and_one_byte_more_is_not() -> None:
    limits = ReplyLimits(line_bytes=20)

    assert read(b"250 " + b"x" * 15 + b"\r\n", limits=limits) == [Reply(250, ("x" * 15,))]
    assert "longer than 20 bytes" in broken(b"250 " + b"x" * 16 + b"\r\n", limits=limits)


def test_an_endless_line_is_given_up_before_its_end() -> None:
    """Otherwise a hostile banner would cost memory until the time-out."""
    assert "longer than 2048 bytes" in broken(*[b"220 " + b"x" * 100] * 30)


def test_an_endless_reply_is_given_up() -> None:
    assert "more than 128 lines" in broken(b"250-x\r\n" * 1000)


def test_lines_of_one_reply_that_disagree_are_no_reply() -> None:
    """Which of the two would decide?  RFC 5321 section 4.2.1 wants the same code on every line."""
    assert broken(b"250-ok\r\n550 no\r\n") == "one reply with two codes, 250 and 550"


@pytest.mark.parametrize(
    "line", [b"", b"hello", b"25 x", b"199 x", b"600 x", b"250x", b"250\tx", b"HTTP/1.1 400"]
)
def test_what_is_no_reply_is_shown(line: bytes) -> None:
    assert broken(line + b"\r\n").startswith("a line that is no SMTP reply: ")


def test_a_reply_cannot_move_the_cursor_of_a_terminal() -> None:
    """Escape sequences, NUL, a bare CR and marks that turn the direction of text become question marks."""
    assert read(b"250 \x1b[2Ja\x00b\rc\xe2\x80\xaed\xff\r\n") == [Reply(250, ("?[2Ja?b?c?d\ufffd",))]


def test_a_reply_is_shown_in_one_short_line() -> None:
    shown = str(Reply(550, ("5.7.1 no", "", "because", "x" * 500)))

    assert shown.startswith("550 5.7.1 no because xxx")
    assert shown.endswith("…")
    assert len(shown) == 200


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (250, "2.1.5 ok", EnhancedCode(2, 1, 5)),
        (454, "4.7.1", EnhancedCode(4, 7, 1)),
        (550, "5.123.999 no", EnhancedCode(5, 123, 999)),
        (550, "4.1.1 contradicts its code", None),
        (250, "2.1.5ok", None),
        (250, "2.1", None),
        (354, "3.0.0 no such class", None),
        (250, "ok 2.1.5", None),
    ],
)
def test_an_enhanced_code_stands_first_and_agrees_with_the_code(
    code: int, text: str, expected: EnhancedCode | None
) -> None:
    """RFC 2034 section 4."""
    assert Reply(code, (text,)).enhanced == expected


def test_a_code_belongs_to_exactly_one_class() -> None:
    for code, name in ((250, "positive"), (354, "intermediate"), (421, "temporary"), (550, "permanent")):
        reply = Reply(code, ("",))
        held = [one for one in ("positive", "intermediate", "temporary", "permanent") if getattr(reply, one)]

        assert held == [name]


def test_what_was_forgotten_is_never_read() -> None:
    """RFC 3207 section 4.2: what was sent in the clear before TLS may be an attacker's."""
    reader = ReplyReader()
    reader.receive(b"250-half")
    reader.forget()
    reader.receive(b"220 ok\r\n")

    assert reader.next_reply() == Reply(220, ("ok",))


@given(st.lists(st.binary(max_size=60), max_size=40))
def test_any_bytes_split_anywhere_give_the_same_replies(pieces: list[bytes]) -> None:
    """The network splits where it likes; nothing may crash, hang or depend on it."""
    assert read(*pieces) == read(b"".join(pieces))


_LINES = st.sampled_from([b"250-a\r\n", b"250 b\r\n", b"220 \n", b"550", b"\r\n", b"\n", b"250-", b"x"])


@given(st.lists(_LINES, max_size=30), st.integers(1, 7))
def test_replies_split_anywhere_are_the_same_replies(lines: list[bytes], width: int) -> None:
    whole = b"".join(lines)

    assert read(*(whole[at : at + width] for at in range(0, len(whole), width))) == read(whole)
