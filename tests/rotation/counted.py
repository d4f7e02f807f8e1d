"""What became of messages each of which was told apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of it all."""

    sent: int = 0
    lost: int = 0
    duplicated: int = 0
    deferred: int = 0
    """Answers 4xx to a peer, and next hops that were not believed."""
    refused: int = 0
    """Answers 5xx, and messages given up."""
    not_trusted: int = 0
    """Peers that a hub reported as not trusted, either way."""

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.duplicated or self.deferred or self.refused or self.not_trusted)
