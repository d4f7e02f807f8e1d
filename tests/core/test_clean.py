"""What text from outside loses before it is shown."""

from __future__ import annotations

from mailtrust.core.clean import clean


def test_what_would_write_elsewhere_or_turn_a_line_around_is_replaced() -> None:
    assert clean("\x1b[31mred \u202egnirts\r") == "\ufffd[31mred \ufffdgnirts\ufffd"


def test_lines_and_tabulators_stay() -> None:
    assert clean("one\ttwo\nthree") == "one\ttwo\nthree"


def test_a_text_in_any_writing_stays() -> None:
    assert clean("证书 été") == "证书 été"
