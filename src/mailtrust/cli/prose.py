"""Sentences in lines: English breaks between words, Chinese between characters, but not before its marks."""

from __future__ import annotations

import re

_WIDE = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60"
_OPENING, _CLOSING = "（「『《【", "，。、；：？！）」』》】"
_PIECE = re.compile(rf"\s+|[{_OPENING}]*(?:[{_WIDE}]|[^\s{_WIDE}]+)[{_CLOSING}]*")


def wrapped(text: str, columns: int, first: str = "", rest: str = "") -> str:
    """
    *text* in lines of that many columns, the first led by *first* and the others by *rest*.

    A word that is longer than a line stays whole: a path that is broken in two can not be pasted.
    """
    lines, line, used, gap = [], first, wide(first), ""
    empty = True
    for piece in _PIECE.findall(text):
        if piece.isspace():
            gap = " "
            continue
        if not empty and used + len(gap) + wide(piece) > columns:
            lines.append(line)
            line, used, gap, empty = rest, wide(rest), "", True
        line += piece if empty else gap + piece
        used += wide(piece) + (0 if empty else len(gap))
        gap, empty = "", False
    return "\n".join((*lines, line))


def wide(text: str) -> int:
    """How many columns it takes on a terminal: East Asian characters take two."""
    return sum(2 if ord(one) > 0x2E7F else 1 for one in text)
