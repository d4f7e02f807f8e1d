"""
The embedded mail server: it takes mail from servers that the directory vouches for, and passes it on
to servers that the directory vouches for.

    peer → Inbound → Queue → Relay → Maildir, or Outbound → next hop

Three things run beside each other until it stops: listening, delivering, and keeping the trust
snapshot fresh.  None of them needs root.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial

from mailtrust import clock
from mailtrust.core.model.server import Endpoint
from mailtrust.directory.snapshot import SNAPSHOT_FILE
from mailtrust.errors import BadInput, MailtrustError, TransportUnavailable
from mailtrust.smtp.envelope import path
from mailtrust.transports.base import Report
from mailtrust.transports.hub import listening
from mailtrust.transports.hub.admission import STOPPING, hop_of
from mailtrust.transports.hub.counters import Counters
from mailtrust.transports.hub.credential import Presented
from mailtrust.transports.hub.inbound import Inbound
from mailtrust.transports.hub.message import Message, submitted
from mailtrust.transports.hub.queue import Queue
from mailtrust.transports.hub.reception import Reception
from mailtrust.transports.hub.relay import Relay
from mailtrust.transports.hub.settings import HubSettings
from mailtrust.transports.hub.tally import Keep, Tally
from mailtrust.transports.hub.tls import Credential
from mailtrust.transports.hub.trust import Home, Trust

_SWEEP_SECONDS = 1.0
_GRACE_SECONDS = 4.0
_KEEP_SECONDS = 1.0
_STEP_SECONDS = 0.02
_LINE_END = re.compile(rb"\r\n|\r|\n")


class Hub:
    """
    One hub.  `start` and `stop` each once, on the same loop.

    *home* is the replica that we read, and *stand_ins* are asked while it does not answer; *credential*
    gives the store's current certificate, None where there is none; *stamp* is cheap and changes whenever
    that changes; *report* is told what we meet, and *keep* gets the counts of sessions by peer and reason.
    """

    def __init__(
        self,
        settings: HubSettings,
        *,
        home: Home,
        stand_ins: Sequence[Home] = (),
        credential: Callable[[], Credential | None],
        stamp: Callable[[], object],
        report: Report,
        keep: Keep | None = None,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._settings = settings
        self._home = home
        self._stand_ins = stand_ins
        self._report = report
        self._keep = keep
        self._tally = Tally(now)
        self._now = now
        self._presented = Presented(settings.name, credential, stamp, report)
        self._queue: Queue | None = None
        self._relay: Relay | None = None
        self._reception: Reception | None = None
        self._running: asyncio.Task[None] | None = None
        self._stop_asked = asyncio.Event()
        self.counters = Counters()
        self.bound: tuple[Endpoint, ...] = ()
        """Where it really listens; empty before it started and after it stopped."""

    async def start(self) -> None:
        """
        Listen, deliver what waits, and return once that is so.

        Raises: TransportUnavailable when an address or the queue cannot be had.
        """
        ready = asyncio.get_running_loop().create_future()
        self._running = running = asyncio.create_task(self._run(ready))
        try:
            await asyncio.wait((ready, running), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            running.cancel()
            await asyncio.wait((running,))
            raise
        if not ready.done():
            await running

    async def wait(self) -> None:
        """Until it has stopped; raises what stopped it, if not `stop`."""
        if self._running is not None:
            await asyncio.shield(self._running)

    async def stop(self) -> None:
        """Take nothing new, send 421 to whoever is connected, finish what runs, and let the queue go."""
        self._stop_asked.set()
        await self.wait()

    async def submit(self, sender: str, recipients: Sequence[str], content: bytes, now: datetime) -> str:
        """
        Queue one message from inside; its id, once it is on disk.  *sender* is empty for none.

        Raises: BadInput for an address that SMTP cannot carry, TransportUnavailable when it cannot be stored.
        """
        queue, relay = self._queue, self._relay
        if queue is None or relay is None:
            raise TransportUnavailable("the hub is not running, so it takes no mail")
        for address in (*filter(None, [sender]), *recipients):
            _check(address)
        if not recipients:
            raise BadInput("a message needs at least one recipient")
        id_ = queue.next_id()
        whole = submitted(self._settings.name, id_, now) + _LINE_END.sub(b"\r\n", content)
        message = Message(
            id_, sender, tuple(dict.fromkeys(recipients)), whole, now, eight_bit=not whole.isascii()
        )
        await queue.put(message)
        relay.arrived(message)
        return message.name

    async def retry(self) -> None:
        """Try everything that waits again, now."""
        if self._queue is not None and self._relay is not None:
            await self._queue.make_due(self._now())
            self._relay.try_now()

    def freeze(self) -> None:
        """For the lab: go on with the certificate it has, whatever becomes of the store."""
        self._presented.freeze()

    def waiting(self) -> int:
        """How many messages are in the queue; those that were not delivered yet to everybody."""
        return self._queue.waiting if self._queue is not None else 0

    def connections(self) -> int:
        """How many peers are connected."""
        return len(self._reception.open) if self._reception is not None else 0

    async def _run(self, ready: asyncio.Future[None]) -> None:
        settings = self._settings
        # First of all, because this is what goes wrong; who connects now waits for the rest.
        async with _listening(settings.binds) as sockets, self._open_queue() as queue:
            trust = Trust(
                settings.name, self._home, settings.store / SNAPSHOT_FILE, self._report,
                stand_ins=self._stand_ins, max_age=settings.snapshot_max_age, now=self._now,
            )  # fmt: skip
            await self._presented.refresh()
            await trust.start()
            relay = Relay(
                settings, queue, self._presented, trust, self.counters, self._report, self._now, self._tally
            )
            async with asyncio.TaskGroup() as tasks:
                self._reception = reception = Reception(
                    settings, self._presented, trust, queue, self.counters, self._report, self._now,
                    tasks, relay.arrived, self._tally,
                )  # fmt: skip
                await self._serve(sockets, reception, relay, trust, ready)

    async def _serve(
        self,
        sockets: Sequence[socket.socket],
        reception: Reception,
        relay: Relay,
        trust: Trust,
        ready: asyncio.Future[None],
    ) -> None:
        loop, tasks = asyncio.get_running_loop(), reception.tasks
        work = (trust.keep(), relay.run(), _sweep(reception), self._keep_counting())
        background = [tasks.create_task(one) for one in work]
        servers = [
            await loop.create_server(lambda: Inbound(reception), sock=one, backlog=listening.BACKLOG)
            for one in sockets
        ]
        self._relay, self.bound = relay, listening.bound(sockets)
        try:
            ready.set_result(None)
            await self._stop_asked.wait()
            for server in servers:
                server.close()
            await asyncio.gather(_see_off(reception), relay.finish(_GRACE_SECONDS))
        finally:
            self._relay = self._reception = None
            self.bound = ()
            for server in servers:
                server.close()
            for task in background:
                task.cancel()
        await self._keep_counts()

    async def _keep_counting(self) -> None:
        while True:
            await asyncio.sleep(_KEEP_SECONDS)
            await self._keep_counts()

    async def _keep_counts(self) -> None:
        """Write down who came since the last time; a diary that cannot be written costs no mail."""
        counts = self._tally.take()
        if not counts or self._keep is None:
            return
        try:
            await asyncio.to_thread(self._keep, counts)
        except MailtrustError:
            self._tally.give_back(counts)

    @asynccontextmanager
    async def _open_queue(self) -> AsyncIterator[Queue]:
        self._queue = queue = await Queue.open(self._settings.store, partial(hop_of, self._settings))
        try:
            yield queue
        finally:
            self._queue = None
            await queue.close()


@asynccontextmanager
async def _listening(binds: Sequence[Endpoint]) -> AsyncIterator[list[socket.socket]]:
    sockets = await listening.listen(binds)
    try:
        yield sockets
    finally:
        for one in sockets:
            one.close()


async def _sweep(reception: Reception) -> None:
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        reception.sweep(asyncio.get_running_loop().time())


async def _see_off(reception: Reception) -> None:
    """Say 421 to everybody as soon as no message is half received, and leave those who dawdle."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GRACE_SECONDS):
            while reception.open:
                for connection in [one for one in reception.open if one.is_idle]:
                    connection.dismiss(STOPPING)
                await asyncio.sleep(_STEP_SECONDS)
    for connection in list(reception.open):
        connection.dismiss(STOPPING)
    await asyncio.sleep(_STEP_SECONDS)
    for connection in list(reception.open):
        connection.time_out()
    # Their connection_lost comes with the next turn of the loop.
    await asyncio.sleep(_STEP_SECONDS)


def _check(address: str) -> None:
    read = path(f"TO:<{address}>".encode("ascii", "replace"), b"TO")
    if not address.isascii() or read is None or not read.address or read.parameters:
        raise BadInput(f"{address!r} is no mail address", hint="write it like postmaster@example.test")
