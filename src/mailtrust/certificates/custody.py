"""
Files that hold keys: whole or not at all, and never readable by anybody else, not even for a moment.

A file is born with its final mode under another name in the same folder, is on disk before it gets its
name, and the folder is on disk before we say so.  It is opened once when it is read: OpenSSL's own loaders
open a path twice and meet two different files while it is being replaced (measured: 5 to 21 % of loads).
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mailtrust.errors import StoreUnavailable

SECRET, PUBLIC = 0o600, 0o644
TEMPORARY_SUFFIX = ".new"
_LARGEST_BYTES = 1 << 20


def write(path: Path, data: bytes, mode: int) -> None:
    """Replace *path* by *data*; on disk when it returns.  Raises: OSError, with *path* as it was."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}{TEMPORARY_SUFFIX}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    # 0600 from birth, whatever it shall be in the end: a umask can only take away.
    descriptor = os.open(beside, flags, SECRET)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def read(path: Path) -> bytes:
    """The file's bytes, from one opening; a link is not followed.  Raises: OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_LARGEST_BYTES)


def is_exposed(path: Path) -> bool:
    """True if others than its owner may read it.  Raises: OSError."""
    return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def sync_folder(folder: Path) -> None:
    """Put the names in *folder* on disk.  Raises: OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Nobody else changes *folder* meanwhile, in whatever process.  The lock ends with its holder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def in_our_words(folder: Path, doing: str) -> Iterator[None]:
    """Turn what the file system says into a sentence of ours.  Raises: StoreUnavailable."""
    try:
        yield
    except OSError as error:
        hint = "check that the disk has room, and that this account may use the folder"
        raise StoreUnavailable(f"the store {folder} cannot be {doing}", hint=hint) from error
