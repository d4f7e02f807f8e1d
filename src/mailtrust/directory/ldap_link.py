"""
The socket to a directory server, with TLS when it is time for it: plain bytes out, plain bytes in.

TLS runs in memory (`ldap_tls.py`) and the socket knows nothing of it.  So a server that falls silent in the
middle of a handshake is left like any other, at once, on every event loop.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import cast

from mailtrust.directory.ldap_bind import Layer
from mailtrust.directory.ldap_tls import Session, TlsFailed
from mailtrust.directory.ldap_url import Place
from mailtrust.errors import BadInput, DirectoryUnavailable, NotLdap

_GOODBYE_SECONDS = 1.0


class Link(asyncio.Protocol):
    """
    One socket.  *heard* is called with what the server said, *lost* once, with why nothing more will come.

    The text given to *lost* stands behind the server's name; it is empty if the server just hung up.
    """

    def __init__(self, heard: Callable[[bytes], None], lost: Callable[[str], None]) -> None:
        self._heard = heard
        self._lost = lost
        self._why = ""
        self._transport: asyncio.Transport | None = None
        self._tls: Session | None = None
        self._layer: Layer | None = None
        self._shaken: asyncio.Future[None] | None = None
        self._gone = asyncio.Event()

    async def connect(self, where: Place, addresses: tuple[str, ...]) -> None:
        """
        Connect to the one machine at these addresses; the second is tried if the first says nothing.

        Raises: OSError, BadInput where there are no such sockets.
        """
        loop = asyncio.get_running_loop()
        if where.scheme == "ldapi":
            connect = getattr(loop, "create_unix_connection", None)
            if connect is None or os.name == "nt":
                raise BadInput(f"{where}: this system has no such sockets", hint="use ldaps://")
            await connect(lambda: self, where.path)
            return
        for tried, one in enumerate(addresses, 1):
            last = tried == len(addresses)
            try:
                async with asyncio.timeout(None if last else 1.0):
                    await loop.create_connection(lambda: self, one, where.port)
            except OSError:
                if last:
                    raise
            else:
                return

    async def secure(self, session: Session) -> None:
        """Turn to TLS.  Why it failed is told to *lost*, and returns here as well."""
        self._tls = session
        self._shaken = asyncio.get_running_loop().create_future()
        session.start()
        self._flush()
        await self._shaken

    def encrypt_by(self, layer: Layer) -> None:
        """Everything from here on goes through *layer*."""
        self._layer = layer

    @property
    def channel_binding(self) -> bytes:
        """What ties signing in to this TLS connection; empty where there is none."""
        return self._tls.channel_binding() if self._tls else b""

    def send(self, data: bytes) -> None:
        """Say this; what can no longer be said is dropped, for *lost* has been or will be called."""
        if not data or self._transport is None or self._transport.is_closing():
            return
        try:
            if self._layer is not None:
                data = self._layer.wrap(data)
            if self._tls is not None:
                self._tls.send(data)
        except (TlsFailed, DirectoryUnavailable) as error:
            self.abort(str(error))
            return
        if self._tls is None:
            self._transport.write(data)
        else:
            self._flush()

    def pause(self) -> None:
        """Leave what comes next with the server."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Take what comes again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def abort(self, why: str) -> None:
        """End it at once, whatever was still to be sent."""
        self._why = self._why or why
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Send what is left and end it; a server that does not take it is left within a second."""
        transport = self._transport
        if transport is None:
            return
        if self._tls is not None and self._tls.stands and not transport.is_closing():
            self._tls.goodbye()
            self._flush()
        transport.close()
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._gone.wait()
        except TimeoutError:
            pass
        finally:
            transport.abort()
        await self._gone.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """For the event loop."""
        self._transport = cast("asyncio.Transport", transport)
        if self._why:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """For the event loop."""
        try:
            plain, said_goodbye = self._tls.receive(data) if self._tls else (data, False)
            if self._tls:
                self._flush()
                self._note_handshake()
            if self._layer is not None:
                plain = self._layer.unwrap(plain)
        except (TlsFailed, NotLdap) as error:
            # Tell the server, by an alert, why we leave.
            self._flush()
            self._why = self._why or str(error)
            if self._transport is not None:
                self._transport.close()
            self._end()
            return
        if plain:
            self._heard(plain)
        if said_goodbye and self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """For the event loop."""
        if exc is not None and not self._why:
            words = exc.strerror if isinstance(exc, OSError) else None
            self._why = f"broke off: {words or type(exc).__name__}"
        self._end()
        # It holds what the system's library has to get back.
        self._layer = None
        self._gone.set()

    def _note_handshake(self) -> None:
        if self._tls and self._tls.stands and self._shaken and not self._shaken.done():
            self._shaken.set_result(None)

    def _flush(self) -> None:
        if self._tls is None or self._transport is None or self._transport.is_closing():
            return
        if output := self._tls.take_output():
            self._transport.write(output)

    def _end(self) -> None:
        lost, self._lost = self._lost, _nobody
        lost(self._why)
        if self._shaken is not None and not self._shaken.done():
            self._shaken.set_result(None)


def _nobody(_: str) -> None:
    pass
