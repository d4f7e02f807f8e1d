"""The hub runs on asyncio's own loop and on uvloop: test both."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.loops import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]

from tests.hub.organization import Organization


@pytest.fixture
def organization(tmp_path: Path) -> Organization:
    return Organization(tmp_path)
