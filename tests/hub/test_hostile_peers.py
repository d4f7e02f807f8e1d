"""What a hostile peer tries ends in a reply or a closed connection, and nobody else notices it."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from mailtrust import clock
from mailtrust.core.model.server import ServerName
from mailtrust.transports.hub import queue_view
from mailtrust.transports.hub.settings import HubLimits
from tests.hub.organization import MAIL, NEVER, Broken, Held, Organization, Peer, Running, held
from tests.hub.servers import scripted
from tests.loopback import eventually
from tests.make import HUB1, HUB2, a_key, half_readable

BOX = f"postmaster@{HUB1}"
PEER = held(HUB2)
PROMPT = timedelta(seconds=0.3)


@pytest.fixture(autouse=True)
async def _published(organization: Organization) -> None:
    await organization.publish(PEER)


async def others_are_served(hub: Running) -> bool:
    """An honest peer gets its mail through."""
    async with Peer.meets(hub.endpoint, PEER) as session:
        return (await session.mails(BOX)).startswith("250")


async def everything_until_the_end(session: Peer) -> str:
    async with asyncio.timeout(20):
        return (await session.reader.read()).decode()


async def test_an_endless_line_ends_the_session(organization: Organization) -> None:
    async with organization.hub() as hub1, Peer.meets(hub1.endpoint, tls=False) as session:
        session.sends(b"A" * 100_000)
        assert (await session.reply()).startswith("500 5.5.2")
        assert await others_are_served(hub1)
        # uvloop says RuntimeError where asyncio says nothing.
        with suppress(ConnectionError, RuntimeError):
            for _ in range(50):
                session.sends(b"A" * 100_000)
                await session.writer.drain()
        with suppress(ConnectionError):
            await everything_until_the_end(session)
        await eventually(lambda: hub1.hub.connections() == 0)


async def test_a_command_behind_starttls_in_one_packet_is_not_obeyed(organization: Organization) -> None:
    """What came in the clear may be an attacker's (CVE-2011-0411)."""
    async with organization.hub() as hub1, Peer.meets(hub1.endpoint, tls=False) as session:
        session.sends(f"STARTTLS\r\nMAIL FROM:<>\r\nRCPT TO:<{BOX}>\r\n".encode())
        heard = await everything_until_the_end(session)
        assert await others_are_served(hub1)

    assert heard == "503 5.5.1 nothing may follow STARTTLS before the handshake\r\n"


async def test_a_message_hidden_behind_a_bare_line_feed_is_refused(organization: Organization) -> None:
    """SMTP smuggling: elsewhere LF . CRLF ends a message, and a second one follows that nobody judged."""
    hidden = b"\n.\r\nMAIL FROM:<forged@example.test>\r\nRCPT TO:<x@example.test>\r\nDATA\r\nforged\r\n"
    async with organization.hub() as hub1, Peer.meets(hub1.endpoint, PEER) as session:
        assert (await session.mails(BOX, content=MAIL + hidden)).startswith("554 5.6.0")
        assert (await session.mails(BOX)).startswith("250")
        assert len(await hub1.mails_come(BOX)) == 1

    assert hub1.hub.counters.accepted == hub1.hub.counters.refused == 1


async def test_byte_by_byte_is_served_like_anybody(organization: Organization) -> None:
    async with organization.hub() as hub1, Peer.meets(hub1.endpoint, PEER) as session:
        talk = f"MAIL FROM:<>\r\nRCPT TO:<{BOX}>\r\nDATA\r\n".encode() + MAIL + b".\r\n"
        for at in range(len(talk)):
            session.sends(talk[at : at + 1])
            await session.writer.drain()
            await asyncio.sleep(0)
        replies = [(await session.reply())[:3] for _ in range(4)]

    assert replies == ["250", "250", "354", "250"]


async def test_a_dripping_peer_is_ended_when_its_time_is_over(organization: Organization) -> None:
    """Bytes without an end of line are no command: they do not start the clock again."""
    limits = HubLimits(command_timeout=PROMPT)
    async with organization.hub(limits=limits) as hub1, Peer.meets(hub1.endpoint, tls=False) as session:

        async def drip() -> None:
            while True:
                session.sends(b"N")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        # Not until the end: what drips into a closed connection is answered with a reset.
        heard = await session.reply()
        dripping.cancel()

    assert heard.startswith("421 4.4.2")


async def test_a_silent_peer_is_ended(organization: Organization) -> None:
    limits = HubLimits(command_timeout=PROMPT)
    async with organization.hub(limits=limits) as hub1, Peer.meets(hub1.endpoint, PEER) as session:
        heard = await everything_until_the_end(session)

    assert heard.startswith("421 4.4.2")


async def test_a_handshake_that_never_ends_is_ended(organization: Organization) -> None:
    limits = HubLimits(handshake_timeout=PROMPT)
    async with organization.hub(limits=limits) as hub1, Peer.meets(hub1.endpoint, tls=False) as session:
        assert (await session.says("STARTTLS")).startswith("220")
        session.sends(b"\x16\x03\x01")
        assert await everything_until_the_end(session) == ""
        assert await others_are_served(hub1)


async def test_garbage_instead_of_a_handshake_ends_the_session(organization: Organization) -> None:
    async with organization.hub() as hub1, Peer.meets(hub1.endpoint, tls=False) as session:
        await session.says("STARTTLS")
        session.sends(b"EHLO peer.example.test\r\n")
        async with asyncio.timeout(20):
            await session.reader.read()
        assert await others_are_served(hub1)


async def banner_of(hub: Running) -> str:
    reader, writer = await asyncio.open_connection(hub.endpoint.host, hub.endpoint.port)
    banner = await reader.readline()
    writer.transport.abort()
    return banner.decode()


async def test_too_many_connections_are_sent_away_and_the_others_stay(organization: Organization) -> None:
    limits = HubLimits(connections=50, connections_per_address=50)
    async with organization.hub(limits=limits) as hub1, AsyncExitStack() as crowd:
        first = await crowd.enter_async_context(Peer.meets(hub1.endpoint, PEER))
        for _ in range(49):
            await crowd.enter_async_context(Peer.meets(hub1.endpoint, tls=False))
        # At once: whom a short backlog drops would wait for his banner in vain.
        async with asyncio.timeout(20):
            banners = await asyncio.gather(*(banner_of(hub1) for _ in range(1000)))
        assert (await first.mails(BOX)).startswith("250")
        assert hub1.hub.connections() == 50
        await crowd.aclose()
        await eventually(lambda: hub1.hub.connections() == 0)
        assert await others_are_served(hub1)

    assert {one[:9] for one in banners} == {"421 4.7.0"}
    assert hub1.hub.counters.deferred == len(banners) == 1000


async def test_one_address_cannot_take_every_connection(organization: Organization) -> None:
    limits = HubLimits(connections=50, connections_per_address=2)
    async with (
        organization.hub(limits=limits) as hub1,
        Peer.meets(hub1.endpoint, tls=False),
        Peer.meets(hub1.endpoint, tls=False),
    ):
        reader, writer = await asyncio.open_connection(hub1.endpoint.host, hub1.endpoint.port)
        assert (await reader.readline()).startswith(b"421 4.7.0")
        writer.transport.abort()
        _, other = await asyncio.open_connection(
            hub1.endpoint.host, hub1.endpoint.port, local_addr=("127.0.0.2", 0)
        )
        other.transport.abort()
        await asyncio.sleep(0)


async def test_a_message_above_the_size_is_refused(organization: Organization) -> None:
    async with organization.hub(message_size_bytes=1000) as hub1:
        async with Peer.meets(hub1.endpoint, PEER) as session:
            assert (await session.says("MAIL FROM:<> SIZE=1001")).startswith("552 5.3.4")
            assert (await session.mails(BOX, content=MAIL + b"x" * 1000 + b"\r\n")).startswith("552 5.3.4")
            assert (await session.mails(BOX)).startswith("250")
        await hub1.mails_come(BOX)

    assert hub1.hub.counters.accepted == 1


async def test_too_many_recipients_are_put_off_and_the_first_ones_served(organization: Organization) -> None:
    limits = HubLimits(recipients=3)
    async with organization.hub(limits=limits) as hub1, Peer.meets(hub1.endpoint, PEER) as session:
        await session.says("MAIL FROM:<>")
        answers = [await session.says(f"RCPT TO:<box{number}@{HUB1}>") for number in range(5)]
        await session.says("DATA")
        assert (await session.says("Hello.", ".")).startswith("250")
        await hub1.mails_come(f"box2@{HUB1}")

    assert [answer[:9] for answer in answers] == ["250 2.1.5"] * 3 + ["452 4.5.3"] * 2


async def test_a_message_in_a_loop_is_refused(organization: Organization) -> None:
    postmarks = b"Received: from a by b\r\n" * 51
    async with organization.hub() as hub1, Peer.meets(hub1.endpoint, PEER) as session:
        assert (await session.mails(BOX, content=postmarks + MAIL)).startswith("554 5.4.6")
        assert (await session.mails(BOX, content=postmarks[: len(postmarks) * 40 // 51] + MAIL)).startswith(
            "250"
        )


async def test_too_many_mistakes_end_the_session(organization: Organization) -> None:
    async with organization.hub() as hub1, Peer.meets(hub1.endpoint, tls=False) as session:
        session.sends(b"NONSENSE\r\n" * 100)
        heard = await everything_until_the_end(session)

    assert heard.count("500 ") <= 11
    assert re.search(r"^421 4\.7\.0 ", heard, re.MULTILINE)


async def test_a_trusted_peer_still_gets_no_open_relay(organization: Organization) -> None:
    async with organization.hub() as hub1, Peer.meets(hub1.endpoint, PEER) as session:
        assert (await session.mails("a@elsewhere.test")).startswith("550 5.7.1")


@pytest.mark.parametrize("address", ["../../etc/passwd", "a/../../b", ".hidden", '"a b"', "postmaster"])
async def test_no_address_leads_out_of_the_mailboxes(organization: Organization, address: str) -> None:
    async with organization.hub() as hub1, Peer.meets(hub1.endpoint, PEER) as session:
        assert (await session.mails(f"{address}@{HUB1}")).startswith("250")
        await eventually(lambda: hub1.hub.counters.delivered)

    root = hub1.settings.maildir / HUB1
    assert [one.parents[2] for one in hub1.settings.maildir.rglob("new/*")] == [root]


async def test_half_a_message_is_no_message(organization: Organization) -> None:
    async with organization.hub() as hub1:
        async with Peer.meets(hub1.endpoint, PEER) as session:
            await session.says("MAIL FROM:<>")
            await session.says(f"RCPT TO:<{BOX}>")
            await session.says("DATA")
            session.sends(MAIL)
            await session.writer.drain()
        assert await others_are_served(hub1)
        await hub1.mails_come(BOX)

    assert hub1.hub.counters.accepted == 1


HALF_READABLE = [Held(a_key("a", "p256"), replace(PEER.certificate, der=one)) for one in half_readable()]


@pytest.mark.parametrize("odd", HALF_READABLE, ids=["x400-address", "same-extension-twice"])
async def test_a_certificate_that_cannot_be_read_is_deferred(organization: Organization, odd: Held) -> None:
    async with organization.hub() as hub1:
        async with Peer.meets(hub1.endpoint, odd) as session:
            answer = await session.mails(BOX)
        assert await others_are_served(hub1)

    assert re.match(r"454 4\.7\.1 1036 the certificate [0-9a-f]{12} cannot be read", answer)
    assert hub1.codes == [1036]


@pytest.mark.parametrize("odd", HALF_READABLE, ids=["x400-address", "same-extension-twice"])
async def test_a_next_hop_with_a_certificate_that_cannot_be_read_gets_no_mail(
    organization: Organization, odd: Held
) -> None:
    async with (
        scripted(odd) as hop,
        organization.hub(routes={HUB2: hop.endpoint}, retry=NEVER) as hub1,
    ):
        await hub1.hub.submit(BOX, [f"postmaster@{HUB2}"], MAIL, clock.now())
        await eventually(lambda: [row for row in queue_view(hub1.settings.store) if row.attempts])
        assert await others_are_served(hub1)
        rows = queue_view(hub1.settings.store)

    assert "cannot be read" in rows[0].why
    assert hop.said("MAIL") == []


@pytest.mark.parametrize("odd", HALF_READABLE, ids=["x400-address", "same-extension-twice"])
async def test_a_published_certificate_that_cannot_be_read_costs_nobody_else_his_mail(
    organization: Organization, odd: Held
) -> None:
    """Every hub reads the whole directory: one bad value must not stop them all."""
    async with organization.hub() as hub1:
        await organization.replica.publish(ServerName(HUB1), odd.certificate.der, clock.now())
        assert await others_are_served(hub1)
        async with Peer.meets(hub1.endpoint, odd) as session:
            assert (await session.mails(BOX)).startswith("454 4.7.1 1036")
        assert await others_are_served(hub1)


async def test_a_fault_met_in_one_connection_ends_that_one_only(organization: Organization) -> None:
    """Whatever we did not foresee, the other peers' mail goes on; the loop's handler is told."""
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
    stranger = held("stranger.example.test")
    async with organization.hub() as hub1:
        hub1.raised = Broken()
        async with Peer.meets(hub1.endpoint, stranger) as session:
            with suppress(ConnectionError, AssertionError):
                await session.says("MAIL FROM:<>")
            assert await everything_until_the_end(session) is not None
        assert await others_are_served(hub1)

    assert told == ["the connection from 127.0.0.1 met a fault"]
