"""What a hub sends on: to next hops that the directory vouches for, again until it is time to give up."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from mailtrust import clock
from mailtrust.core.model.server import Endpoint
from mailtrust.transports.hub import HubSettings, QueueRow, queue_view
from mailtrust.transports.hub.settings import RelayLimits
from tests.hub.organization import MAIL, NEVER, SOON, Broken, Organization, Running, held
from tests.hub.servers import HANG_UP, dripping, scripted, silent
from tests.loopback import LOOPBACK, eventually, free_port
from tests.make import HUB1, HUB2

SENDER = f"sender@{HUB1}"
BOX = f"postmaster@{HUB2}"
OTHER_BOX = f"other@{HUB2}"
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


async def refused(hub: Running) -> QueueRow:
    """The first message that waits: a withdrawal takes a moment to come into force."""
    while True:
        await send(hub)
        await eventually(lambda: hub.hub.waiting() == 0 or any(row.attempts for row in rows(hub)))
        if held_back := rows(hub):
            return held_back[0]


async def test_two_hubs_pass_mail_on(organization: Organization) -> None:
    await organization.publish(held(HUB1), HOP)
    async with (
        organization.hub(HUB2) as hub2,
        organization.hub(HUB1, routes={HUB2: hub2.endpoint}) as hub1,
    ):
        await send(hub1)
        [mail] = await hub2.mails_come(BOX)
        await eventually(lambda: hub1.hub.waiting() == 0)

    assert mail.count(b"\nReceived: ") == 2
    assert b"authenticated as hub1.example.test" in mail
    assert hub1.hub.counters.relayed == hub2.hub.counters.authenticated == 1
    assert hub1.raised == hub2.raised == []


async def test_a_strangers_hop_hears_of_no_mail(organization: Organization) -> None:
    await organization.publish(HOP)
    async with (
        scripted(held(HUB2, "another-key")) as hop,
        organization.hub(HUB1, routes={HUB2: hop.endpoint}, retry=NEVER) as hub1,
    ):
        await send(hub1)
        row = await put_off(hub1)

    stranger = held(HUB2, "another-key").certificate
    assert hop.said("MAIL") == []
    assert row.why.startswith(f"2018 nobody publishes the key of certificate {stranger.fingerprint[:12]}")
    assert row.next_try > clock.now() + timedelta(minutes=50)
    assert hub1.codes == [2018]
    assert hub1.raised[0].place == str(hop.endpoint)
    assert hub1.raised[0].values["fingerprint"] == stranger.fingerprint


async def test_a_fault_on_one_way_out_leaves_the_others_open(organization: Organization) -> None:
    """What met it stays in the queue; mail for here goes on arriving."""
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
    async with (
        scripted(held(HUB2, "another-key")) as hop,
        organization.hub(HUB1, routes={HUB2: hop.endpoint}, retry=NEVER) as hub1,
    ):
        hub1.raised = Broken()
        await send(hub1)
        await eventually(lambda: told)
        await hub1.hub.submit("", (f"postmaster@{HUB1}",), MAIL, clock.now())
        await hub1.mails_come(f"postmaster@{HUB1}")
        # It is in the mailbox first, and out of the queue then.
        await eventually(lambda: hub1.hub.waiting() == 1)

    assert told == [f"delivery to {hop.endpoint} met a fault"]


async def test_two_hubs_that_do_not_know_each_other_wait_until_they_do(organization: Organization) -> None:
    await organization.publish(held(HUB1))
    async with (
        organization.hub(HUB2) as hub2,
        organization.hub(HUB1, routes={HUB2: hub2.endpoint}, retry=NEVER) as hub1,
    ):
        await send(hub1)
        await put_off(hub1)
        assert (hub1.codes, hub2.hub.counters.accepted) == ([2018], 0)
        await organization.publish(HOP)
        await hub1.hub.retry()
        await hub2.mails_come(BOX)

    assert hub2.hub.counters.authenticated == 1


async def test_a_hop_without_tls_hears_of_no_mail(organization: Organization) -> None:
    """Whoever sits between could have taken STARTTLS out of the answer."""
    async with (
        scripted(None) as hop,
        organization.hub(HUB1, routes={HUB2: hop.endpoint}, retry=NEVER) as hub1,
    ):
        await send(hub1)
        row = await put_off(hub1)

    assert hop.said("MAIL") == []
    assert row.why.startswith("2018 TLS is required")


@pytest.mark.parametrize("presenting", [held(HUB2, "another-key"), None])
async def test_in_report_mode_it_goes_out_and_is_counted(
    organization: Organization, presenting: object
) -> None:
    async with (
        scripted(presenting) as hop,  # type: ignore[arg-type]
        organization.hub(HUB1, routes={HUB2: hop.endpoint}, peer_modes={LOOPBACK: "report"}) as hub1,
    ):
        await send(hub1)
        await eventually(lambda: hop.mails)
        await eventually(lambda: hub1.hub.waiting() == 0)

    assert hub1.hub.counters.would_defer == hub1.hub.counters.relayed == 1
    assert hub1.codes == ([2018] if presenting else [])


async def test_a_hop_that_publishes_its_key_gets_the_mail_at_the_next_try(organization: Organization) -> None:
    async with (
        scripted(HOP) as hop,
        organization.hub(HUB1, routes={HUB2: hop.endpoint}, retry=SOON) as hub1,
    ):
        await send(hub1)
        await put_off(hub1)
        await organization.publish(HOP)
        await eventually(lambda: hop.mails)

    assert hub1.codes[0] == 2018


async def test_a_hop_is_asked_for_another_look_at_the_directory_before_it_is_put_off(
    organization: Organization,
) -> None:
    async with (
        scripted(HOP) as hop,
        organization.hub(HUB1, routes={HUB2: hop.endpoint}, retry=NEVER) as hub1,
    ):
        await organization.publish(HOP)
        await send(hub1)
        await eventually(lambda: hop.mails)

    assert hub1.raised == []


async def test_several_mails_share_a_session(organization: Organization) -> None:
    await organization.publish(HOP)
    async with (
        scripted(HOP) as hop,
        organization.hub(
            HUB1, routes={HUB2: hop.endpoint}, relay=RelayLimits(sessions_per_hop=1, messages_per_session=5)
        ) as hub1,
    ):
        for _ in range(10):
            await send(hub1)
        await eventually(lambda: hub1.hub.waiting() == 0)

    assert len(hop.mails) == 10
    assert hop.sessions == 2


async def test_a_slow_hop_gets_no_more_sessions_than_it_may_have(organization: Organization) -> None:
    await organization.publish(HOP)
    async with (
        scripted(HOP) as hop,
        organization.hub(HUB1, routes={HUB2: hop.endpoint}, relay=RelayLimits(sessions_per_hop=3)) as hub1,
    ):
        await asyncio.gather(*(send(hub1) for _ in range(60)))
        await eventually(lambda: hub1.hub.waiting() == 0)

    assert len(hop.mails) == 60
    assert hop.sessions <= 3


async def test_an_idle_session_is_ended_politely(organization: Organization) -> None:
    await organization.publish(HOP)
    limits = RelayLimits(idle_timeout=timedelta(seconds=0.1))
    async with (
        scripted(HOP) as hop,
        organization.hub(HUB1, routes={HUB2: hop.endpoint}, relay=limits) as hub1,
    ):
        await send(hub1)
        await eventually(lambda: hop.said("QUIT"))


async def test_a_session_that_ended_while_it_was_idle_costs_a_mail_nothing(
    organization: Organization,
) -> None:
    """Servers hang up on idle clients; the next mail must not wait for its retry because of that."""
    await organization.publish(HOP)
    async with (
        scripted(HOP, {".": "250 2.0.0 taken\r\n421 4.4.2 idle for too long"}) as hop,
        organization.hub(
            HUB1, routes={HUB2: hop.endpoint}, retry=NEVER, relay=RelayLimits(sessions_per_hop=1)
        ) as hub1,
    ):
        for _ in range(3):
            await send(hub1)
        await eventually(lambda: hub1.hub.waiting() == 0)

    assert len(hop.mails) == 3


async def test_a_withdrawal_holds_for_a_session_that_stands_already(organization: Organization) -> None:
    await organization.publish(HOP, held(HUB1))
    limits = RelayLimits(idle_timeout=timedelta(minutes=1))
    async with (
        scripted(HOP) as hop,
        organization.hub(HUB1, routes={HUB2: hop.endpoint}, relay=limits, retry=NEVER) as hub1,
    ):
        await send(hub1)
        await eventually(lambda: hub1.hub.waiting() == 0)
        await organization.withdraw(HOP)
        row = await refused(hub1)

    assert row.why.startswith("2018 ")


async def test_a_server_is_not_given_more_recipients_than_every_server_takes(
    organization: Organization,
) -> None:
    await organization.publish(HOP)
    async with (
        scripted(HOP) as hop,
        organization.hub(HUB1, routes={HUB2: hop.endpoint}) as hub1,
    ):
        await send(hub1, *(f"box{number}@{HUB2}" for number in range(250)))
        await eventually(lambda: hub1.hub.waiting() == 0)

    assert len(hop.mails) == 3
    assert len(set(hop.said("RCPT"))) == len(hop.said("RCPT")) == 250


async def test_a_new_certificate_of_ours_is_shown_in_the_next_session(organization: Organization) -> None:
    await organization.publish(held(HUB1), held(HUB1, "renewed"), HOP)
    async with (
        organization.hub(HUB2) as hub2,
        organization.hub(HUB1, routes={HUB2: hub2.endpoint}) as hub1,
    ):
        await send(hub1)
        await hub2.mails_come(BOX)
        await organization.withdraw(held(HUB1))
        hub1.current = held(HUB1, "renewed")
        await send(hub1)
        await hub2.mails_come(BOX, 2)

    assert hub2.hub.counters.authenticated == 2


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


async def test_mail_goes_over_ipv6(organization: Organization) -> None:
    await organization.publish(held(HUB1), HOP)
    async with (
        organization.hub(HUB2, binds=(Endpoint("::1", 0),)) as hub2,
        organization.hub(HUB1, routes={HUB2: hub2.endpoint}) as hub1,
    ):
        await send(hub1)
        await hub2.mails_come(BOX)


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


async def test_a_large_mail_goes_the_same_way(organization: Organization) -> None:
    """Above a limit its content is a file beside the queue."""
    await organization.publish(held(HUB1), HOP)
    content = MAIL + b"0123456789abcdef\r\n" * 200_000
    async with (
        organization.hub(HUB2) as hub2,
        organization.hub(HUB1, routes={HUB2: hub2.endpoint}) as hub1,
    ):
        await send(hub1, content=content)
        [mail] = await hub2.mails_come(BOX)
        await eventually(lambda: hub1.hub.waiting() == hub2.hub.waiting() == 0)

    assert mail.endswith(content)
    assert list((hub1.settings.store / "queue" / "large").iterdir()) == []


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


def test_settings_name_the_next_hop_by_domain() -> None:
    one, rest = Endpoint("one.test", 25), Endpoint("rest.test", 25)
    settings = HubSettings(HUB1, (), None, None, routes={HUB2: one, "*": rest})  # type: ignore[arg-type]

    assert (settings.next_hop(HUB2), settings.next_hop("elsewhere.test")) == (one, rest)
