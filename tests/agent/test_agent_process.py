"""The agent as a process: what it does by itself, what it is told, and what becomes of it."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from mailtrust import clock
from mailtrust.agent import act, rotate
from mailtrust.core.model.sighting import Slot
from mailtrust.directory.replicate import replicate_once
from tests.agent.agents import Server, actions, an_agent, done, raised, until
from tests.loopback import LOOPBACK, free_port
from tests.shapes import reads

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    made = Server(tmp_path)
    made.configure()
    return made


async def test_a_server_that_was_never_anything_is_enrolled_and_gets_its_successor(server: Server) -> None:
    async with an_agent(server.folder, "--config", server.config, "agent") as agent:
        await agent.manager.hears("READY=1")
        await until(lambda: actions(server.entries()).count("done replicate") and server.slots.get(Slot.NEXT))

        assert await agent.stop() == 0
    assert {slot: len(held) for slot, held in server.slots.items()} == {Slot.CURRENT: 1, Slot.NEXT: 1}
    told = actions(server.entries())
    assert told.index("planned enrol") < told.index("done install") < told.index("done present")
    assert told.index("planned publish") < told.index("done publish")


async def test_unless_it_may_it_enrols_nobody_and_says_what_is_wrong(server: Server) -> None:
    server.configure(agent="")
    async with an_agent(server.folder, "--config", server.config, "agent", "--once", "--json") as agent:
        assert await agent.ends() == 0
        said = reads("agent", json.loads(await agent.said()))

    assert said["servers"] == [
        {
            "server": server.name, "done": [], "failed": [], "unread": [], "why": None, "phase": None,
            "waits_for": [],
        }
    ]  # fmt: skip
    assert server.slots == {}
    assert [entry.event.code for entry in server.entries() if entry.event] == [12012]


async def test_one_round_that_could_not_look_at_a_replica_ends_with_1_and_names_it(server: Server) -> None:
    """What was not seen is not done: a monitor that runs it must not read "all is done"."""
    server.configure(agent="")
    async with server.site() as site:
        made = await act.install(site)
        await act.enable(site, made.certificate.fingerprint)
        await replicate_once(site.directory, clock.now())
    (server.folder / "dc2.db").write_bytes(b"no database at all")

    async with an_agent(server.folder, "--config", server.config, "agent", "--once") as agent:
        assert await agent.ends() == 1
        assert f"could not look at {server.url('dc2')}" in await agent.said()
    async with an_agent(server.folder, "--config", server.config, "agent", "--once", "--json") as agent:
        assert await agent.ends() == 1
        [said] = reads("agent", json.loads(await agent.said()))["servers"]
    assert said["unread"] == [server.url("dc2")]


async def test_a_planned_rotation_goes_to_its_end(server: Server) -> None:
    async with an_agent(server.folder, "--config", server.config, "agent") as agent:
        await server.comes_to(done("replicate"))
        await until(lambda: server.slots.get(Slot.NEXT))
        [old], [new] = server.slots[Slot.CURRENT], server.slots[Slot.NEXT]
        async with server.site() as site:
            await rotate.begin(site, "start")
        await server.comes_to(done("rotation done"))

        assert await agent.stop() == 0
    assert server.slots[Slot.CURRENT] == [new]
    assert old in server.slots[Slot.PREVIOUS]
    assert [one.values["fingerprint"] for one in server.entries() if done("withdraw")(one)] == [old]
    phases = dict.fromkeys(
        one.values["phase"] for one in server.entries() if one.values.get("why") == "start"
    )
    # A wait that was over at the next look was never seen as one.
    assert list(phases) == [
        one for one in ("spread", "present", "settle", "withdraw", "fade") if one in phases
    ]
    assert {"present", "withdraw"} <= set(phases)


async def test_a_second_agent_is_told_who_is_the_first(server: Server) -> None:
    async with an_agent(server.folder, "--config", server.config, "agent") as first:
        await first.manager.hears("READY=1")
        async with an_agent(server.folder, "--config", server.config, "agent") as second:
            assert await second.ends() == 1
            said = await second.said()

    assert f"this server has its agent already: process {first.process.pid} is at it" in said


async def test_a_new_configuration_is_taken_over_and_a_bad_one_is_not(server: Server) -> None:
    server.configure(agent="")
    async with an_agent(server.folder, "--config", server.config, "agent") as agent:
        await agent.manager.hears("READY=1")
        good = server.config.read_text()
        server.config.write_text(good.replace('every = "1s"', 'every = "soon"'))
        agent.process.send_signal(signal.SIGHUP)
        await agent.manager.hears("RELOADING=1")
        await server.comes_to(raised(12163))
        await agent.manager.hears("READY=1", times=2)
        assert server.slots == {}

        server.configure()
        agent.process.send_signal(signal.SIGHUP)
        await server.comes_to(done("enable"))
        assert await agent.stop() == 0
        said = await agent.said()
    assert "the old configuration holds" in said
    [entry] = [one for one in server.entries() if raised(12163)(one)]
    assert 'expected a duration such as "0s"' in entry.values["why"]


@contextmanager
def writes_blocked(file: Path) -> Iterator[None]:
    """A replica that can be read, and takes nothing."""
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")


async def test_what_the_directory_refuses_is_told_and_tried_again_and_nothing_else_comes_of_it(
    server: Server,
) -> None:
    """A successor that could not be published was not enabled by that: nobody presents it."""
    async with server.site() as site:
        made = await act.install(site)
        await act.enable(site, made.certificate.fingerprint)
        await replicate_once(site.directory, clock.now())
    with writes_blocked(server.folder / "dc1.db"):
        async with an_agent(server.folder, "--config", server.config, "agent") as agent:
            await server.comes_to(raised(12161))
            await until(lambda: server.slots.get(Slot.NEXT))
            await agent.kill()
    async with an_agent(server.folder, "--config", server.config, "agent") as agent:
        await server.comes_to(done("publish"))
        await until(lambda: not server.journal.open_findings())
        assert await agent.stop() == 0

    assert server.slots[Slot.CURRENT] == [made.certificate.fingerprint]


async def test_a_directory_that_is_away_for_a_while_leaves_no_trace(server: Server) -> None:
    async with an_agent(server.folder, "--config", server.config, "agent") as agent:
        await server.comes_to(done("replicate"))
        await until(lambda: server.slots.get(Slot.NEXT) and not server.journal.open_findings())
        kept = server.folder / "dc1.kept"
        (server.folder / "dc1.db").rename(kept)
        await until(lambda: 12103 in codes(server))
        held = server.slots
        kept.rename(server.folder / "dc1.db")
        await until(lambda: not server.journal.open_findings())

        assert await agent.stop() == 0
    assert server.slots == held


def codes(server: Server) -> list[int]:
    return [one.event.code for one in server.journal.open_findings() if one.event]


async def test_a_certificate_that_nobody_enabled_is_left_to_people(server: Server) -> None:
    async with an_agent(server.folder, "--config", server.config, "agent") as agent:
        await server.comes_to(done("enable"))
        held = server.slots
        async with an_agent(server.folder, "--config", server.config, "new", "--json") as made:
            assert await made.ends() == 0
        await until(lambda: 12012 in codes(server))
        assert await agent.stop() == 0

    assert server.slots[Slot.CURRENT] == held[Slot.CURRENT]
    assert len(server.slots[Slot.NONE]) == 1


async def test_a_transport_that_cannot_start_stops_nothing_else(server: Server) -> None:
    """Another program has its port."""
    port = free_port()
    with socket.create_server((LOOPBACK, port)):
        bind = f'[transport]\nkind = "hub"\nbind = ["{LOOPBACK}:{port}"]'
        server.configure(agent="enrol = true\nreplicate = true\nhub = true", more=bind)
        async with an_agent(server.folder, "--config", server.config, "agent") as agent:
            await server.comes_to(raised(12160))
            await server.comes_to(done("enable"))
            assert await agent.stop() == 0

    [entry] = [one for one in server.entries() if raised(12160)(one)]
    assert entry.place == "the hub"
    assert "another program listens there" in entry.values["why"]


async def test_several_servers_share_a_process_and_not_their_faults(tmp_path: Path) -> None:
    """One file is no configuration, and the store of another server belongs to somebody else's agent."""
    folder = tmp_path / "servers.d"
    folder.mkdir()
    servers = [Server(tmp_path / name, f"{name}.example.test") for name in ("hub1", "hub2")]
    for one in servers:
        one.folder.mkdir()
        one.configure()
        (folder / f"{one.folder.name}.toml").write_text(one.config.read_text())
    (folder / "hub3.toml").write_text("this is not TOML")
    async with an_agent(tmp_path, "--config", servers[0].config, "agent") as first:
        await first.manager.hears("READY=1")
        async with an_agent(tmp_path, "agent", "--config-dir", folder, "--json") as both:
            await both.manager.hears("READY=1")
            await servers[1].comes_to(done("enable"))
            await servers[0].comes_to(raised(12160))
            assert await both.stop() == 0
            said = await both.said()
        assert await first.stop() == 0

    assert "hub3.toml, line 1: this is not TOML" in said
    entries = [reads("agent-entry", json.loads(line)) for line in said.splitlines() if line.startswith("{")]
    assert {one["of"] for one in entries} >= {"hub2.example.test"}


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_when_asked_and_says_so_to_the_service_manager(server: Server, which: int) -> None:
    environment = {"WATCHDOG_USEC": "300000"}
    async with an_agent(server.folder, "--config", server.config, "agent", environment=environment) as agent:
        await agent.manager.hears("READY=1")
        await agent.manager.hears("WATCHDOG=1", times=3)
        agent.process.send_signal(which)

        assert await agent.ends() == 0
    assert "STOPPING=1" in agent.manager.heard
    assert any(line.startswith(f"STATUS={server.name}: ") for line in agent.manager.heard)
