"""
Files that are there whole or not at all, and still there after a power cut; and lines added to them.

A file is born under another name in the same folder, is on disk before it gets its own, and the folder is
on disk before we say so (fsync(2): a file's own fsync does not cover its name).
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

SECRET, PUBLIC = 0o600, 0o644
TEMPORARY_SUFFIX = ".new"

_WHERE_THERE_ARE = ("O_NOFOLLOW", "O_CLOEXEC", "O_BINARY")
"""The first two are Unix's; without the third Windows would write other line ends."""


def write(path: Path, data: bytes | Iterable[bytes], mode: int, owner: tuple[int, int] | None = None) -> None:
    """
    Replace *path* by *data*; on disk when it returns.  Raises: OSError, with *path* as it was.

    *owner* is the user's and the group's number; None: whoever writes it.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}{TEMPORARY_SUFFIX}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    for name in _WHERE_THERE_ARE:
        flags |= getattr(os, name, 0)
    # Nobody else's from birth, whatever it shall be in the end: a umask can only take away.
    descriptor = os.open(beside, flags, SECRET)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines((data,) if isinstance(data, bytes) else data)
            file.flush()
            if owner is not None:
                os.fchown(descriptor, *owner)
            # After the owner: a change of that one takes bits away.
            if hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def append(path: Path, data: bytes, *, behind: int) -> None:
    """
    Write *data* behind the first *behind* bytes, which must be all that *path* has; on disk when it returns.

    Raises: OSError; then, as after a power cut, any part of *data* may stand there.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_size != behind:
            raise OSError(errno.ESTALE, "somebody else wrote it", str(path))
        if os.write(descriptor, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """
    Make a folder that others may look into, whatever the umask; one that is there stays as it is.

    Raises: OSError.
    """
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        return
    path.chmod(0o755)


def sync_folder(folder: Path) -> None:
    """Put the names in *folder* on disk, where a folder can be opened (not on Windows).  Raises: OSError."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
