"""
A message on its way in, after DATA.

Only CRLF.CRLF ends it.  Servers that also took a bare LF for a line end have let one message be
smuggled inside another (CVE-2023-51764), so such a message is refused, whole, at its real end.
"""

from __future__ import annotations

from mailtrust.smtp.answer import Answer

TOO_BIG = Answer(552, "5.3.4", "the message is larger than this server takes")
_BARE_LINE_END = Answer(554, "5.6.0", "the message holds a bare CR or LF; every line must end in CRLF")
_NUL = Answer(554, "5.6.0", "the message holds a NUL byte")
# What is left of a refused message is thrown away in pieces of this size.
_DISCARD_BYTES = 1 << 16


class Content:
    """Finds the end of one message in a session's buffer, and keeps its size in bounds."""

    def __init__(self, size_limit: int) -> None:
        self._size_limit = size_limit
        self._scanned = 0
        self.discarded = 0
        self.refusal: Answer | None = None
        """What will be said at its end instead of storing it."""

    def take(self, buffer: bytearray) -> bytes | None:
        """Cut the message, dots unstuffed, out of the front of *buffer*; None while its end is missing."""
        end = self._end(buffer)
        if end is None:
            self._bound(buffer)
            return None
        raw = bytes(memoryview(buffer)[:end])
        del buffer[: end + 3]
        if self.discarded + end > self._size_limit:
            self.refusal = self.refusal or TOO_BIG
        self.refusal = self.refusal or _malformed(raw)
        if raw.startswith(b"."):
            raw = raw[1:]
        return raw.replace(b"\r\n.", b"\r\n") if b"\r\n." in raw else raw

    @property
    def endless(self) -> bool:
        """So much was thrown away already that no end is to be hoped for."""
        return self.discarded > 2 * self._size_limit + _DISCARD_BYTES

    def _end(self, buffer: bytearray) -> int | None:
        if self.discarded == 0 and buffer.startswith(b".\r\n"):
            return 0
        found = buffer.find(b"\r\n.\r\n", max(0, self._scanned - 4))
        return found + 2 if found >= 0 else None

    def _bound(self, buffer: bytearray) -> None:
        if self.discarded + len(buffer) > self._size_limit + 5:
            self.refusal = self.refusal or TOO_BIG
        if self.refusal is not None and len(buffer) > _DISCARD_BYTES:
            self.discarded += len(buffer) - 4
            del buffer[:-4]
        self._scanned = len(buffer)


def _malformed(raw: bytes) -> Answer | None:
    lines = raw.count(b"\r\n")
    if raw.count(b"\n") != lines or raw.count(b"\r") != lines:
        return _BARE_LINE_END
    return _NUL if b"\0" in raw else None
