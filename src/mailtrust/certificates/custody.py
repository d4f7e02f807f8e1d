"""
Files that hold keys: how they are read, who may read them, and who may change the folder.

A file is opened once when it is read: OpenSSL's own loaders open a path twice and meet two different files
while it is being replaced (measured: 5 to 21 % of loads).  How it is written, `mailtrust.durable` says.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mailtrust.errors import StoreUnavailable

_LARGEST_BYTES = 1 << 20


def read(path: Path) -> bytes:
    """The file's bytes, from one opening; a link is not followed.  Raises: OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_LARGEST_BYTES)


def is_exposed(path: Path) -> bool:
    """True if others than its owner may read it.  Raises: OSError."""
    return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


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
