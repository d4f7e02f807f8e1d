"""
One peer's connection: sockets and TLS around the pure session, and the hub's decisions put into it.

Nothing here waits on the loop.  Two answers may take a moment, another look at the directory and the
commit of a message; until they come the session stands still, and what the peer sends meanwhile is
read no further than a small buffer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, assert_never, cast

from mailtrust.core.model.certificate import Certificate, Fingerprint, certificate, fingerprint_of
from mailtrust.core.model.trust import Stranger, Trusted, Verdict
from mailtrust.core.sessions import Met, Reason, Way
from mailtrust.errors import NotACertificate
from mailtrust.smtp.answer import Answer
from mailtrust.smtp.server import (
    Ended,
    MailRequested,
    MessageReceived,
    MessageRefused,
    ServerEvent,
    ServerSession,
    TlsRequested,
)
from mailtrust.transports.hub import admission
from mailtrust.transports.hub.containment import contained
from mailtrust.transports.hub.credential import Contexts
from mailtrust.transports.hub.message import Arrival, Message, hops, received
from mailtrust.transports.hub.reception import Reception
from mailtrust.transports.hub.tls import Tls, TlsClosed, TlsFailed

VERBS = ("STARTTLS", "X-ANONYMOUSTLS")
_READ_AHEAD_BYTES = 1 << 16
_LINGER_SECONDS = 5.0


class Inbound(asyncio.Protocol):
    """The server's side of one connection."""

    def __init__(self, shared: Reception) -> None:
        self._shared = shared
        self._limits = shared.settings.limits
        self._command_seconds = self._limits.command_timeout.total_seconds()
        self._tls: Tls | None = None
        self._session: ServerSession | None = None
        self._asking: asyncio.Task[None] | None = None
        self._presented: Certificate | None = None
        self._unreadable: Fingerprint | None = None
        self._verdict: Verdict | None = None
        self._asked_again = False
        self._would_defer = False
        self._counted: Reason | None = None
        self._considering = False
        self._choked = False
        self._finished = False
        self._reading = True
        self._held = 0

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer has come."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else "unknown"
        self._loop = asyncio.get_running_loop()
        self._ends_at = self._loop.time() + self._limits.session_timeout.total_seconds()
        shared = self._shared
        if not shared.has_room_for(self._address):
            shared.counters.deferred += 1
            self._transport.write(admission.TOO_MANY_CONNECTIONS.line())
            self._transport.close()
            self._finished = True
            return
        shared.enter(self, self._address)
        self._touch(self._command_seconds)
        if shared.presented.is_fresh:
            self._begin(shared.presented.contexts)
        else:
            self._pause()
            self._asking = self._alone(self._begin_later())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Let go of everything but what is being stored."""
        self._finished = True
        self._hold(0)
        if self._asking is not None:
            self._asking.cancel()
        self._shared.leave(self, self._address)

    def data_received(self, data: bytes) -> None:
        """Bytes, in the clear or not."""
        session = self._session
        if self._finished or session is None:
            return
        tls = self._tls
        if tls is not None:
            was_established = tls.established
            try:
                data = tls.receive(data)
            except TlsClosed:
                self._close()
                return
            except TlsFailed:
                self._transport.write(tls.take_output())
                self._close()
                return
            if not was_established:
                self._transport.write(tls.take_output())
                if not tls.established:
                    return
                self._meet(tls, session)
        if data:
            session.receive(data)
            self._work()

    def eof_received(self) -> bool:
        """A peer that sent everything may still wait for its answers."""
        self._work()
        session = self._session
        return session is not None and session.waiting and not self._finished

    def pause_writing(self) -> None:
        """The peer does not read: then we do not read either."""
        self._choked = True
        self._pause()

    def resume_writing(self) -> None:
        """It reads again."""
        self._choked = False
        self._resume()
        self._work()

    # What the hub calls

    @property
    def is_idle(self) -> bool:
        """True while no message is half received or half stored."""
        session = self._session
        return session is None or not (session.waiting or session.in_content)

    def time_out(self) -> None:
        """Say so and close; the second time, without a word."""
        if self._finished:
            self._transport.abort()
        elif self._session is not None and self._session.waiting:
            self._touch(self._command_seconds)  # It waits for us, not we for it.
        else:
            self.dismiss(admission.TIMED_OUT)

    def dismiss(self, answer: Answer) -> None:
        """Say a last word, if it can be said, and close."""
        handshaking = self._tls is not None and not self._tls.established
        if self._session is not None and not handshaking and not self._finished:
            self._session.end(answer)
            self._flush(self._session)
        self._close()

    # Between them

    def _alone(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do *work* beside; a fault in it ends this connection only."""

        async def alone() -> None:
            if not await contained(work, f"the connection from {self._address}"):
                self._close()

        return self._shared.tasks.create_task(alone())

    async def _begin_later(self) -> None:
        contexts = await self._shared.presented.refresh()
        self._asking = None
        self._begin(contexts)
        self._resume()

    def _begin(self, contexts: Contexts) -> None:
        self._contexts = contexts
        offers = VERBS if contexts.server is not None else ()
        self._session = ServerSession(self._shared.settings.name, self._shared.limits, offers)
        self._flush(self._session)

    def _work(self) -> None:
        session = self._session
        if session is None:
            return
        while not self._choked and not self._finished:
            event = session.next_event()
            if event is None:
                break
            self._obey(session, event)
        if self._finished:
            return
        self._flush(session)
        if not session.waiting:
            self._bound(session)
            self._resume()
        elif session.held_bytes > _READ_AHEAD_BYTES:
            self._pause()

    def _obey(self, session: ServerSession, event: ServerEvent) -> None:
        match event:
            case MailRequested():
                self._consider(session)
            case MessageReceived():
                self._store(session, event)
            case TlsRequested():
                self._flush(session)
                if self._contexts.server is not None:
                    self._tls = Tls(self._contexts.server)
                self._touch(self._limits.handshake_timeout.total_seconds())
            case MessageRefused():
                self._shared.counters.refused += 1
            case Ended():
                self._flush(session)
                self._close()
            case _:
                assert_never(event)

    def _meet(self, tls: Tls, session: ServerSession) -> None:
        shared = self._shared
        session.secured()
        self._touch(self._command_seconds)
        der = tls.peer_certificate
        if der is None:
            return
        try:
            self._presented = certificate(der)
        except NotACertificate:
            self._unreadable = fingerprint_of(der)
            shared.report_stranger(self._address, "unreadable", self._unreadable)
            return
        if isinstance(shared.trust.judge(self._presented), Stranger):
            self._asking = self._alone(self._ask_again(self._presented))

    async def _ask_again(self, presented: Certificate) -> None:
        shared = self._shared
        verdict = await shared.trust.judge_again(presented)
        self._asking = None
        self._asked_again = True
        if isinstance(verdict, Stranger):
            shared.report_stranger(self._address, presented.subject, presented.fingerprint)
        session = self._session
        if self._considering and session is not None and not self._finished:
            self._decide(session, verdict)
            self._work()

    def _consider(self, session: ServerSession) -> None:
        # Asked at every message: a withdrawal also holds for sessions that stay open.
        verdict = self._shared.trust.judge(self._presented)
        if isinstance(verdict, Stranger) and not self._asked_again:
            self._considering = True
            if self._asking is None:
                self._asking = self._alone(self._ask_again(verdict.certificate))
            return
        self._decide(session, verdict)

    def _decide(self, session: ServerSession, verdict: Verdict) -> None:
        shared, settings = self._shared, self._shared.settings
        self._considering = False
        self._verdict = verdict
        self._would_defer = False
        too_old = settings.on_stale == "defer" and shared.trust.is_stale
        answer = admission.turned_away(
            verdict,
            encrypted=session.encrypted,
            presented=self._presented,
            unreadable=self._unreadable,
            too_old=too_old,
        )
        self._count(verdict, encrypted=session.encrypted, too_old=too_old)
        if answer is None:
            session.admit(shared.judge_trusted)
        elif settings.mode_towards(self._address) == "report":
            self._would_defer = True
            session.admit(shared.judge_reported)
        elif settings.accept_local_from_anybody:
            session.admit(shared.judge_local_or(answer))
        else:
            session.answer(shared.count(answer))

    def _count(self, verdict: Verdict, *, encrypted: bool, too_old: bool) -> None:
        """Once for a session, and once more where what is thought of it changes while it is open."""
        leaf = self._presented
        reason = admission.reason_for(
            verdict, encrypted=encrypted, presented=leaf, unreadable=self._unreadable, too_old=too_old
        )
        if reason is self._counted:
            return
        self._counted = reason
        server = verdict.server if isinstance(verdict, Trusted) else ""
        fingerprint, pin = (leaf.fingerprint, leaf.pin) if leaf else (self._unreadable or "", "")
        self._shared.tally.add(Met(self._address, Way.FROM, reason, server, fingerprint, pin))

    def _store(self, session: ServerSession, mail: MessageReceived) -> None:
        shared = self._shared
        if hops(mail.content) > self._limits.received_headers:
            session.answer(shared.count(admission.LOOPING))
            return
        id_, now = shared.queue.next_id(), shared.now()
        peer = self._verdict.server if isinstance(self._verdict, Trusted) else ""
        protocol = self._tls.protocol if self._tls is not None else ""
        arrival = Arrival(session.helo, self._address, protocol, session.extended, peer)
        content = received(arrival, shared.settings.name, id_, now) + mail.content
        message = Message(id_, mail.sender, mail.recipients, content, now, mail.eight_bit, peer)
        self._hold(len(content))
        would_defer = self._would_defer
        shared.queue.put(message).add_done_callback(
            lambda done: self._stored(done, message, would_defer=would_defer)
        )

    def _stored(self, done: asyncio.Future[None], message: Message, *, would_defer: bool) -> None:
        counters = self._shared.counters
        failed = done.cancelled() or done.exception() is not None
        if failed:
            counters.deferred += 1
        else:
            counters.accepted += 1
            counters.authenticated += bool(message.peer)
            counters.would_defer += would_defer
            self._shared.stored(message)
        session = self._session
        if session is None or self._finished:
            return
        session.answer(admission.NO_ROOM if failed else Answer(250, "2.0.0", f"queued as {message.name}"))
        self._work()

    def _bound(self, session: ServerSession) -> None:
        self._hold(session.held_bytes)
        if session.in_content:
            self._touch(self._command_seconds)
            if self._shared.held_bytes > self._limits.held_bytes:
                session.refuse_content(admission.BUSY)

    def _hold(self, count: int) -> None:
        self._shared.held_bytes += count - self._held
        self._held = count

    def _flush(self, session: ServerSession) -> None:
        output = session.take_output()
        if not output:
            return
        # Something was answered, so something was asked: the clock starts again.
        self._touch(self._command_seconds)
        if self._tls is None:
            self._transport.write(output)
            return
        try:
            self._tls.send(output)
        except TlsFailed:
            self._close()
            return
        self._transport.write(self._tls.take_output())

    def _touch(self, seconds: float) -> None:
        self.deadline = min(self._loop.time() + seconds, self._ends_at)

    def _close(self) -> None:
        if not self._finished and self._tls is not None and self._tls.established:
            self._tls.say_goodbye()
            self._transport.write(self._tls.take_output())
        self._finished = True
        self.deadline = self._loop.time() + _LINGER_SECONDS
        self._transport.close()

    def _pause(self) -> None:
        if self._reading and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def _resume(self) -> None:
        if not self._reading and not self._choked and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()
