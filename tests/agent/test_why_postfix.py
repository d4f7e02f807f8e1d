"""`why` where Postfix is the transport: its real queue, its real words, and both directions told apart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mailtrust.core.model.server import Endpoint
from mailtrust.core.why import Complaint
from mailtrust.transports.postfix.queue_read import postfix_queue
from tests import postfix
from tests.agent.night import Night, night
from tests.hub.organization import Held, held
from tests.loopback import LOOPBACK, eventually, free_port
from tests.make import HUB1, HUB2

pytestmark = postfix.MARKS


def pin(one: Held) -> str:
    """As Postfix's tables have it."""
    digits = one.certificate.pin
    return ":".join(digits[at : at + 2] for at in range(0, 64, 2))


@asynccontextmanager
async def with_postfix(
    folder: Path, believed: Held | None, *, listed: bool = True, elsewhere: str = ""
) -> AsyncIterator[tuple[Night, postfix.Postfix]]:
    """
    hub1 is a Postfix, whose mail for hub2 goes to a hub; whose policy believes *believed*.

    Its configuration has that next hop if it is *listed*; else *elsewhere* for hub2, if anything.
    """
    peer = Endpoint(LOOPBACK, free_port())
    hop = f"[{peer.host}]:{peer.port}"
    rows = {hop: f"fingerprint match={pin(believed)}"} if believed is not None else {}
    with postfix.folder() as place, postfix.started(
        place / "mx1", chain=postfix.chain_pem(HUB1), name=HUB1, trusting=True,
        routes={HUB2: f"hub:{hop}"}, tables={"relay_clientcerts": {}, "tls_policy": rows},
    ) as mx1:  # fmt: skip
        more = f'postfix = "{mx1.config}"\n'
        if listed or elsewhere:
            more += f'next_hops = {{"{hop if listed else elsewhere}" = ["{HUB2}"]}}\n'
        async with night(folder, kind="postfix", transport=more, peer=peer) as tonight:
            await tonight.publish(held(HUB2))
            await tonight.peer_hub()
            yield tonight, mx1


async def sent(mx1: postfix.Postfix, says: str) -> None:
    await asyncio.to_thread(mx1.send, f"b@{HUB2}")
    await asyncio.to_thread(mx1.says, "status=deferred", says)
    # It is in the log before the message lies in the queue of what waits, with its reason.
    await eventually(lambda: all(one.complaint is not Complaint.UNTRIED for one in postfix_queue(mx1.config)))


async def test_the_next_hop_refuses_our_postfix(tmp_path: Path) -> None:
    """Its chain file was put there by hand, and nobody published what is in it."""
    async with with_postfix(tmp_path, held(HUB2)) as (tonight, mx1):
        await tonight.enabled()
        await sent(mx1, "1036")

        answer = await tonight.why()

    assert answer["blocked"]["complaint"] == "they-refuse"
    assert (answer["direction"], answer["owner"]) == ("they-refuse-us", "this-host")
    assert (answer["conclusion"], answer["command"]) == ("ours-unknown", "mailtrust list")


async def test_our_postfix_refuses_the_next_hop_by_tables_of_yesterday(tmp_path: Path) -> None:
    async with with_postfix(tmp_path, held(HUB2, "old")) as (tonight, mx1):
        await tonight.enabled()
        await sent(mx1, "Server certificate not verified")

        answer = await tonight.why(None)

    assert (answer["blocked"]["complaint"], answer["blocked"]["messages"]) == ("we-refuse", 1)
    assert (answer["conclusion"], answer["owner"]) == ("our-picture", "this-host")
    assert answer["command"] == "mailtrust postfix compile"
    assert answer["peer"] == HUB2


async def test_a_next_hop_that_the_configuration_does_not_list(tmp_path: Path) -> None:
    async with with_postfix(tmp_path, None, listed=False) as (tonight, mx1):
        await tonight.enabled()
        await sent(mx1, "client TLS configuration problem")

        answer = await tonight.why(HUB2)

    assert (answer["conclusion"], answer["owner"]) == ("hop-not-listed", "this-host")
    assert str(tonight.peer.port) in answer["message"]


async def test_a_server_that_mail_waits_for_is_fine_by_no_other_next_hop(tmp_path: Path) -> None:
    async with with_postfix(tmp_path, None, listed=False, elsewhere="[127.0.0.2]:2525") as (tonight, mx1):
        await tonight.enabled()
        await sent(mx1, "client TLS configuration problem")

        answer = await tonight.why(None)

    assert answer["conclusion"] == "hop-not-listed"
    assert f"Nothing waits for {HUB2}" not in (screen := tonight.screen()), screen
    assert "Nothing waits for" not in screen


async def test_a_queue_that_cannot_be_read_is_told_and_the_rest_is_answered(tmp_path: Path) -> None:
    async with night(tmp_path, kind="postfix", transport=f'postfix = "{tmp_path}/nowhere"') as tonight:
        await tonight.enabled()
        await tonight.publish(held(HUB2))
        await tonight.peer_hub()

        answer = await tonight.why()

    assert answer["conclusion"] == "nothing-seen"
    assert any("the queue could not be looked at" in one for one in answer["unseen"])
