"""
Looks at many mail servers at once: which certificate does each present, in a finished handshake?

Nothing here judges and nothing raises.  A server that cannot be looked at is a sighting that says how far
we came and what stopped us; a hostile one costs its own deadline and nobody else's.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from mailtrust.core.model.certificate import Certificate, certificate
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import WireFailure, WireSighting
from mailtrust.errors import NotACertificate
from mailtrust.probes.conversation import Conversation, Seen
from mailtrust.probes.names import Names
from mailtrust.probes.tls import looking_context

Target = tuple[ServerName, Endpoint]

# Measured: 50 to 1,000 cost the same CPU; more than 200 only fill the file descriptors.
AT_ONCE = 200
_PHASES = ("resolve", "connect", "banner", "ehlo", "starttls", "handshake", "done")
_OUR_OWN_LIMITS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


async def probe(
    targets: Iterable[Target],
    *,
    timeout: timedelta,
    now: Callable[[], datetime],
    concurrency: int = AT_ONCE,
    verb: str | None = None,
) -> AsyncIterator[WireSighting]:
    """
    One sighting per target, as they come.

    *timeout* is for each target, its name's resolution included.  *verb* is the one to use; None: the best on
    offer.  May be left at any time: what is still open is closed.
    """
    probing = _Probe(tuple(targets), timeout, now, verb)
    looking = asyncio.create_task(probing.look_at_all(concurrency))
    try:
        while (look := await probing.looks.get()) is not None:
            # Here and not where it was seen: several wait by now, and parsing in a row takes half as long.
            yield _sighting(*look)
        await looking
    finally:
        looking.cancel()
        await asyncio.wait((looking,))


class _Probe:
    """What all targets of one call share: one TLS context, one resolver, one way out."""

    def __init__(
        self, targets: tuple[Target, ...], timeout: timedelta, now: Callable[[], datetime], verb: str | None
    ) -> None:
        self._targets = targets
        self._timeout = timeout.total_seconds()
        self._now = now
        self._verb = verb
        self._loop = asyncio.get_running_loop()
        self._context = looking_context()
        self._names = Names(endpoint.host for _, endpoint in targets)
        self.looks: asyncio.Queue[tuple[ServerName, Endpoint, Seen, datetime] | None] = asyncio.Queue()
        """Ends with None."""

    async def look_at_all(self, concurrency: int) -> None:
        """Every target, *concurrency* at a time."""
        waiting = iter(self._targets)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(concurrency, len(self._targets))):
                    group.create_task(self._work(waiting))
        finally:
            self._names.close()
            self.looks.put_nowait(None)

    async def _work(self, waiting: Iterator[Target]) -> None:
        for server, endpoint in waiting:
            await self._look(server, endpoint)

    async def _look(self, server: ServerName, endpoint: Endpoint) -> None:
        deadline = self._loop.time() + self._timeout

        def announce(seen: Seen) -> None:
            self.looks.put_nowait((server, endpoint, seen, self._now()))

        if endpoint.host in self._names:
            seen = await self._look_by_name(endpoint, deadline, announce)
        else:
            seen = await self._converse(endpoint.host, endpoint.port, deadline, deadline, announce)
        if seen.failure is not None:
            announce(seen)

    async def _look_by_name(
        self, endpoint: Endpoint, deadline: float, announce: Callable[[Seen], None]
    ) -> Seen:
        """Its addresses in turn, until one has SMTP; the reasons name the address."""
        addresses = await self._addresses(endpoint.host, deadline)
        if isinstance(addresses, str):
            return Seen("resolve", addresses, WireFailure.UNREACHABLE)
        failed: list[Seen] = []
        for at, address in enumerate(addresses):
            begun = self._loop.time()
            # A dead first address may not use up the time of the living second one.
            share = begun + (deadline - begun) / (len(addresses) - at)
            seen = await self._converse(address, endpoint.port, share, deadline, announce)
            if seen.failure is None:
                return seen
            failed.append(replace(seen, why=f"{address}: {seen.why}"))
            if seen.failure is not WireFailure.UNREACHABLE or self._loop.time() >= deadline:
                break
        furthest = max(failed, key=lambda seen: _PHASES.index(seen.phase))
        return replace(furthest, why="; ".join(seen.why for seen in failed))

    async def _addresses(self, host: str, deadline: float) -> tuple[str, ...] | str:
        try:
            async with asyncio.timeout_at(deadline):
                return await self._names.addresses(host)
        except TimeoutError:
            return f"the name was not resolved within {_seconds(self._timeout)}"

    async def _converse(
        self, address: str, port: int, connected_by: float, deadline: float, announce: Callable[[Seen], None]
    ) -> Seen:
        """What one address showed.  A success is announced at once, before the good-byes."""
        seen: list[Seen] = []

        def note(one: Seen) -> None:
            seen.append(one)
            if one.failure is None:
                announce(one)

        begun = self._loop.time()
        conversation = Conversation(self._context, self._verb, note)
        try:
            async with asyncio.timeout_at(connected_by) as limit:
                await self._loop.create_connection(lambda: conversation, address, port)
                if connected_by != deadline:
                    limit.reschedule(deadline)
                await conversation.lost
        except OSError as error:
            # Ours has no number; the kernel's own "connection timed out" has one.
            if error.errno is not None:
                return _not_connected(error)
            conversation.expire(_seconds((limit.when() or deadline) - begun))
        finally:
            conversation.abort()
        return seen[0]


def _not_connected(error: OSError) -> Seen:
    number = error.errno or 0
    failure = WireFailure.NO_ANSWER if number in _OUR_OWN_LIMITS else WireFailure.UNREACHABLE
    reason = os.strerror(number)
    return Seen("connect", f"{reason[:1].lower()}{reason[1:]}", failure)


def _sighting(server: ServerName, endpoint: Endpoint, seen: Seen, now: datetime) -> WireSighting:
    found: tuple[Certificate, ...] | None = None
    why, failure = seen.why, seen.failure
    if seen.leaf is not None:
        try:
            found = (certificate(seen.leaf),)
        except NotACertificate as error:
            why, failure = f"what it presents cannot be read: {error.message}", WireFailure.HANDSHAKE
    elif failure is None:
        why, failure = "the handshake finished without a certificate", WireFailure.HANDSHAKE
    return WireSighting(
        server,
        endpoint,
        found,
        now,
        why,
        failure,
        seen.phase,
        seen.verb,
        seen.protocol,
        seen.asks_client_certificate,
        seen.source,
    )


def _seconds(seconds: float) -> str:
    return f"{max(round(seconds, 1), 0.1):g} s"
