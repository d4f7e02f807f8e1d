"""What a hub counts, for the lab, the dashboard and the curious."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Since the hub started."""

    accepted: int = 0
    """Messages that got their 250."""
    authenticated: int = 0
    """Of these, messages from a peer whose key is published."""
    deferred: int = 0
    """Senders told to come back: not trusted, or no room."""
    refused: int = 0
    """Recipients and messages refused for good."""
    would_defer: int = 0
    """In report mode: messages that enforce would have deferred, inbound and outbound."""
    delivered: int = 0
    """Copies in a Maildir."""
    relayed: int = 0
    """Copies that a next hop took."""
    bounced: int = 0
    """Recipients given up, whether or not there was a sender to tell."""
