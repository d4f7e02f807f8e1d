"""
What an account without rights may ask of root, and nothing else: to write tables (all rows, or some), to
install a chain file, and to reload; a line of JSON each.

They name no file and no command: which instance it is about, root's own settings say.  What the tables may
say is as narrow: a row can let somebody send whom the directory vouches for, or pin a next hop; none can
switch a protection off.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mailtrust.errors import BadInput
from mailtrust.transports.postfix.chain import LARGEST_BYTES
from mailtrust.transports.postfix.compile import CLIENTS, POLICY, Difference, Differences, Rows, Tables

LONGEST_LINE_BYTES = 64 << 20
"""Half a million keys."""
_MOST_ROWS = 1_000_000
_DIGEST = r"[0-9a-f]{2}(?::[0-9a-f]{2}){31}"
_KEYS = {
    CLIENTS: re.compile(_DIGEST),
    # A next hop as the transport table has it; Postfix looks it up in lower case.
    POLICY: re.compile(r"[!-@\[-~]{1,255}"),
}
_VALUES = {
    CLIENTS: re.compile(r"[a-z0-9_.-]{1,253}"),
    POLICY: re.compile(rf"fingerprint match={_DIGEST}(?:\|{_DIGEST}){{0,999}}"),
}


class Write(msgspec.Struct, frozen=True, tag_field="do", tag="write", forbid_unknown_fields=True):
    """Let both tables have these rows and nothing else."""

    tables: dict[str, dict[str, str]]

    def rows(self) -> Tables:
        """The tables.  Raises: BadInput."""
        if self.tables.keys() != _KEYS.keys():
            raise BadInput("the tables are not those that there are")
        _check(self.tables)
        return self.tables


class Change(msgspec.Struct, frozen=True, tag_field="do", tag="change", forbid_unknown_fields=True):
    """Put and remove some rows."""

    put: dict[str, dict[str, str]]
    gone: dict[str, list[str]]

    def rows(self) -> Differences:
        """The differences.  Raises: BadInput."""
        _check(self.put)
        _check({name: dict.fromkeys(keys) for name, keys in self.gone.items()})
        names = self.put.keys() | self.gone.keys()
        return {
            name: Difference(self.put.get(name, {}), frozenset(self.gone.get(name, ()))) for name in names
        }


class Install(msgspec.Struct, frozen=True, tag_field="do", tag="install", forbid_unknown_fields=True):
    """Put this chain file there."""

    pem: str

    def bytes(self) -> bytes:
        """The file.  Raises: BadInput; what is in it is looked at by whoever writes it."""
        if len(self.pem) > LARGEST_BYTES or not self.pem.isascii():
            raise BadInput("this is no chain file")
        return self.pem.encode()


class Reload(msgspec.Struct, frozen=True, tag_field="do", tag="reload", forbid_unknown_fields=True):
    """Let Postfix read its chain file again."""


class Old(msgspec.Struct, frozen=True):
    """A process that was there before a reload."""

    pid: int
    name: str
    started_seconds: float


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of a request: done where *error* is empty."""

    error: str = ""
    hint: str = ""
    older: list[Old] | None = None
    why: str = ""


Request = Write | Change | Install | Reload
read_request: Callable[[bytes], Request] = msgspec.json.Decoder(Request).decode
"""Raises: msgspec.MsgspecError for whatever is none."""
read_answer: Callable[[bytes], Answer] = msgspec.json.Decoder(Answer).decode
line: Callable[[Any], bytes] = msgspec.json.Encoder().encode


def _check(tables: Mapping[str, Mapping[str, str | None]]) -> None:
    for name, rows in tables.items():
        if name not in _KEYS:
            raise BadInput(f"there is no table {name!r}")
        if len(rows) > _MOST_ROWS:
            raise BadInput(f"{len(rows)} rows are too many for {name}")
        key, value = _KEYS[name].fullmatch, _VALUES[name].fullmatch
        if not all(map(key, rows)) or not all(value(one) for one in rows.values() if one is not None):
            raise BadInput(f"this is no row of {name}")


def writing(tables: Tables) -> Write:
    """The request for whole tables."""
    return Write({name: dict(rows) for name, rows in tables.items()})


def changing(differences: Differences) -> Change:
    """The request for some rows."""
    put: dict[str, Rows] = {name: one.put for name, one in differences.items() if one.put}
    gone = {name: sorted(one.gone) for name, one in differences.items() if one.gone}
    return Change({name: dict(rows) for name, rows in put.items()}, gone)
