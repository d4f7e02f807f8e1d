"""The forest, for its own tests."""

from __future__ import annotations

from tests.samba.fixtures import forest, forest_at_rest

__all__ = ["forest", "forest_at_rest"]
