"""A hub starts with a clear word about what keeps it from it, and stops without losing anything."""

from __future__ import annotations

import asyncio
import socket

import pytest

from mailtrust import clock
from mailtrust.core.model.server import Endpoint
from mailtrust.errors import BadInput, TransportUnavailable
from mailtrust.transports.hub import queue_view
from tests.hub.organization import MAIL, NEVER, Organization, Peer, held
from tests.hub.servers import silent
from tests.loopback import LOOPBACK, PATIENCE, free_port
from tests.make import HUB1, HUB2

BOX = f"postmaster@{HUB1}"
PEER = held(HUB2)


async def test_a_port_in_use_is_said(organization: Organization) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TransportUnavailable) as refused:
            async with organization.hub(port=port):
                pass

    assert (
        refused.value.message == f"the hub cannot listen on {LOOPBACK}:{port}: another program listens there"
    )
    assert refused.value.hint


async def test_a_low_port_that_is_forbidden_is_said(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests run as root as well, so the kernel's answer is put in its mouth."""

    def forbidden(*_: object, **__: object) -> socket.socket:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "create_server", forbidden)
    with pytest.raises(TransportUnavailable, match="may not bind a port below 1024") as refused:
        async with organization.hub(port=25):
            pass

    assert "CAP_NET_BIND_SERVICE" in refused.value.hint


async def test_an_address_of_another_host_is_said(organization: Organization) -> None:
    with pytest.raises(TransportUnavailable, match="this host has no such address"):
        async with organization.hub(binds=(Endpoint("192.0.2.1", 2525),)):
            pass


async def test_two_hubs_do_not_share_a_queue(organization: Organization) -> None:
    async with organization.hub():
        with pytest.raises(TransportUnavailable, match="another hub uses the queue"):
            async with organization.hub():
                pass


async def test_a_failed_start_lets_go_of_everything(organization: Organization) -> None:
    port = free_port()
    (organization.folder / HUB1).write_text("in the way of the queue's folder")
    with pytest.raises(TransportUnavailable):
        async with organization.hub(port=port):
            pass
    (organization.folder / HUB1).unlink()
    async with organization.hub(port=port) as hub1:
        assert hub1.endpoint.port == port


async def test_a_start_that_is_broken_off_lets_go_of_everything(organization: Organization) -> None:
    """As by Ctrl-C while the directory does not answer."""
    port = free_port()

    class Frozen:
        url = "sqlite:///srv/frozen.db"

        async def column(self, *_: object) -> object:
            asked.set()
            return await asyncio.Event().wait()

    async def begin() -> None:
        async with organization.hub(port=port, home=Frozen()):
            pass

    asked = asyncio.Event()
    starting = asyncio.create_task(begin())
    await asked.wait()
    starting.cancel()
    await asyncio.wait((starting,))

    async with organization.hub(port=port) as hub1:
        assert hub1.endpoint.port == port


async def test_stopping_is_told_to_whoever_is_connected(organization: Organization) -> None:
    async with organization.hub() as hub1, Peer.meets(hub1.endpoint, tls=False) as session:
        endpoint = hub1.endpoint
        await hub1.hub.stop()
        assert (await session.reply()).startswith("421 4.3.2")
        assert hub1.hub.bound == ()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(endpoint.host, endpoint.port)


async def test_a_message_that_is_half_received_may_be_finished(organization: Organization) -> None:
    await organization.publish(PEER)
    async with organization.hub() as hub1, Peer.meets(hub1.endpoint, PEER) as session:
        for command in ("MAIL FROM:<>", f"RCPT TO:<{BOX}>", "DATA"):
            await session.says(command)
        stopping = asyncio.create_task(hub1.hub.stop())
        await asyncio.sleep(0.1)
        session.sends(MAIL + b".\r\n")
        assert (await session.reply()).startswith("250 2.0.0 queued")
        assert (await session.reply()).startswith("421 4.3.2")
        await stopping
    async with organization.hub() as hub1:
        await hub1.mails_come(BOX)


async def test_stopping_waits_for_nobody_for_long(organization: Organization) -> None:
    """Neither for a peer that never ends its message, nor for a next hop that never answers."""
    await organization.publish(PEER)
    async with (
        silent() as dead,
        organization.hub(routes={"elsewhere.test": dead}) as hub1,
        Peer.meets(hub1.endpoint, PEER) as session,
    ):
        for command in ("MAIL FROM:<>", f"RCPT TO:<{BOX}>", "DATA"):
            await session.says(command)
        await hub1.hub.submit("", ["a@elsewhere.test"], MAIL, clock.now())
        async with asyncio.timeout(PATIENCE / 2):
            await hub1.hub.stop()


async def test_what_waits_is_there_after_a_restart(organization: Organization) -> None:
    route = {HUB2: Endpoint(LOOPBACK, free_port())}
    async with organization.hub(routes=route, retry=NEVER) as hub1:
        await hub1.hub.submit("", [f"postmaster@{HUB2}"], MAIL, clock.now())
        assert hub1.hub.waiting() == 1
        folder = hub1.settings.store
    assert [row.recipients for row in queue_view(folder)] == [(f"postmaster@{HUB2}",)]
    async with organization.hub(routes=route, retry=NEVER) as hub1:
        assert hub1.hub.waiting() == 1


async def test_a_stopped_hub_takes_no_mail_from_inside(organization: Organization) -> None:
    async with organization.hub() as hub1:
        pass
    with pytest.raises(TransportUnavailable, match="not running"):
        await hub1.hub.submit("", [BOX], MAIL, clock.now())


@pytest.mark.parametrize("recipients", [["no address"], ["a@b> SIZE=1"], ["ü@example.test"], [""], []])
async def test_an_address_that_smtp_cannot_carry_is_said_at_once(
    organization: Organization, recipients: list[str]
) -> None:
    async with organization.hub() as hub1:
        with pytest.raises(BadInput):
            await hub1.hub.submit("", recipients, MAIL, clock.now())
        assert hub1.hub.waiting() == 0


async def test_line_ends_are_mended_on_the_way_in(organization: Organization) -> None:
    async with organization.hub() as hub1:
        await hub1.hub.submit("", [BOX, BOX], b"Subject: x\n\nHello.\n", clock.now())
        [mail] = await hub1.mails_come(BOX)

    assert mail.endswith(b"\r\nSubject: x\r\n\r\nHello.\r\n")


async def test_the_mailboxes_are_nobody_elses_to_read(organization: Organization) -> None:
    async with organization.hub() as hub1:
        await hub1.hub.submit("", [BOX], MAIL, clock.now())
        await hub1.mails_come(BOX)
    store = hub1.settings.store
    private = [store / "queue", store / "queue" / "queue.db", store / "mail" / HUB1 / "postmaster" / "new"]

    assert [oct(one.stat().st_mode & 0o077) for one in private] == ["0o0"] * 3
