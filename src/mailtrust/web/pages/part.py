"""A part of a server's page: a section of its own, made by a module of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Part:
    """A section of the page, below the findings."""

    template: str
    """It is included, begins with an `h2`, and meets its values as `part`."""
    values: Mapping[str, Any] = field(default_factory=dict)
