"""
One conversation with one address: greet, ask for TLS, finish the handshake, say good-bye.

The protocol below runs on any event loop.  TLS is inside it, in memory, so that every byte before and
during the handshake is counted, and nothing that was sent in the clear is ever taken for TLS.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

from OpenSSL import SSL

from mailtrust.core.model.sighting import WireFailure
from mailtrust.probes.tls import Handshake, HandshakeFailed
from mailtrust.smtp.client import QUIT, ClientSession, Phase, Stop, Stopped, TlsReady

# What an honest server says before its certificate fits into a tenth of this.
_MOST_BYTES = 1 << 18
# How long to wait for the answer to QUIT: leaving without it looks like a lost connection over there.
_FAREWELL_SECONDS = 2.0
_OUR_NAME = "probe.mailtrust.invalid"
"""RFC 6761 section 6.4: a name that nobody has.  Whoever reads the server's log sees who looked."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one conversation showed."""

    phase: str
    why: str = ""
    failure: WireFailure | None = None
    verb: str = ""
    leaf: bytes | None = None
    """DER; only from a finished handshake."""
    protocol: str = ""
    asks_client_certificate: bool | None = None
    source: str = ""
    """The address of ours; empty before there is a connection."""


class Conversation(asyncio.Protocol):
    """Tells *announce* once, as soon as it knows; `lost` is done when the connection is closed."""

    def __init__(self, context: SSL.Context, verb: str | None, announce: Callable[[Seen], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._context = context
        self._announce = announce
        self._session = ClientSession(_OUR_NAME, verb=verb)
        self._handshake: Handshake | None = None
        self._received_bytes = 0
        self._told = False
        self._source = ""
        self._farewell: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self.lost: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The server speaks first."""
        self._transport = cast("asyncio.Transport", transport)
        self._source = str(transport.get_extra_info("sockname", ("",))[0])

    def data_received(self, data: bytes) -> None:
        """Before TLS, during TLS, or after we know what we came for."""
        self._received_bytes += len(data)
        if self._received_bytes > _MOST_BYTES:
            self._fail(f"the server sent more than {_MOST_BYTES >> 10} KiB")
            self.abort()
        elif self._told:
            pass
        elif self._handshake is not None:
            self._shake_hands(self._handshake, data)
        else:
            self._session.receive(data)
            self._heed()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The server closed, or we did."""
        if self._handshake is not None:
            self._fail("the server closed the connection")
        else:
            self._session.hung_up()
            self._heed()
        if self._farewell is not None:
            self._farewell.cancel()
        if not self.lost.done():
            self.lost.set_result(None)

    def expire(self, seconds: str) -> None:
        """The time is up, *seconds* in words: tell how far it came."""
        if self._transport is None:
            self._tell(Seen("connect", f"no connection within {seconds}", WireFailure.UNREACHABLE))
        elif self._handshake is not None:
            self._fail(f"it took longer than {seconds}")
        else:
            self._fail(f"no {self._session.waiting_for} within {seconds}")

    def abort(self) -> None:
        """Close without another word."""
        if self._transport is not None:
            self._transport.abort()

    def _heed(self) -> None:
        event = self._session.next_event()
        self._write(self._session.take_output())
        match event:
            case TlsReady():
                self._handshake = Handshake(self._context)
                self._shake_hands(self._handshake, b"")
            case Stopped():
                self._stop(event)
            case _:
                pass

    def _shake_hands(self, handshake: Handshake, data: bytes) -> None:
        try:
            finished = handshake.go_on(data)
        except HandshakeFailed as failure:
            # The alert tells them what we tell our reader.
            self._write(handshake.take_output())
            self._fail(str(failure))
            self._leave()
            return
        if finished:
            handshake.say(QUIT)
        self._write(handshake.take_output())
        if finished:
            self._succeed(handshake)

    def _succeed(self, handshake: Handshake) -> None:
        self._tell(
            Seen(
                "done",
                verb=self._session.verb,
                leaf=handshake.shown,
                protocol=handshake.protocol,
                asks_client_certificate=handshake.asked_for_certificate,
            )
        )
        # QUIT is on its way; the server closes.  Where it does not, we do not wait for it for long.
        self._farewell = self._loop.call_later(_FAREWELL_SECONDS, self.abort)

    def _stop(self, stopped: Stopped) -> None:
        failure = WireFailure.NOT_OFFERED if stopped.stop is Stop.NO_TLS else WireFailure.UNREACHABLE
        self._tell(Seen(str(stopped.phase), stopped.why, failure, self._session.verb))
        if stopped.stop is not Stop.CLOSED:
            self._write(QUIT)
            self._leave()

    def _fail(self, why: str) -> None:
        phase = self._session.phase
        if self._told or phase is not Phase.HANDSHAKE or self._handshake is None:
            self._tell(Seen(str(phase), why, WireFailure.UNREACHABLE, self._session.verb))
            return
        shown = self._handshake.shown is not None
        what = "the certificate was shown and the handshake" if shown else "the TLS handshake"
        self._tell(
            Seen(
                str(phase),
                f"{what} did not finish: {why}",
                WireFailure.HANDSHAKE,
                self._session.verb,
                asks_client_certificate=True if self._handshake.asked_for_certificate else None,
            )
        )

    def _tell(self, seen: Seen) -> None:
        if not self._told:
            self._told = True
            self._announce(replace(seen, source=self._source))

    def _write(self, data: bytes) -> None:
        if data and self._transport is not None:
            self._transport.write(data)

    def _leave(self) -> None:
        if self._transport is not None:
            self._transport.close()
