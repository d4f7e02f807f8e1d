"""What a server says: one reply, as it goes out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply: its code, its enhanced code (RFC 3463; empty for none) and one line of text."""

    code: int
    enhanced: str
    text: str

    def line(self) -> bytes:
        """The reply on the wire."""
        words = f"{self.code} {self.enhanced} {self.text}" if self.enhanced else f"{self.code} {self.text}"
        return words.encode("ascii", "replace") + b"\r\n"
