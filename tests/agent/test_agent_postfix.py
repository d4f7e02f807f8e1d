"""The agent and a real Postfix: its tables follow, and its chain file is what the store calls current."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust import clock
from mailtrust.agent import act, rotate
from mailtrust.agent.hands import hands
from mailtrust.agent.parts import tend
from mailtrust.certificates.formats import read_certificates
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import Slot
from mailtrust.probes.smtp import probe
from tests import postfix
from tests.agent.agents import LONG, Server, an_agent, done, raised, until
from tests.directory.account import an_ordinary_account
from tests.loopback import LOOPBACK
from tests.postfix import Postfix, answer, chain_pem, session

pytestmark = [*postfix.MARKS, pytest.mark.timeout(240)]
NOBODY, BEAT = 65534, timedelta(seconds=1)
MX1 = "mx1.example.test"


@pytest.fixture
def mx1() -> Iterator[Postfix]:
    with (
        postfix.folder() as folder,
        postfix.started(
            folder / "mx1",
            chain=chain_pem(MX1, key="before"),
            trusting=True,
            tables={"relay_clientcerts": {}, "tls_policy": {}},
        ) as running,
    ):
        yield running


@pytest.fixture
def server(tmp_path: Path, mx1: Postfix) -> Server:
    made = Server(tmp_path, MX1)
    transport = f'[transport]\nkind = "postfix"\npostfix = "{mx1.config}"\ntables = "{mx1.tables}"\n'
    made.configure(more=transport)
    text = made.config.read_text().replace("listeners = []", f'listeners = ["{LOOPBACK}:{mx1.inner}"]')
    made.config.write_text(text)
    return made


async def presented(mx1: Postfix) -> str:
    """What the listener of direct trust shows to whoever connects."""
    target = [(ServerName(MX1), Endpoint(LOOPBACK, mx1.inner))]
    [look] = [one async for one in probe(target, timeout=timedelta(seconds=LONG), now=clock.now)]
    assert look.found
    return look.found[0].fingerprint


def knows(mx1: Postfix, peer: Certificate) -> str:
    """As whom Postfix itself knows that key; empty where it does not."""
    key = ":".join(peer.pin[place : place + 2] for place in range(0, 64, 2))
    return mx1.run("postmap", "-q", key, f"lmdb:{mx1.tables}/relay_clientcerts", check=False).stdout.strip()


async def test_postfix_presents_what_is_current_and_believes_what_is_published(
    server: Server, mx1: Postfix
) -> None:
    """From nothing to the end of a rotation; and a peer that is published while a session is open."""
    chain = server.folder / "peer.pem"
    chain.write_text(chain_pem("hub2.example.test", key="peer"))
    async with an_agent(server.folder, "--config", server.config, "agent") as agent:
        await server.comes_to(done("chain"))
        await server.comes_to(done("tables"))
        await until(lambda: server.slots.get(Slot.NEXT))
        [first] = server.slots[Slot.CURRENT]
        assert await presented(mx1) == first

        [peer] = read_certificates(chain.read_bytes())
        async with server.site() as site:
            await site.directory.publish(ServerName("hub2.example.test"), peer.der, clock.now())
            await until(lambda: knows(mx1, peer) == "hub2.example.test")
            with session(mx1.inner, chain=chain) as open_session:
                assert answer(open_session, "ann@mx1.example.test").code == 250
            [second] = server.slots[Slot.NEXT]
            await rotate.begin(site, "start")
        await server.comes_to(done("rotation done"))
        assert await presented(mx1) == second
        assert await agent.stop() == 0


async def test_a_chain_file_that_somebody_replaced_is_put_back(server: Server, mx1: Postfix) -> None:
    async with server.site() as site:
        made = await act.install(site)
        await act.enable(site, made.certificate.fingerprint)
    assert await presented(mx1) != made.certificate.fingerprint

    async with an_agent(server.folder, "--config", server.config, "agent") as agent:
        await server.comes_to(done("chain"))
        assert await presented(mx1) == made.certificate.fingerprint
        assert await agent.stop() == 0


@contextmanager
def roots_helper(mx1: Postfix) -> Iterator[Path]:
    """At a socket that anybody may use; ended by its id."""
    path, settings = mx1.folder.parent / "helper.sock", mx1.folder.parent / "helper.toml"
    settings.write_text(f'postfix = "{mx1.config}"\ntables = "{mx1.tables}"\n')
    script = Path(__file__).with_name("socket_helper.py")
    with subprocess.Popen([sys.executable, script, path, settings], stdout=subprocess.PIPE) as serving:
        assert serving.stdout is not None
        try:
            assert serving.stdout.readline() == b"listening\n"
            yield path
        finally:
            serving.kill()


async def test_an_account_without_rights_has_it_done_by_roots_helper(server: Server, mx1: Postfix) -> None:
    """It may write neither tables nor chain file, and reloads nothing itself."""
    own = mx1.folder.parent / "agent"
    own.mkdir()
    os.chown(own, NOBODY, NOBODY)
    stopping = asyncio.Event()
    with roots_helper(mx1) as helper:
        text = server.config.read_text().replace(str(server.folder), str(own))
        server = Server(own, MX1)
        server.config.write_text(f'{text}helper = "{helper}"\n')
        server.config.chmod(0o644)
        with an_ordinary_account():
            async with server.site() as site:
                tending = asyncio.create_task(tend(site, hands(site), stopping, lambda _: None, BEAT))
                await server.comes_to(done("chain"))
                await server.comes_to(done("tables"))
                [current] = server.slots[Slot.CURRENT]
                assert await presented(mx1) == current
                stopping.set()
                await tending

    assert not any(raised(code)(one) for one in server.entries() for code in (12160, 12161))
    assert (mx1.tables / "chain.pem").stat().st_uid == 0
    assert {one.stat().st_uid for one in server.store.rglob("*")} == {NOBODY}
