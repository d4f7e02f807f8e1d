"""Another account than root's, so that a test of rights means something wherever it runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_NOBODY = 65534


@contextmanager
def an_ordinary_account() -> Iterator[None]:
    """Root may do anything, so that root's rights are laid down for a moment."""
    if os.getuid() != 0:
        yield
        return
    os.setresuid(_NOBODY, _NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
