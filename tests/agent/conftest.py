"""A journal of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailtrust.agent.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)
