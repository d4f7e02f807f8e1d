"""
One SMTP session taken step by step, so that each answer can be timed and told by itself.

    banner → EHLO → STARTTLS → (TLS, by the driver) → EHLO → MAIL → RCPT → RSET → QUIT

Only with *content* a message is handed over: then DATA stands in the place of RSET.  Commands go out one
at a time; a faster client would send several, and nobody could say which of them was slow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from mailtrust.smtp.client import VERBS
from mailtrust.smtp.reply import NoReply, Reply, ReplyReader

_READY_FOR_SERVICE = 220
_EHLO_UNKNOWN = frozenset({500, 501, 502, 504})
_SERVICE_ENDS = 421
_NO_SUCH_MAILBOX = 550
"""RFC 5321 section 4.2.3.  With 554 Postfix turns a client away for good, whatever the mailbox."""


class Step(StrEnum):
    """What was asked last."""

    BANNER = "banner"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    EHLO_AGAIN = "ehlo-again"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    CONTENT = "content"
    RSET = "rset"
    QUIT = "quit"


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to one step."""

    step: Step
    reply: Reply | None
    """None where what came is no reply; then *why* says what came."""
    passed: bool
    why: str = ""


class Walk:
    """
    Feed what arrived (`receive`), take the answers (`next_answer`), send what it says (`take_output`).

    *sender* and *recipient* are envelope addresses that `sendable` holds for.  *otherwise* is asked for where
    the first is no mailbox there (550).  *content* ends in CRLF.
    """

    def __init__(
        self, name: str, *, sender: str, recipient: str, otherwise: str = "", content: bytes | None = None
    ) -> None:
        self._name = name
        self._sender = sender
        self._recipient = recipient
        self._otherwise = otherwise
        self._content = content
        self._reader = ReplyReader()
        self._output = b""
        self.step: Step | None = Step.BANNER
        """What is waited for; None while TLS is shaken, and in the end."""
        self.verb = ""
        """The verb that TLS was asked for with."""
        self.ready_for_tls = False
        """True from the server's go-ahead until `secured`."""
        self.offered: tuple[str, ...] | None = None
        self.offered_inside: tuple[str, ...] | None = None

    def receive(self, data: bytes) -> None:
        """Take what arrived, decrypted."""
        self._reader.receive(data)

    def take_output(self) -> bytes:
        """What is to be sent; each byte once."""
        output, self._output = self._output, b""
        return output

    def next_answer(self) -> Answered | None:
        """The next answer, and the next command behind it; None: nothing before more bytes."""
        step = self.step
        if step is None:
            return None
        reply = self._reader.next_reply()
        if reply is None:
            return None
        if isinstance(reply, NoReply):
            self.step = None
            return Answered(step, None, passed=False, why=reply.why)
        passed = self._take(step, reply)
        if not passed:
            # A server that ends the session waits for no good-bye.
            self.step = None
            self._output = b"" if reply.code == _SERVICE_ENDS or step is Step.QUIT else b"QUIT\r\n"
        return Answered(step, reply, passed)

    def secured(self) -> None:
        """TLS stands: forget what was heard in the clear (RFC 3207 section 4.2) and greet again."""
        self._reader.forget()
        self.ready_for_tls = False
        self._ask(Step.EHLO_AGAIN, f"EHLO {self._name}")

    def leave(self) -> None:
        """Say good-bye, and wait for no answer."""
        self._reader.forget()
        self._output = b"QUIT\r\n"
        self.step = None

    def _take(self, step: Step, reply: Reply) -> bool:
        """Whether that is a yes; with the next command, if it is."""
        match step:
            case Step.BANNER:
                return reply.code == _READY_FOR_SERVICE and self._ask(Step.EHLO, f"EHLO {self._name}")
            case Step.EHLO:
                return self._greeted(reply)
            case Step.STARTTLS:
                return reply.positive and self._begin_tls()
            case Step.EHLO_AGAIN:
                self.offered_inside = keywords(reply)
                return reply.positive and self._ask(Step.MAIL, f"MAIL FROM:<{self._sender}>")
            case Step.MAIL:
                return reply.positive and self._ask(Step.RCPT, f"RCPT TO:<{self._recipient}>")
            case Step.RCPT if reply.code == _NO_SUCH_MAILBOX and self._otherwise:
                another, self._otherwise = self._otherwise, ""
                return self._ask(Step.RCPT, f"RCPT TO:<{another}>")
            case Step.RCPT if self._content is None:
                return reply.positive and self._ask(Step.RSET, "RSET")
            case Step.RCPT:
                return reply.positive and self._ask(Step.DATA, "DATA")
            case Step.DATA:
                return reply.intermediate and self._hand_over(self._content or b"")
            case Step.RSET | Step.CONTENT:
                return reply.positive and self._ask(Step.QUIT, "QUIT")
            case Step.QUIT:
                self.step = None
                return reply.positive

    def _greeted(self, reply: Reply) -> bool:
        if not reply.positive and reply.code not in _EHLO_UNKNOWN:
            return False
        self.offered = keywords(reply)
        self.verb = next((one for one in VERBS if one in self.offered), "")
        if not self.verb:
            # It answers, and offers nothing that we could go on with.
            self.leave()
            return True
        return self._ask(Step.STARTTLS, self.verb)

    def _begin_tls(self) -> bool:
        # Whatever came along behind the 220 was said in the clear, by anybody.
        self._reader.forget()
        self.step, self.ready_for_tls = None, True
        return True

    def _hand_over(self, content: bytes) -> bool:
        stuffed = content.replace(b"\r\n.", b"\r\n..")
        self._output = (b"." if content.startswith(b".") else b"") + stuffed + b".\r\n"
        self.step = Step.CONTENT
        return True

    def _ask(self, step: Step, command: str) -> bool:
        self._output = command.encode("ascii") + b"\r\n"
        self.step = step
        return True


def keywords(reply: Reply) -> tuple[str, ...]:
    """What an answer to EHLO offers, in capitals, in its order; nothing where it says no."""
    lines: Sequence[str] = reply.lines[1:] if reply.positive else ()
    return tuple(line.split()[0].upper() for line in lines if line.split())
