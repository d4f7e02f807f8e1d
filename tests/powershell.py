"""
How PowerShell reads what we have people paste.

Whether a line is one command, and how many arguments it has, says a grammar that is not ours.  What a quoted
text means is written down here anew, from about_Quoting_Rules: the grammar does not know the quotes that word
processors write, and PowerShell takes them for quotes.
"""

from __future__ import annotations

import re
from functools import cache

import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

_QUOTES = "'\u2018\u2019\u201a\u201b"


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_powershell.language()))


def faults(script: str) -> list[str]:
    """Every place that is no PowerShell."""
    return [_text(node) for node in _nodes(_tree(script)) if node.is_error or node.is_missing]


def commands(line: str) -> list[str]:
    """The names of all commands in it, those in script blocks too."""
    return [_text(node) for node in _nodes(_tree(line)) if node.type == "command_name"]


def arguments(line: str) -> list[str]:
    """The arguments and parameters of its first command, as they are written."""
    [elements, *_] = [node for node in _nodes(_tree(line)) if node.type == "command_elements"]
    return [_text(one) for one in elements.children if one.type != "command_argument_sep"]


def meaning(argument: str) -> str:
    """The text that an argument stands for; fails where it is none, or would be evaluated."""
    if argument.startswith("("):
        assert argument.endswith(")")
        return "".join(map(_piece, _pieces(argument[1:-1])))
    if argument[0] in _QUOTES:
        return _unquoted(argument)
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]*", argument), argument
    return argument


def _piece(piece: str) -> str:
    if found := re.fullmatch(r"\[char\](\d+)", piece):
        return chr(int(found[1]))
    if found := re.fullmatch(r"\[char\]::ConvertFromUtf32\((\d+)\)", piece):
        return chr(int(found[1]))
    return _unquoted(piece)


def _pieces(sum_: str) -> list[str]:
    pieces, at = [], 0
    while at < len(sum_):
        end = _end_of_quotes(sum_, at) if sum_[at] in _QUOTES else (sum_.find("+", at) % (len(sum_) + 1))
        pieces.append(sum_[at:end])
        assert end == len(sum_) or sum_[end] == "+"
        at = end + 1
    return pieces


def _unquoted(text: str) -> str:
    assert _end_of_quotes(text, 0) == len(text), f"{text!r} ends too early"
    return re.sub(f"([{_QUOTES}])[{_QUOTES}]", r"\1", text[1:-1])


def _end_of_quotes(text: str, at: int) -> int:
    at += 1
    while True:
        if text[at] in _QUOTES:
            if at + 1 == len(text) or text[at + 1] not in _QUOTES:
                return at + 1
            at += 1
        at += 1


def _tree(script: str) -> Node:
    # PowerShell takes `-Name a,b.c` for two texts, and the grammar for a fault; plain words harm nobody.
    plain = re.sub(r"(?<= )[A-Za-z][A-Za-z0-9._-]*(,[A-Za-z][A-Za-z0-9._-]*)+(?= |$)", "words", script)
    return _parser().parse(plain.encode("utf-8", "surrogatepass")).root_node


def _nodes(node: Node) -> list[Node]:
    return [node, *(below for child in node.children for below in _nodes(child))]


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "surrogatepass")
