"""
The modes in a configuration file, changed in place: comments, order and everything else stay as they are.

This is the one thing that mailtrust writes into a file that an administrator wrote.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

import tomlkit

from mailtrust import durable
from mailtrust.errors import BadConfiguration

_MARK = "\ufeff"


def with_modes(text: str, mode: str | None, peers: Mapping[str, str]) -> str:
    """
    The configuration *text* with another `transport.mode`, if there is one, and other modes towards *peers*.

    The text must be a configuration already; what is not there yet is added behind what is.
    """
    mark = _MARK if text.startswith(_MARK) else ""
    document = tomlkit.parse(text.removeprefix(_MARK))
    transport = _table(document, "transport", tomlkit.table())
    if mode is not None and transport.get("mode") != mode:
        transport["mode"] = mode
    if peers:
        modes = _table(transport, "peer_modes", tomlkit.inline_table())
        for peer, wanted in peers.items():
            if modes.get(peer) != wanted:
                modes[peer] = wanted
    return mark + tomlkit.dumps(document)


def read_text(file: Path) -> str:
    """The file's text, its mark and its line ends as they are.  Raises: BadConfiguration."""
    try:
        return file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfiguration(
            f"the configuration {file} cannot be read", hint="check that this account may read it"
        ) from error


def replace_text(file: Path, before: str, after: str) -> None:
    """
    Let the file say *after*, unless somebody changed it since it said *before*; owner and rights stay.

    Raises: BadConfiguration, with the file as it was.
    """
    place = file.resolve()
    try:
        if read_text(place) != before:
            raise BadConfiguration(
                f"{file} was changed by somebody else in the meantime; nothing was changed",
                hint="look at it, and type the command again",
            )
        was = place.stat()
        durable.write(place, after.encode(), was.st_mode & 0o777)
        if (was.st_uid, was.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(place, was.st_uid, was.st_gid)
    except OSError as error:
        raise BadConfiguration(
            f"the configuration {file} cannot be written", hint="do it as an account that may write there"
        ) from error


def _table(
    parent: MutableMapping[str, object], name: str, new: tomlkit.items.AbstractTable
) -> MutableMapping[str, object]:
    if name not in parent:
        parent[name] = new
    found = parent[name]
    assert isinstance(found, MutableMapping)  # noqa: S101  # the text is a configuration already
    return found
