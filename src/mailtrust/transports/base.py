"""
What a transport tells the layers above it, whatever it is made of.

It may not know them: it is handed a function, and calls it with what it found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mailtrust.core.model.event import Event
from mailtrust.core.model.server import ServerName


@dataclass(frozen=True, slots=True)
class Raised:
    """An event that a transport met on the wire, or in itself."""

    event: Event
    server: ServerName
    """Whose transport it was: ours."""
    place: str
    """The peer's address, or the file or replica it is about."""
    values: Mapping[str, str] = field(default_factory=dict)


Report = Callable[[Raised], None]
"""Must return at once and never raise: it is called between two packets."""
