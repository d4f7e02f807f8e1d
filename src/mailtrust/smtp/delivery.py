"""
Handing one message to a server: MAIL, RCPT, DATA, and what became of each recipient.

A message has one content and many recipients, and a server may take it for some and not for others.
So the result is never "sent" or "failed" but one outcome per recipient.  Nothing of ours is thrown
away for want of an answer: where the server fell silent, the outcome is to try again.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from mailtrust.smtp.envelope import sendable
from mailtrust.smtp.reply import Reply

SERVICE_ENDS = 421
"""The server says good-bye, in answer to any command (RFC 5321 section 3.8)."""
_TOO_MANY_RECIPIENTS = 552
_LINE_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Offers:
    """What a server said to EHLO: its extensions in capitals, each with its parameters."""

    extensions: Mapping[str, str] = field(default_factory=dict)

    def __contains__(self, extension: str) -> bool:
        return extension in self.extensions

    @property
    def size_limit_bytes(self) -> int | None:
        """The largest message it takes; None where it names no limit (RFC 1870 section 3)."""
        limit = self.extensions.get("SIZE", "")
        return int(limit) or None if re.fullmatch(r"[0-9]{1,20}", limit) else None


@dataclass(frozen=True, slots=True)
class Mail:
    """One message and its envelope."""

    sender: str
    """Empty for the null sender."""
    recipients: tuple[str, ...]
    content: bytes = field(repr=False)
    """Header and body, dots not stuffed.  Lone CR and LF are sent as CRLF."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The server took responsibility for this recipient."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Deferred:
    """Try again later."""

    why: str
    reply: Reply | None = None
    """None where the server did not answer, or not in SMTP."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Trying again will not help."""

    why: str
    reply: Reply | None = None
    """None where we did not ask, because it cannot be sent to this server."""


Outcome = Delivered | Deferred | Rejected


class _Step(Enum):
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    CONTENT = auto()
    RSET = auto()


class Transaction:
    """One mail on its way through one session: replies in, commands out."""

    def __init__(self, mail: Mail, offers: Offers) -> None:
        self._mail = mail
        self._offers = offers
        self._content = _with_line_ends(mail.content)
        self._outcomes: dict[int, Outcome] = {}
        self._accepted: list[int] = []
        self._expected: deque[tuple[_Step, int]] = deque()
        self._output: list[bytes] = []
        self._refuse_what_cannot_be_sent()
        self._asked = [at for at in range(len(mail.recipients)) if at not in self._outcomes]
        self._unasked = deque(self._asked)
        if self._asked:
            self._begin()

    @property
    def finished(self) -> bool:
        """Every recipient has its outcome, and the server waits for the next message."""
        return not self._expected

    @property
    def outcomes(self) -> tuple[tuple[str, Outcome], ...]:
        """One per recipient, in their order; complete once finished."""
        return tuple((self._mail.recipients[at], self._outcomes[at]) for at in sorted(self._outcomes))

    def take_output(self) -> bytes:
        """What is to be sent; each byte once."""
        output = b"".join(self._output)
        self._output.clear()
        return output

    def answered(self, reply: Reply) -> None:
        """Go on with the answer to the oldest command that has none yet."""
        step, at = self._expected.popleft()
        match step:
            case _Step.MAIL:
                self._sender_answered(reply)
            case _Step.RCPT:
                self._recipient_answered(at, reply)
            case _Step.DATA:
                self._data_answered(reply)
            case _Step.CONTENT:
                self._settle(self._accepted, _outcome("the message", reply))
            case _Step.RSET:
                pass

    def abandon(self, why: str, reply: Reply | None = None) -> None:
        """The session broke: whoever has no outcome yet is deferred."""
        self._expected.clear()
        self._output.clear()
        self._settle(self._asked, Deferred(why, reply))

    def _refuse_what_cannot_be_sent(self) -> None:
        everybody = range(len(self._mail.recipients))
        limit = self._offers.size_limit_bytes
        if not sendable(self._mail.sender):
            self._settle(everybody, Rejected(f"{self._mail.sender!r} is no sender that SMTP can carry"))
        if limit is not None and len(self._content) > limit:
            held = len(self._content)
            self._settle(everybody, Rejected(f"the message has {held} bytes, the server takes {limit}"))
        for at, recipient in enumerate(self._mail.recipients):
            if not recipient or not sendable(recipient):
                self._settle((at,), Rejected(f"{recipient!r} is no address that SMTP can carry"))

    def _begin(self) -> None:
        parameters = ""
        if "SIZE" in self._offers:
            parameters += f" SIZE={len(self._content)}"
        if "8BITMIME" in self._offers and not self._content.isascii():
            parameters += " BODY=8BITMIME"
        self._say(_Step.MAIL, f"MAIL FROM:<{self._mail.sender}>{parameters}")
        if "PIPELINING" in self._offers:
            while self._unasked:
                self._next_recipient()
            self._say(_Step.DATA, "DATA")

    def _next_recipient(self) -> None:
        at = self._unasked.popleft()
        self._say(_Step.RCPT, f"RCPT TO:<{self._mail.recipients[at]}>", at)

    def _sender_answered(self, reply: Reply) -> None:
        if not reply.positive:
            self._settle(self._asked, _outcome("MAIL", reply))
            self._unasked.clear()
        self._go_on()

    def _recipient_answered(self, at: int, reply: Reply) -> None:
        # What a recipient got for a mail that was refused already says nothing about him.
        if at not in self._outcomes:
            if reply.positive:
                self._accepted.append(at)
            else:
                self._settle((at,), _outcome("RCPT", reply))
        self._go_on()

    def _go_on(self) -> None:
        """Without pipelining: say the next command once the last one is answered."""
        if self._expected:
            return
        if self._unasked:
            self._next_recipient()
        elif self._accepted:
            self._say(_Step.DATA, "DATA")
        else:
            self._say(_Step.RSET, "RSET")

    def _data_answered(self, reply: Reply) -> None:
        if reply.intermediate:
            # RFC 2920 section 3.1: it may go ahead although it took no recipient; then nothing is sent.
            self._output.append(_stuffed(self._content) if self._accepted else b".\r\n")
            self._expected.append((_Step.CONTENT, 0))
            return
        self._settle(self._accepted, _outcome("DATA", reply))
        self._say(_Step.RSET, "RSET")

    def _say(self, step: _Step, command: str, at: int = 0) -> None:
        self._output.append(command.encode("ascii") + b"\r\n")
        self._expected.append((step, at))

    def _settle(self, recipients: range | list[int] | tuple[int, ...], outcome: Outcome) -> None:
        for at in recipients:
            self._outcomes.setdefault(at, outcome)


def _outcome(what: str, reply: Reply) -> Outcome:
    why = f"{what} was answered {reply}"
    if what == "the message" and reply.positive:
        return Delivered(reply)
    # RFC 5321 section 4.5.3.1.10: to RCPT, 552 means "not so many at once".
    if reply.permanent and not (what == "RCPT" and reply.code == _TOO_MANY_RECIPIENTS):
        return Rejected(why, reply)
    return Deferred(why, reply)


def _with_line_ends(content: bytes) -> bytes:
    """Only CRLF ends a line: a bare LF would let one message be smuggled inside another."""
    lines = content.count(b"\r\n")
    if content.count(b"\n") != lines or content.count(b"\r") != lines:
        content = _LINE_END.sub(b"\r\n", content)
    return content if content.endswith(b"\r\n") or not content else content + b"\r\n"


def _stuffed(content: bytes) -> bytes:
    """The content as DATA sends it (RFC 5321 section 4.5.2), with its end."""
    if content.startswith(b"."):
        content = b"." + content
    if b"\r\n." in content:
        content = content.replace(b"\r\n.", b"\r\n..")
    return content + b".\r\n"
