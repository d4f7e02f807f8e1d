"""
A site's own hub: the embedded transport, joined to the store, the directory and the journal of its site.

The hub must never wait for the disk between two packets, so what it reports is handed to a thread that
writes it down.  When more comes than can be written, the newest is dropped: the journal counts what
repeats itself anyway.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from queue import Full, Queue

from mailtrust import clock
from mailtrust.agent.journal import Journal
from mailtrust.agent.site import Site
from mailtrust.config import Config
from mailtrust.errors import BadConfiguration, StoreUnavailable
from mailtrust.transports.base import Raised
from mailtrust.transports.hub import Hub
from mailtrust.transports.hub.settings import HubSettings, Mode, OnStale, RelayLimits, RetrySchedule

_MOST_UNWRITTEN = 1000


def hub_of(site: Site, *, retry: RetrySchedule | None = None, relay: RelayLimits | None = None) -> Hub:
    """
    The hub that the site's configuration describes, not started yet.

    Raises: BadConfiguration where it has nothing to listen on.
    """
    return Hub(
        replace(hub_settings(site.config, retry or RetrySchedule()), relay=relay or RelayLimits()),
        home=site.directory.home,
        stand_ins=site.directory.stand_ins,
        credential=site.store.credential,
        stamp=site.store.stamp,
        report=Recorder(site.journal).record,
        keep=site.journal.count_sessions,
    )


def hub_settings(config: Config, retry: RetrySchedule) -> HubSettings:
    """What the configuration says of the hub.  Raises: BadConfiguration."""
    transport = config.transport
    if not transport.bind:
        raise BadConfiguration(
            "the hub has nothing to listen on",
            hint='set transport.bind or server.listeners, as ["127.0.0.1:2525"]',
        )
    return HubSettings(
        name=config.server.name,
        binds=transport.bind,
        store=config.server.store,
        maildir=transport.maildir,
        local_domains=transport.local_domains,
        routes=transport.routes,
        mode=_mode(transport.mode),
        peer_modes={peer: _mode(mode) for peer, mode in transport.peer_modes.items()},
        on_stale=_on_stale(transport.on_stale),
        accept_local_from_anybody=transport.accept_local_from == "anybody",
        queue_lifetime=transport.queue_lifetime,
        message_size_bytes=transport.message_size_bytes,
        snapshot_max_age=config.policy.snapshot_max_age,
        retry=retry,
    )


class Recorder:
    """Writes what a transport reports into the journal, in a thread of its own."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._unwritten: Queue[Raised] = Queue(_MOST_UNWRITTEN)
        self._writer: threading.Thread | None = None

    def record(self, raised: Raised) -> None:
        """Note it, at once."""
        if self._writer is None:
            self._writer = threading.Thread(target=self._write, name="journal", daemon=True)
            self._writer.start()
        with suppress(Full):
            self._unwritten.put_nowait(raised)

    def _write(self) -> None:
        while True:
            raised = self._unwritten.get()
            with suppress(StoreUnavailable):
                self._journal.record_raised(raised, clock.now())


def _mode(text: str) -> Mode:
    return "report" if text == "report" else "enforce"


def _on_stale(text: str) -> OnStale:
    return "defer" if text == "defer" else "keep"
