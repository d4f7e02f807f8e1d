"""Mail followed to real Postfixes, and by their own tables."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailtrust.agent.site import open_site
from mailtrust.config import load
from mailtrust.core.flow import State, Verdict
from mailtrust.core.flow.stages import Stage
from mailtrust.core.model.server import Endpoint
from mailtrust.lab.middlebox import TLS_VERBS, Conduct, middlebox
from tests import postfix
from tests.agent.flow_desk import desk, failing
from tests.hub.organization import held
from tests.loopback import LOOPBACK
from tests.make import HUB1, HUB2
from tests.postfix import Postfix, by_postmap, chain_pem

pytestmark = [*postfix.MARKS, pytest.mark.xdist_group("postfix")]


@pytest.fixture
def peer() -> Iterator[Postfix]:
    """A Postfix of hub2 with a listener of direct trust, which knows nobody yet."""
    tables = {"relay_clientcerts": {}, "tls_policy": {}}
    chain = chain_pem(HUB2, key=HUB2)
    with (
        postfix.folder() as folder,
        postfix.started(folder / "mx", chain=chain, name=HUB2, trusting=True, tables=tables) as one,
    ):
        yield one


async def test_its_inner_listener_says_no_at_mail_or_rcpt_until_our_key_is_in_its_table(
    tmp_path: Path, peer: Postfix
) -> None:
    async with desk(tmp_path) as here:
        inner = Endpoint(LOOPBACK, peer.inner)
        await here.publish(held(HUB2), HUB2, inner)
        [own] = here.site.store.installed()
        before = await here.follow(f"{LOOPBACK}:{peer.inner}", seconds=10)
        pin = own.certificate.pin
        colons = ":".join(pin[at : at + 2] for at in range(0, len(pin), 2))
        await asyncio.to_thread(by_postmap, peer, "relay_clientcerts", {colons: HUB1})
        after = await here.follow(f"{LOOPBACK}:{peer.inner}", seconds=10)

    stage, _, verdict = failing(before)
    assert (stage in (Stage.MAIL, Stage.RCPT), verdict) == (True, Verdict.BLOCKED)
    assert before.hops[0].line(stage).words.startswith("450 4.")
    assert after.verdict in (Verdict.FLOWS, Verdict.SLOW)
    assert after.hops[0].line(Stage.RCPT).state in (State.OK, State.SLOW)
    assert "status=" not in peer.log


async def test_its_public_listener_asks_nobody_and_relays_for_nobody(tmp_path: Path, peer: Postfix) -> None:
    async with desk(tmp_path) as here:
        await here.publish(held(HUB2), HUB2, Endpoint(LOOPBACK, peer.port))
        taken = await here.follow(f"{LOOPBACK}:{peer.port}", seconds=10)

    assert taken.verdict is Verdict.UNPROVEN
    assert [one.event.code for one in taken.hops[0].warnings if one.event.code != 12180] == [12118]


async def test_a_device_before_it_is_12117(tmp_path: Path, peer: Postfix) -> None:
    async with desk(tmp_path) as here:
        inner = Endpoint(LOOPBACK, peer.inner)
        await here.publish(held(HUB2), HUB2, inner)
        async with middlebox(here.route, inner, Conduct(TLS_VERBS, overwrites=True)):
            told = await here.follow(seconds=10)

    assert failing(told) == (Stage.VERBS, 12117, Verdict.BLOCKED)
    trouble = told.hops[0].trouble
    assert trouble is not None
    assert {"flow.overwritten", "flow.offers-directly"} <= {one.phrase for one in trouble.evidence}


async def test_a_sending_postfix_is_asked_which_way_mail_takes(tmp_path: Path, peer: Postfix) -> None:
    chain = chain_pem(HUB1, key=HUB1)
    hop = f"[{LOOPBACK}]:{peer.inner}"
    with postfix.folder() as folder:
        sender = postfix.made(folder / "mx", chain=chain, name=HUB1, routes={"example.org": f"hub:{hop}"})
        async with desk(tmp_path) as here:
            await here.publish(held(HUB2), HUB2, Endpoint(LOOPBACK, peer.inner))
            file = tmp_path / "hub1.toml"
            text = file.read_text().partition("[transport]")[0]
            file.write_text(
                f'{text}[transport]\nkind = "postfix"\npostfix = "{sender.config}"\n'
                f'[transport.next_hops]\n"{hop}" = ["{HUB2}"]\n'
            )
            async with open_site(load(file, {}, default_name=lambda: HUB1)) as site:
                here.site = site
                told = await here.follow("ann@example.org", seconds=10)

    [one] = told.hops
    assert one.route is not None
    assert (one.route.phrase, one.route.values["hop"], one.receiver) == ("flow.route-postfix", hop, HUB2)
    assert one.line(Stage.THEIR_CERTIFICATE).state is State.OK
