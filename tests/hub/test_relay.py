"""What a hub sends on: to next hops that the directory vouches for, in sessions that mails share."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from mailtrust import clock
from mailtrust.core.model.server import Endpoint
from mailtrust.transports.hub import HubSettings, QueueRow
from mailtrust.transports.hub.settings import RelayLimits
from tests.hub.organization import MAIL, NEVER, SOON, Broken, Organization, Running, held
from tests.hub.relaying import BOX, HOP, put_off, rows, send
from tests.hub.servers import scripted
from tests.loopback import LOOPBACK, eventually
from tests.make import HUB1, HUB2


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


async def test_mail_goes_over_ipv6(organization: Organization) -> None:
    await organization.publish(held(HUB1), HOP)
    async with (
        organization.hub(HUB2, binds=(Endpoint("::1", 0),)) as hub2,
        organization.hub(HUB1, routes={HUB2: hub2.endpoint}) as hub1,
    ):
        await send(hub1)
        await hub2.mails_come(BOX)


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


def test_settings_name_the_next_hop_by_domain() -> None:
    one, rest = Endpoint("one.test", 25), Endpoint("rest.test", 25)
    settings = HubSettings(HUB1, (), None, None, routes={HUB2: one, "*": rest})  # type: ignore[arg-type]

    assert (settings.next_hop(HUB2), settings.next_hop("elsewhere.test")) == (one, rest)
