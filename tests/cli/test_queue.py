"""`hub queue`: what waits, and what for, as somebody reads it."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta

import pytest

from mailtrust.errors import TransportUnavailable
from mailtrust.transports.hub import queue_view
from mailtrust.transports.hub.message import Message
from mailtrust.transports.hub.queue import Postponed, Queue, Settlement
from tests.cli.desk import HUB1, Desk
from tests.make import NOON

WHY = "cannot write to the mailbox /srv/hub1/store/mail/hub1.example.test/postmaster: no space is left on it"


async def something_waits(desk: Desk) -> None:
    queue = await Queue.open(desk.folder / "store", lambda _: "local")
    try:
        recipients = (f"postmaster@{HUB1}", f"other@{HUB1}")
        await queue.put(Message(0xC0FFEE01, "somebody@far.example.test", recipients, b"x" * 9000, NOON))
        later = NOON + timedelta(hours=1)
        await queue.settle(
            Settlement(0xC0FFEE01, postponed=tuple(Postponed(at, later, "", WHY) for at in (0, 1)))
        )
    finally:
        await queue.close()


def test_the_queue_names_every_message_whole_and_why_it_waits(desk: Desk) -> None:
    """With the id one goes on; a long reason once pushed it off the screen."""
    asyncio.run(something_waits(desk))

    screen = desk.must("hub", "queue").out

    assert "C0FFEE01" in screen
    assert f"somebody@far.example.test\n          to postmaster@{HUB1} +1\n" in screen
    assert " ".join(screen.split()).endswith(WHY)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a moment")
def test_a_queue_that_this_account_may_not_see_is_not_an_empty_one(
    desk: Desk,
) -> None:
    """Its folder is its owner's alone, so that not even its absence can be seen."""
    asyncio.run(something_waits(desk))
    store = desk.folder / "store"
    (store / "queue").chmod(0o000)
    for folder in (store, *list(store.parents)[:3]):
        folder.chmod(0o755)

    os.seteuid(65534)
    try:
        with pytest.raises(TransportUnavailable, match="cannot be read"):
            queue_view(store)
    finally:
        os.seteuid(0)
