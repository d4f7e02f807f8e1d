"""
A mapping that never changes, and whose changed copy costs what changed and not what there is.

It is a thousand small mappings.  A copy shares all of them with the original but those in which something
changed; so it is also soon said in what two of them differ.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_PARTS = 1024


class Spread(Mapping[_Key, _Value]):
    """What *held* has at this moment."""

    __slots__ = ("_parts",)

    def __init__(self, held: Mapping[_Key, _Value]) -> None:
        parts: tuple[dict[_Key, _Value], ...] = tuple({} for _ in range(_PARTS))
        for key, value in held.items():
            parts[hash(key) % _PARTS][key] = value
        self._parts = parts

    def __getitem__(self, key: _Key) -> _Value:
        return self._parts[hash(key) % _PARTS][key]

    def __iter__(self) -> Iterator[_Key]:
        return chain.from_iterable(self._parts)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Spread):
            # Parts that are shared are not looked into.
            return self._parts == other._parts
        return super().__eq__(other)

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def changed(self, come: Mapping[_Key, _Value], gone: Iterable[_Key] = ()) -> Spread[_Key, _Value]:
        """A copy with what came, and without what went; where both have a key, it came."""
        parts = list(self._parts)
        for key in {*come, *gone}:
            at = hash(key) % _PARTS
            if parts[at] is self._parts[at]:
                parts[at] = dict(parts[at])
            if key in come:
                parts[at][key] = come[key]
            else:
                parts[at].pop(key, None)
        copy: Spread[_Key, _Value] = Spread.__new__(Spread)
        copy._parts = tuple(parts)
        return copy

    def shares(self, other: Spread[_Key, _Value]) -> float:
        """Which part of it is the other one's as well, and took no time and no memory."""
        return sum(map(operator.is_, self._parts, other._parts)) / _PARTS

    def since(self, before: Spread[_Key, _Value]) -> tuple[dict[_Key, _Value], set[_Key]]:
        """What has come or is another one since *before*, and what has gone."""
        come: dict[_Key, _Value] = {}
        gone: set[_Key] = set()
        for mine, its in zip(self._parts, before._parts, strict=True):
            if mine is not its:
                come.update((key, value) for key, value in mine.items() if its.get(key) != value)
                gone.update(its.keys() - mine.keys())
        return come, gone
