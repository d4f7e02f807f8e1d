"""`hub queue`: what waits, and what for, as somebody reads it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

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
