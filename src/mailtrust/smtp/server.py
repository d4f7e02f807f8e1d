"""
The server half of SMTP (RFC 5321), as a value that eats bytes and gives events.

It knows nothing of sockets, TLS or trust.  Whoever drives it feeds it what arrived (`receive`), asks
what that means (`next_event`) until there is nothing more, and sends what it says (`take_output`).
Two events hold it still until they are answered: may this sender send (`admit` or `answer`), and is
the message safely stored (`answer`).  Everything a hostile peer may do ends here in a reply.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from mailtrust.smtp.answer import Answer
from mailtrust.smtp.content import TOO_BIG, Content
from mailtrust.smtp.envelope import Path, path


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """How much one session may ask of us."""

    message_size_bytes: int = 50 << 20
    recipients: int = 1000
    command_bytes: int = 2048
    errors: int = 10
    chatter: int = 200
    """Commands without a stored message between them; a mail's recipients are none, within reason."""


@dataclass(frozen=True, slots=True)
class TlsRequested:
    """The 220 is in the output: send it, then every byte belongs to TLS.  Afterwards call `secured`."""

    verb: str


@dataclass(frozen=True, slots=True)
class MailRequested:
    """Somebody wants to send: call `admit` or `answer`."""

    sender: str
    """Empty for the null sender."""


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A whole message; it is ours only once `answer` said so.  Lines end in CRLF, dots are unstuffed."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    eight_bit: bool
    """The sender declared BODY=8BITMIME."""


@dataclass(frozen=True, slots=True)
class MessageRefused:
    """A message was refused for its form or size; it is answered already."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Ended:
    """Send the output and close."""


ServerEvent = TlsRequested | MailRequested | MessageReceived | MessageRefused | Ended
RecipientJudge = Callable[[str], Answer | None]
"""None takes the recipient; an answer refuses it."""


class _Phase(Enum):
    COMMANDS = auto()
    WAITING = auto()
    CONTENT = auto()
    HANDSHAKE = auto()
    ENDED = auto()


@dataclass(slots=True)
class _Mail:
    sender: str
    eight_bit: bool
    judge: RecipientJudge | None = None
    recipients: dict[str, None] = field(default_factory=dict)
    asked: int = 0
    """Recipients that were named, taken or not."""


_DONE = range(200, 300)
_SENDER_OK = b"250 2.1.0 sender ok\r\n"
_RECIPIENT_OK = b"250 2.1.5 recipient ok\r\n"
_GO_AHEAD = b"354 end with a line that holds a dot alone\r\n"
_FIXED = {
    b"RSET": b"250 2.0.0 ok\r\n",
    b"NOOP": b"250 2.0.0 ok\r\n",
    b"VRFY": b"252 2.1.5 send it and see\r\n",
    b"HELP": b"214 2.0.0 RFC 5321; `mailtrust explain` knows the numbers that this server names\r\n",
}
_SYNTAX = Answer(501, "5.5.4", "that is not how this command is written")
_BAD_ADDRESS = Answer(501, "5.1.3", "that is no mail address")
_SEQUENCE = Answer(503, "5.5.1", "that command does not belong here")
_UNKNOWN = Answer(500, "5.5.2", "no such command here")
_PARAMETER = Answer(555, "5.5.4", "a parameter that this server does not know")
_TOO_MANY_RECIPIENTS = Answer(452, "4.5.3", "too many recipients; send to the rest by another message")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_HOST = re.compile(rb"[!-~]{1,255}\Z")


class ServerSession:
    """One session, from the banner to QUIT.  *offers* are the TLS verbs to name while there is no TLS."""

    def __init__(self, name: str, limits: ServerLimits, offers: tuple[str, ...] = ()) -> None:
        self._name = name
        self._limits = limits
        self._offers = offers
        self._phase = _Phase.COMMANDS
        self._buffer = bytearray()
        self._output = bytearray(f"220 {name} ESMTP mailtrust\r\n".encode())
        self._errors = 0
        self._chatter = 0
        self._mail: _Mail | None = None
        self._content = Content(limits.message_size_bytes)
        self.encrypted = False
        self.helo = ""
        """What the peer calls itself; printable ASCII."""
        self.extended = False
        """The peer said EHLO, not HELO."""

    @property
    def waiting(self) -> bool:
        """True while an event wants its answer; what arrives meanwhile is kept."""
        return self._phase is _Phase.WAITING

    @property
    def in_content(self) -> bool:
        """True while a message is being received."""
        return self._phase is _Phase.CONTENT

    @property
    def held_bytes(self) -> int:
        """What we keep for this peer and have not yet worked on."""
        return len(self._buffer)

    def receive(self, data: bytes) -> None:
        """Take what arrived, decrypted.  After the end it is thrown away."""
        if self._phase is not _Phase.ENDED:
            self._buffer += data

    def take_output(self) -> bytes:
        """What is to be sent; each byte once."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def next_event(self) -> ServerEvent | None:
        """The next thing that the driver must know; None: nothing before more bytes or an answer."""
        while True:
            if self._phase is _Phase.COMMANDS:
                line = self._command_line()
                if line is None:
                    return None
                event = self._obey(line)
            elif self._phase is _Phase.CONTENT:
                raw = self._content.take(self._buffer)
                if raw is None:
                    return self.end(TOO_BIG) if self._content.endless else None
                event = self._received(raw)
            else:
                return None
            if event is not None:
                return event

    def admit(self, judge: RecipientJudge) -> None:
        """The sender may go on; *judge* decides for each recipient."""
        if self._mail is not None:
            self._mail.judge = judge
        self._output += _SENDER_OK
        self._phase = _Phase.COMMANDS

    def answer(self, answer: Answer) -> None:
        """Answer what was asked: a sender turned away, or a message stored or not.  Forgets the mail."""
        self._output += answer.line()
        self._mail = None
        self._phase = _Phase.COMMANDS
        if answer.code in _DONE:
            self._chatter = self._errors = 0

    def secured(self) -> None:
        """TLS stands: forget everything said in the clear (RFC 3207 section 4.2)."""
        self._buffer.clear()
        self._mail = None
        self.helo = ""
        self.extended = False
        self.encrypted = True
        self._phase = _Phase.COMMANDS

    def refuse_content(self, answer: Answer) -> None:
        """Throw away the rest of the message that is being received, and give *answer* at its end."""
        self._content.refusal = self._content.refusal or answer

    def end(self, answer: Answer) -> Ended:
        """Say a last word, from whatever state."""
        self._output += answer.line()
        self._phase = _Phase.ENDED
        self._buffer.clear()
        return Ended()

    def _command_line(self) -> bytes | None:
        found = self._buffer.find(b"\r\n")
        if found < 0:
            # A bare LF will never end a line here: say so now, instead of at the time-out.
            if len(self._buffer) <= self._limits.command_bytes and b"\n" not in self._buffer:
                return None
            found = len(self._buffer)
        line = bytes(self._buffer[:found])
        del self._buffer[: found + 2]
        return line

    def _obey(self, line: bytes) -> ServerEvent | None:
        if len(line) > self._limits.command_bytes:
            return self.end(Answer(500, "5.5.2", "the command line is too long"))
        if b"\n" in line or b"\r" in line:
            return self.end(Answer(500, "5.5.2", "every line must end in CRLF"))
        self._chatter += 1
        if self._chatter > self._limits.chatter:
            return self.end(Answer(421, "4.7.0", "too many commands without a message"))
        if _CONTROL.search(line):
            return self._mistake(_UNKNOWN)
        verb, _, argument = line.partition(b" ")
        return self._command(verb.upper(), argument.strip(b" "))

    def _command(self, verb: bytes, argument: bytes) -> ServerEvent | None:
        match verb:
            case b"MAIL":
                return self._mail_from(argument)
            case b"RCPT":
                return self._rcpt_to(argument)
            case b"DATA":
                return self._data(argument)
            case b"EHLO" | b"HELO":
                return self._hello(argument, extended=verb == b"EHLO")
            case b"STARTTLS" | b"X-ANONYMOUSTLS":
                return self._start_tls(verb.decode(), argument)
            case b"RSET" | b"NOOP" | b"VRFY" | b"HELP":
                self._output += _FIXED[verb]
                if verb == b"RSET":
                    self._mail = None
                return None
            case b"QUIT":
                return self.end(Answer(221, "2.0.0", "goodbye"))
            case _:
                return self._mistake(_UNKNOWN)

    def _mistake(self, answer: Answer) -> Ended | None:
        self._errors += 1
        self._output += answer.line()
        if self._errors > self._limits.errors:
            return self.end(Answer(421, "4.7.0", "too many errors"))
        return None

    def _hello(self, argument: bytes, *, extended: bool) -> Ended | None:
        if not _HOST.match(argument):
            return self._mistake(_SYNTAX)
        self._mail = None
        self.helo = argument.decode("ascii")
        self.extended = extended
        lines = [f"{self._name} at your service"]
        if extended:
            size = f"SIZE {self._limits.message_size_bytes}"
            lines += ["PIPELINING", size, "8BITMIME", "ENHANCEDSTATUSCODES"]
            lines += () if self.encrypted else self._offers
        marked = [f"250-{line}\r\n" for line in lines[:-1]] + [f"250 {lines[-1]}\r\n"]
        self._output += "".join(marked).encode("ascii")
        return None

    def _start_tls(self, verb: str, argument: bytes) -> TlsRequested | Ended | None:
        if self.encrypted:
            return self._mistake(Answer(503, "5.5.1", "this session is encrypted already"))
        if verb not in self._offers:
            return self._mistake(Answer(454, "4.7.0", "no TLS: this server has no certificate yet"))
        if argument:
            return self._mistake(_SYNTAX)
        if self._buffer:
            # What came along in the clear may be an attacker's (CVE-2011-0411): nothing of it is obeyed.
            return self.end(Answer(503, "5.5.1", f"nothing may follow {verb} before the handshake"))
        self._output += b"220 2.0.0 ready for TLS\r\n"
        self._phase = _Phase.HANDSHAKE
        return TlsRequested(verb)

    def _mail_from(self, argument: bytes) -> MailRequested | Ended | None:
        if not self.helo or self._mail is not None:
            return self._mistake(_SEQUENCE)
        given = path(argument, b"FROM")
        if given is None:
            return self._mistake(_SYNTAX)
        if given.address is None:
            return self._mistake(_BAD_ADDRESS)
        refusal = self._refused_parameters(given)
        if refusal is not None:
            return self._mistake(refusal)
        self._mail = _Mail(given.address, ("BODY", "8BITMIME") in given.parameters)
        self._phase = _Phase.WAITING
        return MailRequested(given.address)

    def _refused_parameters(self, given: Path) -> Answer | None:
        for parameter in given.parameters:
            match parameter:
                case ("SIZE", size) if size.isdigit() and len(size) <= 20:
                    if int(size) > self._limits.message_size_bytes:
                        return TOO_BIG
                case ("BODY", "7BIT" | "8BITMIME"):
                    pass
                case ("SIZE" | "BODY", _):
                    return _SYNTAX
                case _:
                    return _PARAMETER
        return None

    def _rcpt_to(self, argument: bytes) -> Ended | None:
        mail = self._mail
        if mail is None or mail.judge is None:
            return self._mistake(_SEQUENCE)
        mail.asked += 1
        if mail.asked <= 2 * self._limits.recipients:
            # Whoever names many, and hears of some that they are wrong, still has mail for the others.
            self._chatter -= 1
        given = path(argument, b"TO")
        if given is None:
            return self._mistake(_SYNTAX)
        if given.parameters:
            return self._mistake(_PARAMETER)
        if not given.address:
            return self._mistake(_BAD_ADDRESS)
        if len(mail.recipients) >= self._limits.recipients:
            self._output += _TOO_MANY_RECIPIENTS.line()
            return None
        refusal = mail.judge(given.address)
        if refusal is not None:
            self._output += refusal.line()
            return None
        mail.recipients[given.address] = None
        self._output += _RECIPIENT_OK
        return None

    def _data(self, argument: bytes) -> Ended | None:
        if argument:
            return self._mistake(_SYNTAX)
        if self._mail is None or not self._mail.recipients:
            return self._mistake(Answer(503, "5.5.1", "no recipient was accepted"))
        self._output += _GO_AHEAD
        self._content = Content(self._limits.message_size_bytes)
        self._phase = _Phase.CONTENT
        return None

    def _received(self, raw: bytes) -> MessageReceived | MessageRefused | None:
        mail, refusal = self._mail, self._content.refusal
        if refusal is not None or mail is None:
            refusal = refusal or _SEQUENCE
            self.answer(refusal)
            return MessageRefused(refusal)
        self._phase = _Phase.WAITING
        return MessageReceived(mail.sender, tuple(mail.recipients), raw, mail.eight_bit)
