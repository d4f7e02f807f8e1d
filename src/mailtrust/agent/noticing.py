"""
The agent's parts that tell people: one puts notices into the outbox, and one for each way delivers them.

A way that does not work is tried again at growing pauses, over a restart as well; the others go on, and so
does everything else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from mailtrust import clock
from mailtrust.agent.journal import Journal
from mailtrust.agent.outbox import Outbox
from mailtrust.agent.site import Site
from mailtrust.agent.wake import LOOK_AGAIN_AFTER, file_stamp
from mailtrust.config import Config
from mailtrust.core.events.catalog import NOTICE_NOT_DELIVERED
from mailtrust.directory.pauses import pauses
from mailtrust.errors import NotDelivered, StoreUnavailable
from mailtrust.notices import command, mail, webhook
from mailtrust.notices.notice import Notice
from mailtrust.texts import Texts
from mailtrust.transports.base import Raised

Deliver = Callable[[Sequence[Notice], datetime], str]
"""Delivers all of them, and says what was answered.  Raises: NotDelivered."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=15)
_IN_A_MAIL = 50
_LOOK_AT_LEAST_EVERY = timedelta(seconds=10)
"""When a time of quiet ends, nothing wakes us."""


def ways(config: Config) -> Mapping[str, Deliver]:
    """Every way of [notify] by its name."""
    return dict(_ways(config))


def at_once(way: str) -> int:
    """How many notices a way takes together."""
    return _IN_A_MAIL if way == "mail" else 1


def _ways(config: Config) -> Iterator[tuple[str, Deliver]]:
    notify = config.notify
    if notify.command:
        yield "command", lambda notices, _: command.run(notify.command, notices[0], notify.timeout)
    if (hook := notify.webhook) is not None:
        yield "webhook", lambda notices, _: webhook.post(hook, notices[0], notify.timeout)
    if (post := notify.mail) is not None:
        server = config.server.name
        yield "mail", lambda notices, now: mail.send(post, server, notices, now, notify.timeout)


def parts(site: Site, shelf: Texts) -> Iterator[tuple[str, Callable[[], Awaitable[None]]]]:
    """The parts, by their names; none where nobody is to be told."""
    found = ways(site.config)
    if found:
        yield "what is to be told", partial(_whenever_it_changes, site, partial(_fill, site.config, shelf))
    for way, deliver in found.items():
        work = partial(deliver_waiting, site.config, way, deliver)
        yield f"notices by {way}", partial(_whenever_it_changes, site, work)


def _fill(config: Config, shelf: Texts, now: datetime) -> None:
    Outbox(config.server.store).fill(config, shelf, tuple(ways(config)), now)


def tell_once(config: Config, shelf: Texts, now: datetime) -> None:
    """For a single round: what is due is put into the outbox, and each way is tried.  Never raises."""
    with suppress(StoreUnavailable):
        _fill(config, shelf, now)
        for way, deliver in ways(config).items():
            deliver_waiting(config, way, deliver, now)


async def _whenever_it_changes(site: Site, work: Callable[[datetime], datetime | None]) -> None:
    """
    Do *work*, in a thread, whenever the journal changed, and now and then; for ever.

    It may say when it wants to be asked again.  Raises: StoreUnavailable.
    """
    loop = asyncio.get_running_loop()
    known, looked_at = None, float("-inf")
    again: datetime | None = None
    while True:
        stamp, now = file_stamp(site), clock.now()
        is_late = loop.time() - looked_at > _LOOK_AT_LEAST_EVERY.total_seconds()
        if stamp != known or is_late or (again is not None and again <= now):
            known, looked_at = stamp, loop.time()
            again = await asyncio.to_thread(work, now)
        await asyncio.sleep(LOOK_AGAIN_AFTER.total_seconds())


def deliver_waiting(config: Config, way: str, deliver: Deliver, now: datetime) -> datetime | None:
    """
    Deliver what waits for one way, until that fails; when to try again, None where nothing waits.

    Raises: StoreUnavailable.
    """
    outbox = Outbox(config.server.store)
    while True:
        waiting = outbox.waiting(way)
        if not waiting.notices:
            return None
        if waiting.next_at is not None and now < waiting.next_at:
            return waiting.next_at
        batch = waiting.notices[: at_once(way)]
        numbers = [number for number, _ in batch]
        try:
            deliver([notice for _, notice in batch], now)
        except NotDelivered as error:
            pause = next(islice(pauses(FIRST_PAUSE, LONGEST_PAUSE), waiting.failures, None))
            next_at = now + pause
            lost = outbox.failed(way, next_at, now, numbers if error.is_final else ())
            _tell(config, way, f"{error.message}{f'; {lost} given up' if lost else ''}", now)
            return next_at
        outbox.delivered(way, numbers, clock.now())


def _tell(config: Config, way: str, why: str, now: datetime) -> None:
    raised = Raised(NOTICE_NOT_DELIVERED, config.server.name, way, {"way": way, "why": why})
    with suppress(StoreUnavailable):
        Journal(config.server.store).record_raised(raised, now)
