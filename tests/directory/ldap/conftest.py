"""The directory client runs on asyncio's own loop and on uvloop: test both."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loops import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path: a socket's may have 107 characters."""
    made = Path(tempfile.mkdtemp(prefix="mt-"))
    yield made
    shutil.rmtree(made)
