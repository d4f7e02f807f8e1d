"""How pages for a browser say our texts, and what others put into them."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from mailtrust.texts.html import prose, templates


def page(folder: Path, template: str, **values: object) -> str:
    (folder / "page").write_text(template)
    return templates(folder).get_template("page").render(**values)


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("type `mailtrust fix`, then wait", "type <code>mailtrust fix</code>, then wait"),
        ("`a <b>` & c", "<code>a &lt;b&gt;</code> &amp; c"),
        ("one ` alone", "one ` alone"),
        ("nothing `` between", "nothing `` between"),
        ("`a\tb`\tc", "<code>a\tb</code>\tc"),
        ("`a\x1bb`", "<code>a\ufffdb</code>"),
    ],
)
def test_code_stands_between_backticks(text: str, markup: str) -> None:
    assert prose(text) == Markup(markup)


def test_a_backtick_does_not_reach_for_one_in_another_line() -> None:
    """A server may have said the first: what follows is our own sentence, and not all of it code."""
    assert prose("it said: 500 `what\ntype `mailtrust why`") == Markup(
        "it said: 500 `what\ntype <code>mailtrust why</code>"
    )


def test_a_value_is_escaped_and_keeps_its_lines(tmp_path: Path) -> None:
    assert page(tmp_path, "{{ said }}", said="<b>\n\t\u202e") == "&lt;b&gt;\n\t\ufffd"


def test_what_a_template_put_together_is_not_escaped_again(tmp_path: Path) -> None:
    assert page(tmp_path, "{{ said | prose }}", said="`a`&") == "<code>a</code>&amp;"


def test_a_name_that_was_not_given_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UndefinedError):
        page(tmp_path, "{{ nobody }}")
