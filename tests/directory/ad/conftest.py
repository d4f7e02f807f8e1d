"""The forest, for the tests of a directory in it."""

from __future__ import annotations

from tests.samba.fixtures import forest, forest_at_rest

__all__ = ["forest", "forest_at_rest"]
