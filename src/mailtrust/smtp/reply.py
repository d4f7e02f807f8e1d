"""
What a server answers: replies (RFC 5321 section 4.2), read from bytes however they were split.

A reply is a three-digit code and one or more lines of text; ``250-`` says that more lines follow,
``250 `` that this is the last.  Whoever answers may be anybody, so its text is made printable here and
never again: no reply can move a terminal's cursor or hide what it says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?\Z", re.DOTALL)
_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?: |\Z)")
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class ReplyLimits:
    """How much one reply may hold.  RFC 5321 section 4.5.3.1.5 gives a line 512 bytes; servers take more."""

    line_bytes: int = 2048
    lines: int = 128


@dataclass(frozen=True, slots=True)
class EnhancedCode:
    """What a reply says to machines (RFC 3463): class, subject, detail."""

    kind: int
    subject: int
    detail: int

    def __str__(self) -> str:
        return f"{self.kind}.{self.subject}.{self.detail}"


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole reply.  The lines are printable and have no code in front."""

    code: int
    lines: tuple[str, ...]

    @property
    def positive(self) -> bool:
        """Done: 2xx."""
        return self.code < 300

    @property
    def intermediate(self) -> bool:
        """Go on: 3xx."""
        return 300 <= self.code < 400

    @property
    def temporary(self) -> bool:
        """Not now: 4xx."""
        return 400 <= self.code < 500

    @property
    def permanent(self) -> bool:
        """No: 5xx."""
        return self.code >= 500

    @property
    def enhanced(self) -> EnhancedCode | None:
        """The enhanced code of its first line; None where there is none or it contradicts the code."""
        found = _ENHANCED.match(self.lines[0])
        # RFC 2034 section 4: the class must be the first digit of the code.
        if found is None or int(found[1]) != self.code // 100:
            return None
        return EnhancedCode(int(found[1]), int(found[2]), int(found[3]))

    def __str__(self) -> str:
        text = " ".join((str(self.code), *filter(None, self.lines)))
        return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


@dataclass(frozen=True, slots=True)
class NoReply:
    """These bytes are no reply; nothing after them can be understood either."""

    why: str
    """To stand behind "the server sent": ``a line that is no SMTP reply: '…'``."""


class ReplyReader:
    """Bytes in, replies out.  A bare LF ends a line too: old servers send it, and here it does no harm."""

    def __init__(self, limits: ReplyLimits | None = None) -> None:
        self._limits = limits or ReplyLimits()
        self._buffer = bytearray()
        self._scanned = 0
        self._code = 0
        self._lines: list[str] = []
        self._broken: NoReply | None = None

    def receive(self, data: bytes) -> None:
        """Take what arrived; after a `NoReply` it is thrown away."""
        if self._broken is None:
            self._buffer += data

    def next_reply(self) -> Reply | NoReply | None:
        """The next reply; None while its end is missing; once broken, the same `NoReply` for ever."""
        while self._broken is None:
            line = self._next_line()
            if line is None:
                break
            reply = self._take(line)
            if reply is not None:
                return reply
        return self._broken

    def forget(self) -> None:
        """Throw away what was not yet read as a reply (RFC 3207 section 4.2 wants it before TLS)."""
        self._buffer.clear()
        self._lines.clear()
        self._scanned = 0

    def _next_line(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._scanned)
        self._scanned = len(self._buffer) if end < 0 else 0
        if (self._scanned if end < 0 else end) > self._limits.line_bytes:
            self._break(f"a line longer than {self._limits.line_bytes} bytes")
            return None
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def _take(self, line: bytes) -> Reply | None:
        found = _LINE.match(line)
        if found is None:
            self._break(f"a line that is no SMTP reply: {printable(line)[:80]!r}")
            return None
        code = int(found[1])
        if self._lines and code != self._code:
            self._break(f"one reply with two codes, {self._code} and {code}")
            return None
        self._code = code
        self._lines.append(printable(found[3] or b""))
        if found[2] == b"-":
            if len(self._lines) >= self._limits.lines:
                self._break(f"a reply of more than {self._limits.lines} lines")
            return None
        reply = Reply(code, tuple(self._lines))
        self._lines.clear()
        return reply

    def _break(self, why: str) -> None:
        self._broken = NoReply(why)
        self.forget()


def printable(raw: bytes) -> str:
    """The text of somebody else's bytes, safe to show: UTF-8, and ``?`` for whatever does not print."""
    text = raw.decode("utf-8", "replace")
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else "?" for one in text)
