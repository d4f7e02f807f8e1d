"""The queue by itself: what it says is on disk is there, whoever comes at the same moment."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mailtrust.transports.hub.message import Message
from mailtrust.transports.hub.queue import Queue, Settlement
from tests.hub.organization import MAIL
from tests.make import HUB1, HUB2, NOON


async def test_a_message_whose_recipients_go_at_once_is_gone_once(tmp_path: Path) -> None:
    queue = await Queue.open(tmp_path, lambda address: address.partition("@")[2])
    try:
        ids = [queue.next_id() for _ in range(100)]
        for id_ in ids:
            await queue.put(Message(id_, "", (f"a@{HUB1}", f"b@{HUB2}"), MAIL, NOON))
        assert queue.waiting == 100
        # Two ways each; the writer takes most of them in one commit.
        ways = [(id_, position) for id_ in ids for position in (0, 1)]
        await asyncio.gather(*(queue.settle(Settlement(id_, (position,))) for id_, position in ways))
        assert queue.waiting == 0
    finally:
        await queue.close()


async def test_recipients_of_one_way_are_one_job(tmp_path: Path) -> None:
    queue = await Queue.open(tmp_path, lambda address: address.partition("@")[2])
    try:
        recipients = (f"a@{HUB1}", f"b@{HUB2}", f"c@{HUB1}")
        await queue.put(Message(queue.next_id(), "", recipients, MAIL, NOON))
        jobs = await queue.due(NOON, 10, ())
    finally:
        await queue.close()

    assert {job.hop: job.recipients for job in jobs} == {
        HUB1: {0: f"a@{HUB1}", 2: f"c@{HUB1}"},
        HUB2: {1: f"b@{HUB2}"},
    }


async def test_an_id_never_returns_after_a_restart(tmp_path: Path) -> None:
    """Files in mailboxes are named after it."""
    given = []
    for _ in range(3):
        queue = await Queue.open(tmp_path, lambda address: "local")
        given.append(queue.next_id())
        await queue.put(Message(given[-1], "", (f"a@{HUB1}",), MAIL, NOON))
        await queue.settle(Settlement(given[-1], (0,)))
        await queue.close()

    assert sorted(set(given)) == given
