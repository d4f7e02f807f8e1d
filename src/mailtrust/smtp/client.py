"""
The client half of SMTP, as a value that eats bytes and gives events.

It greets, asks for TLS by the verb the server offers, greets again behind it, and hands over mail.
Whoever drives it feeds it what arrived (`receive`), asks what that means (`next_event`) until there is
nothing more, and sends what it says (`take_output`).  The probe stops at `TlsReady`; the relay calls
`secured`, looks at the certificate, and only then `send`.

    banner → EHLO → STARTTLS → (TLS, by the driver) → EHLO → ready → mail … → QUIT
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from mailtrust.smtp.delivery import SERVICE_ENDS, Mail, Offers, Outcome, Transaction
from mailtrust.smtp.rehearsal import Answer, Rehearsal
from mailtrust.smtp.reply import NoReply, Reply, ReplyLimits, ReplyReader

STARTTLS = "STARTTLS"
X_ANONYMOUSTLS = "X-ANONYMOUSTLS"
VERBS = (X_ANONYMOUSTLS, STARTTLS)
"""The verbs that ask for TLS, in our order: behind the first, Exchange shows its internal certificate."""
QUIT = b"QUIT\r\n"

_READY_FOR_SERVICE = 220
# What servers without ESMTP say to EHLO: unknown, bad syntax, not implemented (RFC 5321 section 4.1.4).
_EHLO_UNKNOWN = frozenset({500, 501, 502, 504})


class Phase(StrEnum):
    """How far the session has come."""

    BANNER = "banner"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    HANDSHAKE = "handshake"
    READY = "ready"
    MAIL = "mail"
    QUIT = "quit"
    ENDED = "ended"


class Stop(StrEnum):
    """Why a session is over."""

    QUIT = "quit"
    """We said QUIT."""
    CLOSED = "closed"
    """The server hung up."""
    REFUSED = "refused"
    """The server answered no, or that it ends."""
    NO_TLS = "no-tls"
    """It speaks SMTP and offers or grants no TLS."""
    NO_SMTP = "no-smtp"
    """What it sent is no SMTP."""


@dataclass(frozen=True, slots=True)
class TlsReady:
    """The server said go ahead: from here every byte belongs to TLS.  Afterwards call `secured`."""

    verb: str


@dataclass(frozen=True, slots=True)
class Ready:
    """Call `send`, `rehearse` or `quit`."""

    offers: Offers


@dataclass(frozen=True, slots=True)
class MailSent:
    """What became of a mail, for each recipient in order."""

    outcomes: tuple[tuple[str, Outcome], ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """What the server said to a rehearsal."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Stopped:
    """The session is over: close."""

    stop: Stop
    phase: Phase
    why: str
    reply: Reply | None = None


ClientEvent = TlsReady | Ready | MailSent | Heard | Stopped

_WAITING_FOR = {
    Phase.BANNER: "banner",
    Phase.EHLO: "answer to EHLO",
    Phase.HANDSHAKE: "end of the TLS handshake",
    Phase.READY: "next mail",
    Phase.MAIL: "answer to the mail",
    Phase.QUIT: "answer to QUIT",
    Phase.ENDED: "anything",
}


class ClientSession:
    """One session.  *name* is who we say we are; *verb* the only one to use, None: the best on offer."""

    def __init__(
        self, name: str, *, verb: str | None = None, tls: bool = True, limits: ReplyLimits | None = None
    ) -> None:
        self._name = name
        self._verbs = VERBS if verb is None else (verb,)
        self._wants_tls = tls
        self._reader = ReplyReader(limits)
        self._output: list[bytes] = []
        self._events: deque[ClientEvent] = deque()
        self._transaction: Transaction | Rehearsal | None = None
        self._hung_up = False
        self.phase = Phase.BANNER
        self.offers = Offers()
        """What the server said to our last EHLO; empty before."""
        self.verb = ""
        """The verb that we asked for TLS with."""
        self.encrypted = False
        self.replies = 0
        """How many whole replies the server gave."""

    @property
    def waiting_for(self) -> str:
        """What ought to come next, to stand behind "no" in a sentence about silence."""
        return f"answer to {self.verb}" if self.phase is Phase.STARTTLS else _WAITING_FOR[self.phase]

    def receive(self, data: bytes) -> None:
        """Take what arrived, decrypted.  During the handshake and after the end it is thrown away."""
        if self.phase is not Phase.HANDSHAKE and self.phase is not Phase.ENDED:
            self._reader.receive(data)

    def hung_up(self) -> None:
        """The server closed the connection; what it said before still counts."""
        self._hung_up = True

    def take_output(self) -> bytes:
        """What is to be sent; each byte once."""
        output = b"".join(self._output)
        self._output.clear()
        return output

    def next_event(self) -> ClientEvent | None:
        """The next thing that the driver must know; None: nothing before more bytes or a call."""
        while not self._events and self.phase is not Phase.ENDED:
            reply = None if self.phase is Phase.HANDSHAKE else self._reader.next_reply()
            if isinstance(reply, Reply):
                self._answered(reply)
            elif isinstance(reply, NoReply):
                self._stop(Stop.NO_SMTP, f"instead of the {self.waiting_for} the server sent {reply.why}")
            elif self._hung_up and self.phase is Phase.QUIT:
                self._stop(Stop.QUIT, "")
            elif self._hung_up:
                self._stop(Stop.CLOSED, f"the server closed the connection without {self._awaited}")
            else:
                return None
        return self._events.popleft() if self._events else None

    def secured(self) -> None:
        """TLS stands: forget everything heard in the clear (RFC 3207 section 4.2) and greet again."""
        self._reader.forget()
        self.offers = Offers()
        self.encrypted = True
        self._say(f"EHLO {self._name}", Phase.EHLO)

    def send(self, mail: Mail) -> None:
        """Hand over one mail.  Only when `Ready`, and after each `MailSent` that no `Stopped` follows."""
        self._transaction = Transaction(mail, self.offers)
        self.phase = Phase.MAIL
        self._continue_mail(self._transaction)

    def rehearse(self, recipients: Sequence[str]) -> None:
        """Ask whether it would take mail for them, and hand over none.  When `send` could be called."""
        self._transaction = Rehearsal(recipients)
        self.phase = Phase.MAIL
        self._continue_mail(self._transaction)

    def quit(self) -> None:
        """Say good-bye.  The session ends with the answer, or when the server hangs up."""
        self._say("QUIT", Phase.QUIT)

    @property
    def _awaited(self) -> str:
        awaited = self.waiting_for
        return f"an {awaited}" if awaited.startswith(("a", "e")) else f"a {awaited}"

    def _answered(self, reply: Reply) -> None:
        self.replies += 1
        match self.phase:
            case Phase.BANNER:
                if reply.code != _READY_FOR_SERVICE:
                    self._stop(Stop.REFUSED, f"the banner was {reply}", reply)
                else:
                    self._say(f"EHLO {self._name}", Phase.EHLO)
            case Phase.EHLO:
                self._greeted(reply)
            case Phase.STARTTLS:
                self._tls_answered(reply)
            case Phase.MAIL if self._transaction is not None:
                self._mail_answered(self._transaction, reply)
            case Phase.QUIT:
                self._stop(Stop.QUIT, "", reply)
            case _:
                self._stop(Stop.REFUSED, f"the server said unasked {reply}", reply)

    def _greeted(self, reply: Reply) -> None:
        if not reply.positive:
            unknown = reply.code in _EHLO_UNKNOWN and not self.encrypted
            stop = Stop.NO_TLS if unknown and self._wants_tls else Stop.REFUSED
            self._stop(stop, f"EHLO was answered {reply}", reply)
            return
        self.offers = _offers(reply)
        if self.encrypted or not self._wants_tls:
            self.phase = Phase.READY
            self._events.append(Ready(self.offers))
            return
        verb = next((one for one in self._verbs if one in self.offers), None)
        if verb is None:
            self._stop(Stop.NO_TLS, f"the answer to EHLO does not offer {' or '.join(self._verbs)}", reply)
            return
        self.verb = verb
        self._say(verb, Phase.STARTTLS)

    def _tls_answered(self, reply: Reply) -> None:
        if not reply.positive:
            self._stop(Stop.NO_TLS, f"{self.verb} was answered {reply}", reply)
            return
        # Whatever came along behind the 220 was said in the clear, by anybody.
        self._reader.forget()
        self.phase = Phase.HANDSHAKE
        self._events.append(TlsReady(self.verb))

    def _mail_answered(self, transaction: Transaction | Rehearsal, reply: Reply) -> None:
        if reply.code == SERVICE_ENDS:
            self._stop(Stop.REFUSED, f"the server ended the session: {reply}", reply)
            return
        transaction.answered(reply)
        self._continue_mail(transaction)

    def _continue_mail(self, transaction: Transaction | Rehearsal) -> None:
        self._output.append(transaction.take_output())
        if transaction.finished:
            self._transaction = None
            self.phase = Phase.READY
            self._events.append(_result(transaction))

    def _say(self, command: str, phase: Phase) -> None:
        self._output.append(command.encode("ascii") + b"\r\n")
        self.phase = phase

    def _stop(self, stop: Stop, why: str, reply: Reply | None = None) -> None:
        if self._transaction is not None:
            self._transaction.abandon(why, reply)
            self._events.append(_result(self._transaction))
            self._transaction = None
        self._events.append(Stopped(stop, self.phase, why, reply))
        self._output.clear()
        self.phase = Phase.ENDED


def _result(transaction: Transaction | Rehearsal) -> MailSent | Heard:
    if isinstance(transaction, Rehearsal):
        return Heard(transaction.answer)
    return MailSent(transaction.outcomes)


def _offers(reply: Reply) -> Offers:
    """The first line greets; each other one is an extension and its parameters."""
    extensions: dict[str, str] = {}
    for line in reply.lines[1:]:
        keyword, _, parameters = line.strip().partition(" ")
        extensions.setdefault(keyword.upper(), parameters.strip().upper())
    return Offers(extensions)
