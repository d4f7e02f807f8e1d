"""What a hub could not send on yet: again until it is time to give up, and what becomes of it then."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from mailtrust import clock
from mailtrust.core.model.server import Endpoint
from mailtrust.transports.hub import queue_view
from mailtrust.transports.hub.settings import RelayLimits
from tests.hub.organization import MAIL, NEVER, SOON, Organization, held
from tests.hub.relaying import BOX, ELSEWHERE, HOP, SENDER, put_off, rows, send
from tests.hub.servers import HANG_UP, dripping, scripted, silent
from tests.loopback import LOOPBACK, eventually, free_port
from tests.make import HUB1, HUB2

OTHER_BOX = f"other@{HUB2}"


async def test_a_hop_that_is_down_is_tried_again(organization: Organization) -> None:
    await organization.publish(held(HUB1), HOP)
    port = free_port()
    async with organization.hub(HUB1, routes={HUB2: Endpoint(LOOPBACK, port)}, retry=SOON) as hub1:
        await send(hub1)
        row = await put_off(hub1)
        async with organization.hub(HUB2, port=port) as hub2:
            await hub2.mails_come(BOX)

    assert row.why.startswith(f"cannot connect to {LOOPBACK}:{port}: ")


async def test_a_hop_that_is_down_is_knocked_at_once_for_all_its_mail(organization: Organization) -> None:
    async with (
        scripted(None, {"EHLO": HANG_UP}) as hop,
        organization.hub(HUB1, routes={HUB2: hop.endpoint}, retry=NEVER) as hub1,
    ):
        await asyncio.gather(*(send(hub1) for _ in range(300)))
        await eventually(lambda: all(row.attempts for row in rows(hub1)))
        assert {row.why.partition(" without")[0] for row in rows(hub1)} == {
            "the server closed the connection"
        }

    assert hop.sessions == 1


async def test_one_hop_that_is_down_does_not_hold_up_another(organization: Organization) -> None:
    await organization.publish(HOP)
    async with (
        scripted(HOP) as hop,
        silent() as dead,
        organization.hub(HUB1, routes={"elsewhere.test": dead, HUB2: hop.endpoint}, retry=NEVER) as hub1,
    ):
        for _ in range(20):
            await send(hub1, ELSEWHERE)
        await send(hub1)
        await eventually(lambda: hop.mails)


async def test_each_recipient_has_its_own_fate(organization: Organization) -> None:
    await organization.publish(HOP)
    async with (
        scripted(HOP, {"RCPT": "550 5.1.1 no such mailbox"}) as hop,
        organization.hub(HUB1, routes={HUB2: hop.endpoint}) as hub1,
    ):
        await send(hub1, BOX, f"here@{HUB1}")
        [report] = await hub1.mails_come(SENDER)
        await hub1.mails_come(f"here@{HUB1}")
        await eventually(lambda: hub1.hub.waiting() == 0)

    assert b"Final-Recipient: rfc822; postmaster@hub2.example.test" in report
    assert b"Status: 5.1.1" in report
    assert b"550 5.1.1 no such mailbox" in report
    assert hub1.hub.counters.bounced == 1
    assert hub1.hub.counters.delivered == 2


async def test_what_waited_too_long_comes_back_to_its_sender(organization: Organization) -> None:
    async with organization.hub(
        HUB1,
        routes={HUB2: Endpoint(LOOPBACK, free_port())},
        retry=SOON,
        queue_lifetime=timedelta(seconds=0.5),
    ) as hub1:
        await send(hub1)
        [report] = await hub1.mails_come(SENDER)
        await eventually(lambda: hub1.hub.waiting() == 0)

    assert b"Status: 4.4.7" in report
    assert b"it was tried for too long; the last time, cannot connect to" in report


async def test_after_days_by_the_clock_a_mail_is_given_up(organization: Organization) -> None:
    """The clock is moved; nobody waits five days here."""
    skipped = timedelta(0)

    def now() -> datetime:
        return clock.now() + skipped

    async with organization.hub(
        HUB1, routes={HUB2: Endpoint(LOOPBACK, free_port())}, retry=NEVER, now=now
    ) as hub1:
        await send(hub1)
        await put_off(hub1)
        skipped = timedelta(days=5, hours=1)
        await hub1.hub.retry()
        [report] = await hub1.mails_come(SENDER)

    assert b"Status: 4.4.7" in report


async def test_nobody_is_told_about_a_report_that_cannot_be_delivered(organization: Organization) -> None:
    """Else two broken servers would answer each other's reports for ever."""
    await organization.publish(HOP)
    async with (
        scripted(HOP, {"RCPT": "550 5.1.1 no such mailbox"}) as hop,
        organization.hub(HUB1, routes={HUB2: hop.endpoint}) as hub1,
    ):
        await send(hub1, sender="")
        await eventually(lambda: hub1.hub.counters.bounced)
        await eventually(lambda: hub1.hub.waiting() == 0)

    assert hub1.hub.counters.accepted == hub1.hub.counters.delivered == 0


async def test_a_temporary_answer_keeps_the_mail_and_its_words(organization: Organization) -> None:
    await organization.publish(HOP)
    async with (
        scripted(HOP, {"MAIL": "454 4.7.1 1036 nobody publishes the key"}) as hop,
        organization.hub(HUB1, routes={HUB2: hop.endpoint}, retry=NEVER) as hub1,
    ):
        await send(hub1)
        row = await put_off(hub1)

    assert row == replace(
        row, sender=SENDER, recipients=(BOX,), attempts=1, hop=str(hop.endpoint),
        last_reply="454 4.7.1 1036 nobody publishes the key",
    )  # fmt: skip


async def test_a_hop_that_breaks_off_keeps_its_mail_waiting(organization: Organization) -> None:
    await organization.publish(HOP)
    async with (
        scripted(HOP, {".": HANG_UP}) as hop,
        organization.hub(HUB1, routes={HUB2: hop.endpoint}, retry=NEVER) as hub1,
    ):
        await send(hub1)
        row = await put_off(hub1)

    assert row.last_reply == ""
    assert "closed the connection" in row.why


async def test_a_hop_that_drips_its_answers_does_not_hold_its_mail_for_ever(
    organization: Organization,
) -> None:
    """Bytes that make no reply earn no more time, else its mail would neither arrive nor come back."""
    relay = RelayLimits(reply_timeout=timedelta(seconds=0.5))
    async with (
        dripping() as hop,
        organization.hub(HUB1, routes={HUB2: hop}, retry=NEVER, relay=relay) as hub1,
    ):
        await send(hub1)
        row = await put_off(hub1)

    assert row.why == "the server gave no banner"


async def test_mail_in_a_circle_ends(organization: Organization) -> None:
    await organization.publish(held(HUB1), HOP)
    ports = free_port(), free_port()
    circle: dict[str, object] = {"routes": {"*": Endpoint(LOOPBACK, ports[1])}, "retry": SOON}
    async with (
        organization.hub(HUB1, port=ports[0], **circle) as hub1,
        organization.hub(HUB2, port=ports[1], routes={"*": Endpoint(LOOPBACK, ports[0])}),
    ):
        await send(hub1, ELSEWHERE)
        [report] = await hub1.mails_come(SENDER)

    assert b"it is in a loop" in report


async def test_mail_without_a_route_waits_for_one(organization: Organization) -> None:
    await organization.publish(held(HUB1), HOP)
    async with organization.hub(HUB1) as hub1:
        await send(hub1)
        row = await put_off(hub1)
        assert hub1.hub.waiting() == 1
    async with (
        organization.hub(HUB2) as hub2,
        organization.hub(HUB1, routes={HUB2: hub2.endpoint}) as hub1,
    ):
        await hub1.hub.retry()
        await hub2.mails_come(BOX)

    assert (row.hop, row.why.partition(";")[0]) == ("", "no route leads there")


async def test_the_queue_tells_another_process_what_waits(organization: Organization) -> None:
    async with organization.hub(HUB1, routes={HUB2: Endpoint(LOOPBACK, free_port())}, retry=NEVER) as hub1:
        before = clock.now()
        name = await send(hub1, BOX, OTHER_BOX)
        row = await put_off(hub1)
        assert queue_view(hub1.settings.store / "nowhere") == ()

    assert (row.id, row.sender, row.recipients) == (name, SENDER, (BOX, OTHER_BOX))
    assert row.size_bytes > len(MAIL)
    assert abs(row.accepted_at - before) < timedelta(seconds=5)


async def test_what_is_due_is_found_behind_more_than_one_load(organization: Organization) -> None:
    """The queue is read in pieces; a full piece for one hop must not hide what lies behind it."""
    await organization.publish(HOP)
    async with (
        scripted(HOP) as hop,
        organization.hub(HUB1, routes={"elsewhere.test": hop.endpoint}) as hub1,
    ):
        await asyncio.gather(*(send(hub1, ELSEWHERE) for _ in range(1200)), send(hub1, SENDER))
        await hub1.mails_come(SENDER)
        await eventually(lambda: hub1.hub.waiting() == 0)

    assert len(hop.mails) == 1200
