"""Text from outside, as it may be shown."""

from __future__ import annotations


def clean(text: str) -> str:
    """
    The text without control characters and direction marks, line breaks and tabulators excepted.

    They would turn a line around, hide in it, or write elsewhere on a screen.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text)
