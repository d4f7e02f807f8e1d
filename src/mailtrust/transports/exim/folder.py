"""The folder in which Exim looks its files up: each appears whole, or not at all."""

from __future__ import annotations

import stat
from pathlib import Path

from mailtrust import durable
from mailtrust.errors import TransportUnavailable
from mailtrust.transports.exim.compile import PEERS, PINS, Files


def held(folder: Path) -> Files:
    """
    The files that are there now; a folder that is not there has none.

    Raises: TransportUnavailable where one cannot be read.
    """
    found: dict[str, bytes] = {}
    try:
        for name in (PEERS, PINS):
            if (folder / name).is_dir():
                for one in sorted((folder / name).iterdir()):
                    if _is_ours(one):
                        found[f"{name}/{one.name}"] = one.read_bytes()
    except OSError as error:
        raise TransportUnavailable(f"the files in {folder} cannot be read") from error
    return found


def write(folder: Path, before: Files, after: Files) -> None:
    """
    Lead from the one to the other.  Whoever shall be believed is, before anybody is no more.

    Raises: TransportUnavailable; then some of it is done, each file is whole, and it may be repeated.
    """
    try:
        for name in (PEERS, PINS):
            durable.make_folder(folder / name)
        for path, text in after.items():
            if before.get(path) != text:
                durable.write(folder / path, text, durable.PUBLIC)
        for path in before.keys() - after.keys():
            (folder / path).unlink(missing_ok=True)
        for name in (PEERS, PINS):
            durable.sync_folder(folder / name)
    except OSError as error:
        hint = "check that the disk has room, and that this account may write to the folder"
        raise TransportUnavailable(f"the files in {folder} cannot be written", hint=hint) from error


def _is_ours(path: Path) -> bool:
    """What is being written begins with a dot, and is gone after a crash by nobody's doing."""
    return not path.name.startswith(".") and stat.S_ISREG(path.lstat().st_mode)
