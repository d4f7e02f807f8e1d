"""
A connection to a next hop: sockets and TLS around the pure client session.

The server is believed before it hears of any mail: `greet` ends when TLS stands, and the caller looks
at what was presented before the first `deliver`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from OpenSSL import SSL

from mailtrust.core.model.server import Endpoint
from mailtrust.smtp.client import (
    ClientEvent,
    ClientSession,
    Heard,
    MailSent,
    Ready,
    Stop,
    Stopped,
    TlsReady,
)
from mailtrust.smtp.delivery import Mail, Outcome
from mailtrust.smtp.rehearsal import Answer
from mailtrust.smtp.reply import Reply
from mailtrust.transports.hub.tls import Tls, TlsClosed, TlsFailed

_READ_BYTES = 1 << 16


class HopUnavailable(Exception):
    """The next hop cannot be given mail now; why, in words, and its reply where it gave one."""

    def __init__(self, why: str, reply: Reply | None = None, *, no_tls: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.reply = reply
        self.no_tls = no_tls


class Outbound:
    """One connection.  Used by one task; `close` it in the end."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        session: ClientSession,
        patience: timedelta,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._session = session
        self._patience = patience.total_seconds()
        self._tls: Tls | None = None
        self.alive = True
        """False once nothing more can be delivered here."""

    @classmethod
    async def connect(
        cls, hop: Endpoint, name: str, *, tls: bool, timeout: timedelta, patience: timedelta
    ) -> Outbound:
        """Raises: HopUnavailable."""
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                reader, writer = await asyncio.open_connection(hop.host, hop.port, limit=1 << 20)
        except TimeoutError as error:
            raise HopUnavailable(f"{hop} did not answer the connection") from error
        except OSError as error:
            raise HopUnavailable(f"cannot connect to {hop}: {error.strerror or error}") from error
        return cls(reader, writer, ClientSession(name, tls=tls), patience)

    async def greet(self, context: SSL.Context, server_name: str | None) -> None:
        """Come as far as TLS, and with ``tls=False`` as far as mail.  Raises: HopUnavailable."""
        event = await self._next_event()
        if isinstance(event, TlsReady):
            self._tls = Tls(context, server_name=server_name, client=True)
            await self._handshake(self._tls)
            self._session.secured()
            event = await self._next_event()
        if not isinstance(event, Ready):
            raise self._unavailable(event)

    @property
    def presented(self) -> bytes | None:
        """The certificate that the server presented and proved, in DER; None without TLS."""
        return None if self._tls is None else self._tls.peer_certificate

    async def deliver(self, mail: Mail) -> tuple[tuple[str, Outcome], ...]:
        """What became of each recipient, in order."""
        self._session.send(mail)
        event = await self._next_event()
        if not isinstance(event, MailSent):
            raise self._unavailable(event)
        following = self._session.next_event()
        self.alive = self.alive and following is None
        return event.outcomes

    async def rehearse(self, recipients: Sequence[str]) -> Answer:
        """Whether it would take mail for them; none is handed over.  Raises: HopUnavailable."""
        self._session.rehearse(recipients)
        event = await self._next_event()
        if not isinstance(event, Heard):
            raise self._unavailable(event)
        self.alive = self.alive and self._session.next_event() is None
        return event.answer

    async def quit(self) -> None:
        """Say goodbye politely; a server that does not answer is left."""
        if self.alive:
            self._session.quit()
            await self._next_event()

    async def close(self) -> None:
        """Let go of the socket."""
        self.alive = False
        self._writer.transport.abort()

    async def _next_event(self) -> ClientEvent:
        heard, ends_at = -1, 0.0
        while True:
            event = self._session.next_event()
            await self._flush()
            if event is not None:
                return event
            # Only whole replies earn more time: one that drips in byte by byte would hold its mail for ever.
            if self._session.replies != heard:
                heard, ends_at = self._session.replies, asyncio.get_running_loop().time() + self._patience
            try:
                async with asyncio.timeout_at(ends_at):
                    await self._read()
            except TimeoutError:
                return self._stopped(f"the server gave no {self._session.waiting_for}")

    async def _read(self) -> None:
        try:
            data = await self._reader.read(_READ_BYTES)
            if data and self._tls is not None:
                data = self._tls.receive(data) or b""
                self._writer.write(self._tls.take_output())
                if not data:
                    return
        except (OSError, TlsClosed, TlsFailed):
            data = b""
        if data:
            self._session.receive(data)
        else:
            self.alive = False
            self._session.hung_up()

    async def _flush(self) -> None:
        output = self._session.take_output()
        if not output:
            return
        try:
            if self._tls is not None:
                self._tls.send(output)
                output = self._tls.take_output()
            self._writer.write(output)
            async with asyncio.timeout(self._patience):
                await self._writer.drain()
        except (OSError, TlsFailed, TimeoutError):
            self.alive = False
            self._session.hung_up()

    async def _handshake(self, tls: Tls) -> None:
        try:
            async with asyncio.timeout(self._patience):
                tls.start()
                while not tls.established:
                    self._writer.write(tls.take_output())
                    data = await self._reader.read(_READ_BYTES)
                    if not data:
                        raise HopUnavailable("the server closed the connection during the TLS handshake")
                    early = tls.receive(data)
                    if early:
                        raise HopUnavailable("the server spoke before it was asked")
                self._writer.write(tls.take_output())
        except (TlsFailed, TlsClosed) as error:
            raise HopUnavailable(f"the TLS handshake did not end well: {error}") from error
        except TimeoutError as error:
            raise HopUnavailable("the TLS handshake took too long") from error
        except OSError as error:
            raise HopUnavailable(
                f"the connection broke during the TLS handshake: {error.strerror or error}"
            ) from error

    def _stopped(self, why: str) -> ClientEvent:
        self.alive = False
        self._session.hung_up()
        event = self._session.next_event()
        return (
            event if isinstance(event, MailSent | Heard) else Stopped(Stop.CLOSED, self._session.phase, why)
        )

    def _unavailable(self, event: ClientEvent) -> HopUnavailable:
        self.alive = False
        if isinstance(event, Stopped):
            return HopUnavailable(event.why, event.reply, no_tls=event.stop is Stop.NO_TLS)
        return HopUnavailable("the session took an unexpected turn")
