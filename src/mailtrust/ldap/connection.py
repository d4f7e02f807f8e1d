"""
One connection to a directory, as a value that eats bytes and gives events.

Any number of requests are open at once, each under a number of its own, and answers come in any order.
Whoever drives it sends what it says (`take_output`) and feeds it what arrives (`receive`).  Deadlines, TLS
and sockets are the driver's.  Signing in and StartTLS stand alone: nothing else may be open beside them.

    send(StartTls) → Response → (TLS, by the driver) → secured → send(SimpleBind) → Response → send … → unbind

A password never leaves in the clear: a connection that is not *confidential* refuses to send one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mailtrust.errors import DirectoryUnavailable, NotLdap, Refused
from mailtrust.ldap import ber
from mailtrust.ldap.requests import (
    START_TLS,
    Abandon,
    Extended,
    Request,
    SaslBind,
    Search,
    SimpleBind,
    Unbind,
)
from mailtrust.ldap.responses import Control, Entry, Reference, Response, Result, decode

NOTICE_OF_DISCONNECTION = "1.3.6.1.4.1.1466.20036"

_GREATEST_ID = 2**31 - 1
_UNSOLICITED = 0
_CONTROLS = 0xA0
# Whoever stands in between could have put it there, and it would count as said behind TLS.
_INJECTED = "sent more in the clear before encryption began"
# Mechanisms that send the password itself.
_BARE_MECHANISMS = frozenset({"PLAIN", "LOGIN"})


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one message may hold: reading the worst that fits takes less than a second."""

    message_bytes: int = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more will come.  What was open has no answer: whether a write was done is unknown."""

    why: str
    """To stand behind the server's name: ``sent no LDAP: a message that begins with 0x48``."""
    notice: Result | None = None
    """The server's own goodbye, where it said one."""


Event = Response | Ended


class Connection:
    """
    One connection, from its first byte.

    *confidential*: nobody else can read it, as it begins with TLS or does not leave this machine.
    """

    def __init__(self, *, confidential: bool, limits: Limits | None = None) -> None:
        self._confidential = confidential
        self._splitter = ber.Splitter((limits or Limits()).message_bytes)
        self._output: list[bytes] = []
        self._open: dict[int, type[Request]] = {}
        self._latest = 0
        self._alone: int | None = None
        self._turns_to_tls: int | None = None
        self._awaits_tls = False
        self.ended: Ended | None = None
        """Why nothing more will come; None while something may."""

    @property
    def is_confidential(self) -> bool:
        """True if a password may be sent."""
        return self._confidential

    @property
    def open_requests(self) -> frozenset[int]:
        """What is not answered yet.  OpenLDAP drops a client with a thousand of them; 64 do no harm."""
        return frozenset(self._open)

    def send(self, request: Request, controls: Iterable[Control] = ()) -> int:
        """
        The number under which the answers will come.

        Raises Refused for a password in the clear, and for what may not be open at the same time;
        DirectoryUnavailable once it has ended.
        """
        self._may_send(request)
        message_id = self._write(request.encode(), controls)
        self._open[message_id] = type(request)
        if _stands_alone(request):
            self._alone = message_id
        if _is_start_tls(request):
            self._turns_to_tls = message_id
        return message_id

    def abandon(self, message_id: int) -> bool:
        """
        Want no more answers to a request; False if it has its last one already, or never was.

        Raises Refused for signing in and StartTLS, which nothing but the end of the connection stops.
        """
        if message_id == self._alone:
            raise Refused(f"request {message_id} cannot be abandoned", hint="close the connection")
        if self._open.pop(message_id, None) is None:
            return False
        if self.ended is None:
            self._write(Abandon(message_id).encode())
        return True

    def unbind(self) -> None:
        """Say goodbye.  Send the output, then close."""
        if self.ended is None and not self._awaits_tls:
            self._write(Unbind().encode())
        self._end("was left by us")

    def secured(self) -> tuple[Event, ...]:
        """From here on nobody else can read it: TLS stands, or a SASL layer that encrypts."""
        if self.ended is not None:
            return ()
        if len(self._splitter):
            return (self._end(_INJECTED),)
        self._awaits_tls = False
        self._confidential = True
        return ()

    def receive(self, data: bytes) -> tuple[Event, ...]:
        """What these bytes complete, in order.  `Ended` is the last event; what arrives later is nothing."""
        if self.ended is not None:
            return ()
        if self._awaits_tls and data:
            return (self._end(_INJECTED),)
        self._splitter.receive(data)
        events: list[Event] = []
        while self.ended is None:
            try:
                message = self._splitter.next_message()
                event = None if message is None else self._take(decode(message))
            except NotLdap as error:
                event = self._end(f"sent no LDAP: {error.message}")
            else:
                if message is None:
                    break
            if event is not None:
                events.append(event)
        return tuple(events)

    def hung_up(self) -> tuple[Event, ...]:
        """The server closed the connection."""
        if self.ended is not None:
            return ()
        within = " in the middle of a message" if len(self._splitter) else ""
        return (self._end(f"closed the connection{within}"),)

    def take_output(self) -> bytes:
        """What is to be sent; each byte once."""
        output = b"".join(self._output)
        self._output.clear()
        return output

    def _may_send(self, request: Request) -> None:
        if self.ended is not None:
            raise DirectoryUnavailable(f"the connection has ended: the server {self.ended.why}")
        if self._awaits_tls or self._alone is not None:
            raise Refused("nothing can be asked before signing in, or turning to TLS, is over")
        if self._open and _stands_alone(request):
            raise Refused("signing in, or turning to TLS, has to wait until nothing else is open")
        if _is_start_tls(request) and self._confidential:
            raise Refused("the connection is encrypted already")
        if _tells_password(request) and not self._confidential:
            raise Refused(
                "the password was not sent, for others could read it", hint="use ldaps, or StartTLS first"
            )

    def _write(self, operation: bytes, controls: Iterable[Control] = ()) -> int:
        message_id = self._next_id()
        encoded = [one.encode() for one in controls]
        with_these = ber.element(_CONTROLS, *encoded) if encoded else b""
        self._output.append(ber.sequence(ber.integer(message_id), operation, with_these))
        return message_id

    def _next_id(self) -> int:
        # A watch may stay open while the numbers go once round.
        while True:
            self._latest = self._latest % _GREATEST_ID + 1
            if self._latest not in self._open:
                return self._latest

    def _take(self, response: Response) -> Event | None:
        message_id, answer = response.message_id, response.answer
        if message_id == _UNSOLICITED:
            return self._notice(answer) if isinstance(answer, Result) else None
        asked = self._open.get(message_id)
        if asked is None:
            # It was abandoned, and the answer was on its way.
            return None
        if asked is not Search and isinstance(answer, (Entry, Reference)):
            return self._end("sent what only a search finds to a request that was none")
        if isinstance(answer, Result):
            return self._finish(response, answer)
        return response

    def _finish(self, response: Response, result: Result) -> Event:
        del self._open[response.message_id]
        if response.message_id == self._alone:
            self._alone = None
        if response.message_id != self._turns_to_tls:
            return response
        self._turns_to_tls = None
        if result.done and len(self._splitter):
            return self._end(_INJECTED)
        self._awaits_tls = result.done
        return response

    def _notice(self, result: Result) -> Ended | None:
        # RFC 4511 section 4.4: notices that we do not know are passed over.
        if result.number != NOTICE_OF_DISCONNECTION:
            return None
        return self._end(f"ended the connection: {result}", result)

    def _end(self, why: str, notice: Result | None = None) -> Ended:
        if self.ended is None:
            self.ended = Ended(why, notice)
        self._open.clear()
        self._alone = None
        return self.ended


def _stands_alone(request: Request) -> bool:
    return isinstance(request, SimpleBind | SaslBind) or _is_start_tls(request)


def _is_start_tls(request: Request) -> bool:
    return isinstance(request, Extended) and request.number == START_TLS


def _tells_password(request: Request) -> bool:
    match request:
        case SimpleBind(_, password):
            return bool(password)
        case SaslBind(mechanism):
            return mechanism.upper() in _BARE_MECHANISMS
        case _:
            return False
