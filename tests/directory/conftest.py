"""A folder that other accounts may enter."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """Pytest's own are closed to other accounts."""
    made = Path(tempfile.mkdtemp(prefix="mailtrust-test-"))
    made.chmod(0o755)
    yield made
    made.chmod(0o755)
    shutil.rmtree(made)
