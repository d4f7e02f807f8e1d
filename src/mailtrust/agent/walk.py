"""
Walk to a listener: one real SMTP session, each stage of it timed, and no mail moved unless it is handed one.

TLS is the hub's own, so that we meet what our mail would meet.  Nothing here judges and nothing raises for a
server: what stopped us is a stage of the trace.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NoReturn

from mailtrust import clock
from mailtrust.core.flow import Passage, Stage, Stop, Trace
from mailtrust.core.model.certificate import Certificate, Fingerprint, certificate, fingerprint_of
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.errors import NotACertificate
from mailtrust.probes.names import Names
from mailtrust.probes.tls import tell_when_asked
from mailtrust.smtp.walk import Answered, Step, Walk
from mailtrust.transports.hub.next_hop import tls_name
from mailtrust.transports.hub.tls import Credential, Tls, TlsClosed, TlsFailed, client_context

_READ_BYTES = 1 << 16
_MOST_BYTES = 1 << 18
_OUR_OWN_LIMITS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_STAGES = {
    Step.BANNER: Stage.BANNER, Step.EHLO: Stage.EHLO, Step.STARTTLS: Stage.VERBS,
    Step.EHLO_AGAIN: Stage.EHLO_AGAIN, Step.MAIL: Stage.MAIL, Step.RCPT: Stage.RCPT,
    Step.DATA: Stage.MESSAGE, Step.CONTENT: Stage.MESSAGE, Step.RSET: Stage.RSET, Step.QUIT: Stage.QUIT,
}  # fmt: skip


Believes = Callable[[Certificate | None], bool]
"""Whether our mail would be handed to whoever presented that; None: what cannot be read."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who we are, and what we ask for."""

    name: ServerName
    recipient: str
    credential: Credential | None
    content: bytes | None = None
    """A whole message; None: none is handed over."""
    otherwise: str = ""
    """Who is asked for where the recipient is refused for good; empty: nobody."""


async def walk(where: Endpoint, envelope: Envelope, believes: Believes, patience: timedelta) -> Trace:
    """What one session shows; *patience* is for each answer."""
    return await _Walking(where, envelope, believes, patience).go()


class _Stopped(Exception):
    """The session is over; what stopped it stands in the record."""


@dataclass(slots=True)
class _Record:
    began_at: datetime
    passages: dict[Stage, Passage] = field(default_factory=dict)
    address: str = ""
    addresses: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    protocol: str = ""
    leaf: Certificate | None = None
    unreadable: Fingerprint | None = None
    asked: bool | None = None


class _Walking:
    def __init__(self, where: Endpoint, envelope: Envelope, believes: Believes, patience: timedelta) -> None:
        self._where = where
        self._envelope = envelope
        self._believes = believes
        self._patience = patience.total_seconds()
        self._loop = asyncio.get_running_loop()
        self._record = _Record(clock.now())
        self._since = self._loop.time()
        self._received = 0
        self._tls: Tls | None = None
        self._asked = False
        self._walk = Walk(
            envelope.name,
            sender="",
            recipient=envelope.recipient,
            otherwise=envelope.otherwise,
            content=envelope.content,
        )

    async def go(self) -> Trace:
        writer: asyncio.StreamWriter | None = None
        try:
            reader, writer = await self._connected(await self._resolved())
            self._since = self._loop.time()
            await self._talk(reader, writer)
        except _Stopped:
            pass
        finally:
            if writer is not None:
                writer.transport.abort()
        told, spoken, credential = self._record, self._walk, self._envelope.credential
        return Trace(
            self._where, told.began_at, told.passages, told.address, spoken.offered, spoken.offered_inside,
            spoken.verb, told.protocol, told.leaf, told.unreadable, told.asked,
            credential.certificate if credential is not None else None, told.addresses, told.dead,
        )  # fmt: skip

    # The way to it

    async def _resolved(self) -> tuple[str, ...]:
        names = Names((self._where.host,))
        if self._where.host not in names:
            self._pass(Stage.RESOLVE, self._where.host)
            return (self._where.host,)
        try:
            async with asyncio.timeout(self._patience):
                found = await names.addresses(self._where.host)
        except TimeoutError:
            found = f"the name was not resolved within {self._patience:g} s"
        finally:
            names.close()
        if isinstance(found, str):
            self._stop(Stage.RESOLVE, Stop.NO_NAME, found)
        self._pass(Stage.RESOLVE, ", ".join(found))
        return tuple(found)

    async def _connected(
        self, addresses: tuple[str, ...]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The first address that takes a connection, each within its share of the time."""
        self._record.addresses = addresses
        failed: list[str] = []
        stop = Stop.NO_CONNECTION
        for address in addresses:
            try:
                async with asyncio.timeout(self._patience / len(addresses)):
                    opened = await asyncio.open_connection(address, self._where.port, limit=1 << 20)
            except TimeoutError as error:
                # The kernel's own "connection timed out" has a number, ours has none.
                why = _reason(error) if error.errno else f"no answer within {self._patience:g} s"
                failed.append(f"{address}: {why}" if len(addresses) > 1 else why)
            except OSError as error:
                stop = Stop.OUR_LIMIT if error.errno in _OUR_OWN_LIMITS else stop
                failed.append(f"{address}: {_reason(error)}" if len(addresses) > 1 else _reason(error))
            else:
                self._record.address, self._record.dead = address, tuple(failed)
                self._pass(Stage.CONNECT, str(Endpoint(address, self._where.port)))
                return opened
        return self._stop(Stage.CONNECT, stop, "; ".join(failed))

    # The session

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while self._walk.step is not None or self._walk.ready_for_tls:
            if self._walk.ready_for_tls:
                await self._secure(reader, writer)
                self._since = self._loop.time()
                continue
            await self._send(writer)
            answer = self._walk.next_answer()
            if answer is None:
                await self._read(reader, writer)
            else:
                self._heard(answer)
        await self._send(writer)

    def _heard(self, answer: Answered) -> None:
        stage = _STAGES[answer.step]
        if answer.reply is None:
            self._stop(stage, Stop.NONSENSE, answer.why)
        # One stage for the two answers to a message.
        began = self._record.passages.get(stage)
        text = str(answer.reply)
        if stage is Stage.RCPT and began is not None:
            text = f"{began.said}; {text}"
        if not answer.passed:
            refused = Stop.NO_VERB if stage is Stage.VERBS else Stop.REFUSED
            self._note(stage, text, refused)
            return
        self._note(stage, text, None, began.took if began is not None else timedelta())
        if stage is Stage.EHLO and not self._walk.verb:
            self._note(Stage.VERBS, "", Stop.NO_VERB)

    async def _secure(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """TLS, and a look at who is there, before anything is said behind it."""
        context = client_context(self._envelope.credential)
        tell_when_asked(context, self._note_asked)
        tls = Tls(context, server_name=tls_name(self._where.host), client=True)
        self._since = self._loop.time()
        await self._shake(tls, reader, writer)
        self._tls = tls
        record = self._record
        record.protocol, record.asked = tls.protocol, self._asked
        self._pass(Stage.HANDSHAKE, tls.protocol)
        der = tls.peer_certificate
        try:
            record.leaf = certificate(der) if der is not None else None
        except NotACertificate:
            record.unreadable = fingerprint_of(der or b"")
        self._walk.secured()
        if not self._believes(record.leaf):
            self._walk.leave()

    async def _shake(self, tls: Tls, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(self._patience):
                tls.start()
                while not tls.established:
                    writer.write(tls.take_output())
                    data = await reader.read(_READ_BYTES)
                    if not data:
                        self._unfinished(Stop.CLOSED, "the server closed the connection")
                    if tls.receive(data):
                        self._unfinished(Stop.NONSENSE, "the server spoke before it was asked")
                writer.write(tls.take_output())
        except (TlsFailed, TlsClosed) as error:
            writer.write(tls.take_output())
            self._unfinished(Stop.NONSENSE, str(error) or "the server ended it")
        except TimeoutError:
            self._unfinished(Stop.SILENT, f"it took longer than {self._patience:g} s")
        except OSError as error:
            self._unfinished(Stop.CLOSED, _reason(error))

    def _unfinished(self, stop: Stop, why: str) -> NoReturn:
        self._record.asked = True if self._asked else None
        self._stop(Stage.HANDSHAKE, stop, f"the TLS handshake did not finish: {why}")

    def _note_asked(self) -> None:
        self._asked = True

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        output = self._walk.take_output()
        if not output:
            return
        try:
            if self._tls is not None:
                self._tls.send(output)
                output = self._tls.take_output()
            writer.write(output)
            async with asyncio.timeout(self._patience):
                await writer.drain()
        except (OSError, TlsFailed):
            # The next read meets the end, and knows what was waited for.
            return
        self._since = self._loop.time()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        step = self._walk.step
        assert step is not None  # noqa: S101  # the caller waits for an answer
        stage = _STAGES[step]
        try:
            async with asyncio.timeout_at(self._since + self._patience):
                data = await reader.read(_READ_BYTES)
            if data and self._tls is not None:
                inside = self._tls.receive(data)
                writer.write(self._tls.take_output())
                if not inside:
                    return
                data = inside
        except TimeoutError:
            self._stop(stage, Stop.SILENT, f"no answer within {self._patience:g} s")
        except TlsFailed as error:
            self._stop(stage, Stop.CLOSED, f"the server ended TLS: {error}")
        except (OSError, TlsClosed):
            data = b""
        self._received += len(data)
        if not data:
            self._stop(stage, Stop.CLOSED, "the server closed the connection")
        if self._received > _MOST_BYTES:
            self._stop(stage, Stop.NONSENSE, f"it sent more than {_MOST_BYTES >> 10} KiB")
        self._walk.receive(data)

    # The record

    def _pass(self, stage: Stage, said: str) -> None:
        self._note(stage, said, None)

    def _stop(self, stage: Stage, stop: Stop, said: str) -> NoReturn:
        self._note(stage, said, stop)
        raise _Stopped

    def _note(self, stage: Stage, said: str, stop: Stop | None, before: timedelta = timedelta()) -> None:
        now = self._loop.time()
        took = before + timedelta(seconds=now - self._since)
        self._record.passages[stage] = Passage(took, said, stop)
        self._since = now


def _reason(error: OSError) -> str:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"{reason[:1].lower()}{reason[1:]}"
