"""Mail that a hub is given to send on, and what of it waits."""

from __future__ import annotations

from mailtrust import clock
from mailtrust.transports.hub import QueueRow, queue_view
from tests.hub.organization import MAIL, Running, held
from tests.loopback import eventually
from tests.make import HUB1, HUB2

SENDER = f"sender@{HUB1}"
BOX = f"postmaster@{HUB2}"
HOP = held(HUB2)
ELSEWHERE = "postmaster@elsewhere.test"


async def send(hub: Running, *recipients: str, sender: str = SENDER, content: bytes = MAIL) -> str:
    return await hub.hub.submit(sender, recipients or (BOX,), content, clock.now())


def rows(hub: Running) -> tuple[QueueRow, ...]:
    return tuple(queue_view(hub.settings.store))


async def put_off(hub: Running) -> QueueRow:
    """The one row of the queue, once it was tried."""
    await eventually(lambda: rows(hub) and rows(hub)[0].attempts, "an attempt")
    [row] = rows(hub)
    return row
