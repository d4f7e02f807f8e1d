"""The string literals of our own sources and templates, to hold them against the texts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path


@cache
def literals(folder: Path, call: str | None = None) -> frozenset[str]:
    """Every string literal below *folder*; with *call*, only first arguments of calls by that name."""
    trees = (ast.parse(file.read_text("utf-8")) for file in sorted(folder.rglob("*.py")))
    found = {found for tree in trees for node in _places(tree, call) for found in _strings(node)}
    quoted = re.compile(rf"\b{call}\('([^']*)'(?! ~)" if call else r"'([^'\n]*)'")
    templates = (file.read_text("utf-8") for file in sorted(folder.rglob("*.j2")))
    return frozenset(found.union(*map(quoted.findall, templates)))


def _places(tree: ast.AST, call: str | None) -> Iterator[ast.AST]:
    if call is None:
        yield tree
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and _name(node.func) == call:
            yield node.args[0]


def _name(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def _strings(node: ast.AST) -> Iterator[str]:
    """Whole literals only: a part of an f-string is no code."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    if not isinstance(node, ast.JoinedStr):
        for child in ast.iter_child_nodes(node):
            yield from _strings(child)
