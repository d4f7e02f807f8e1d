"""The probe runs on uvloop where there is one, and on asyncio's own loop elsewhere: test both."""

from __future__ import annotations

from tests.loops import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]
