"""
Whether nobody but root decides what a path leads to.

Whoever may rename one folder on the way may put another in its place, and then root writes somewhere else.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mailtrust.errors import Refused

_ROOT = 0
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def roots_own_folder(path: Path) -> None:
    """
    Return if *path*, and each folder above it, is a folder that root owns and nobody else may change.

    One where everybody may add and nobody may rename what is another's, as /tmp, may stand above it.
    Raises: Refused, with the first that is not so.
    """
    if not path.is_absolute() or ".." in path.parts:
        raise Refused(f"{path} is not an absolute path without ..")
    for one in (*reversed(path.parents), path):
        _look(one, last=one == path)


def roots_own_file(path: Path, largest_bytes: int) -> bytes:
    """The bytes of a file that only root may change, and replace.  Raises: Refused."""
    roots_own_folder(path.parent)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise Refused(f"{path} cannot be read") from error
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != _ROOT or found.st_mode & _OTHERS_WRITE:
            raise Refused(
                f"{path} is not a file that root owns and nobody else may change", hint=f"chown root {path}"
            )
        return file.read(largest_bytes)


def _look(path: Path, *, last: bool) -> None:
    try:
        found = path.lstat()
    except OSError as error:
        raise Refused(f"{path} cannot be looked at") from error
    if not stat.S_ISDIR(found.st_mode):
        raise Refused(f"{path} is not a folder (a link to one does not do)")
    shared = found.st_mode & _OTHERS_WRITE and not (found.st_mode & stat.S_ISVTX and not last)
    if found.st_uid != _ROOT or shared:
        raise Refused(
            f"{path} is not root's alone: whoever may change it decides what root writes",
            hint=f"chown root {path}; chmod go-w {path}",
        )
