"""Durations and sizes as people write them: ``15m``, ``90d``, ``50 MiB``."""

from __future__ import annotations

import re
from datetime import timedelta

from mailtrust.errors import BadInput

_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_LONGEST = timedelta(days=36500)


def duration(text: str) -> timedelta:
    """
    Read a whole number and a unit: ``0s``, ``15m``, ``2h``, ``90d``; at most a hundred years.

    Raises: BadInput.
    """
    found = re.fullmatch(r"([0-9]{1,10})\s?([smhd])", text.strip())
    if found is None or int(found[1]) > _LONGEST / _UNITS[found[2]]:
        raise BadInput(f"{text!r} is not a duration", hint="write it like 0s, 15m, 2h or 90d")
    return int(found[1]) * _UNITS[found[2]]


def write_duration(length: timedelta) -> str:
    """The shortest text that `duration` reads back as the same whole seconds."""
    for unit in ("d", "h", "m"):
        if length and not length % _UNITS[unit]:
            return f"{length // _UNITS[unit]}{unit}"
    return f"{length // _UNITS['s']}s"


def size_bytes(text: str) -> int:
    """
    Read a size: ``50 MiB``, ``512KiB``, ``1000 B``.

    Raises: BadInput.
    """
    found = re.fullmatch(r"([0-9]{1,15})\s?(B|KiB|MiB|GiB)", text.strip())
    if found is None:
        raise BadInput(f"{text!r} is not a size", hint="write it like 512 KiB, 50 MiB or 1 GiB")
    return int(found[1]) * _SIZES[found[2]]


def write_size(count: int) -> str:
    """The shortest text that `size_bytes` reads back."""
    for unit in ("GiB", "MiB", "KiB"):
        if count and not count % _SIZES[unit]:
            return f"{count // _SIZES[unit]} {unit}"
    return f"{count} B"
