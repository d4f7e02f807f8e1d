"""A rehearsal with real Postfixes: what their listeners say to a certificate that is not presented yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailtrust.core.model.rehearsal import Rehearsed, Verdict
from mailtrust.core.model.server import Endpoint
from tests import postfix
from tests.agent.test_rehearse import NEXT, Stage, staged
from tests.hub.organization import held
from tests.loopback import LOOPBACK
from tests.make import HUB1, HUB2
from tests.postfix import Postfix, by_postmap, chain_pem

pytestmark = [*postfix.MARKS, pytest.mark.xdist_group("postfix")]


@pytest.fixture
def peer() -> Iterator[Postfix]:
    """A Postfix of hub2 with a listener of direct trust, which knows nobody yet."""
    chain = chain_pem(HUB2, key=HUB2)
    tables = {"relay_clientcerts": {}, "tls_policy": {}}
    with (
        postfix.folder() as folder,
        postfix.started(folder / "mx", chain=chain, name=HUB2, trusting=True, tables=tables) as one,
    ):
        yield one


async def asked(stage: Stage, port: int) -> Rehearsed:
    await stage.publish(held(HUB2), HUB2, Endpoint(LOOPBACK, port))
    [told] = await stage.ask()
    return told


async def test_postfix_s_own_listener_says_yes_once_the_key_is_in_its_table(
    tmp_path: Path, peer: Postfix
) -> None:
    pin = NEXT.certificate.pin
    colons = ":".join(pin[at : at + 2] for at in range(0, len(pin), 2))
    async with staged(tmp_path) as stage:
        before = await asked(stage, peer.inner)
        by_postmap(peer, "relay_clientcerts", {colons: HUB1})
        after = await asked(stage, peer.inner)

    assert (before.verdict, before.asked) == (Verdict.DEFERRED, True)
    assert before.why.startswith("450 4.")
    assert (after.verdict, after.asked, after.believed) == (Verdict.ACCEPTED, True, True)
    assert "status=" not in peer.log
    assert "message-id" not in peer.log


async def test_a_no_of_a_listener_that_never_asked_for_the_certificate_holds_nothing_back(
    tmp_path: Path, peer: Postfix
) -> None:
    """As the public one of every Postfix: it relays for nobody, whatever we present."""
    async with staged(tmp_path) as stage:
        told = await asked(stage, peer.port)

    assert (told.verdict, told.asked, told.holds_back) == (Verdict.UNKNOWN, False, False)
    assert "did not ask for our certificate" in told.why
    assert "454 4.7.1" in told.why
