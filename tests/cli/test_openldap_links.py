"""OpenLDAP replicas that stop, that nothing arrives at, and that come back as they were: what is typed."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from mailtrust.lab.links import SlowLinks
from tests import slapd
from tests.cli.desk import HUB1, Desk
from tests.loopback import LOOPBACK, PATIENCE
from tests.programs import needs
from tests.slapd import ADMIN, SERVERS, Server, password_file

pytestmark = needs("slapd", "slapadd")

LATENCY_SECONDS = 1.0


Do = Callable[[Coroutine[None, None, Any]], Any]
"""Has work done by a loop of its own, while commands are typed here."""


@dataclass(frozen=True)
class Fleet:
    """Three replicas, and hub1, whose certificates are in all of them."""

    desk: Desk
    servers: tuple[Server, ...]
    links: SlowLinks
    do: Do

    def lives_at(self, server: Server) -> None:
        """That server is hub1's home from now on; the first one takes its writes."""
        urls = ", ".join(f'"{one.ldaps}"' for one in self.servers)
        (self.desk.folder / "mailtrust.toml").write_text(
            f"""\
[server]
name = "{HUB1}"
store = "{self.desk.folder / "store"}"
listeners = []

[directory]
home = "{server.ldaps}"
primary = "{self.servers[0].ldaps}"
replicas = [{urls}]
base = "{SERVERS}"
latency = "{LATENCY_SECONDS:g}s"
ca_file = "{server.ca_file}"
bind = "simple"
bind_dn = "{ADMIN}"
password_file = "{server.folder.parent / "password-sesame"}"

[policy]
key = "p256"
probe_timeout = "5s"
"""
        )

    def begins(self, home: Server) -> None:
        """Make hub1's entry, and the configuration."""
        (self.desk.folder / "mailtrust.toml").unlink()
        self.desk.must(
            "init", "--name", HUB1, "--store", self.desk.folder / "store", "--replica", home.ldaps,
            "--output", self.desk.folder / "mailtrust.toml", "--base", SERVERS, "--ca-file", home.ca_file,
            "--bind", "simple", "--bind-dn", ADMIN, "--password-file", home.folder.parent / "password-sesame",
        )  # fmt: skip
        self.lives_at(home)

    def cut(self, server: Server) -> None:
        """Nothing arrives there any more, and nothing comes from there."""

        async def change() -> None:
            self.links.cut(server.ldaps)

        self.do(change())

    def heal(self, server: Server) -> None:
        async def change() -> None:
            self.links.heal(server.ldaps)

        self.do(change())

    def findings(self) -> dict[tuple[int, str], dict[str, Any]]:
        """What concerns replicas: by the event, and which replica."""
        found = self.desk.type("check", "--all", "--json").json["findings"]
        return {(one["event"], one["place"]): one for one in found if one["place"]}


@contextmanager
def background() -> Iterator[Do]:
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(PATIENCE)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def fleet(desk: Desk) -> Iterator[Fleet]:
    with tempfile.TemporaryDirectory(prefix="mt-") as name, background() as do:
        folder, links = Path(name), SlowLinks()
        password_file(folder).chmod(0o600)

        def way(reader: Server, source: Server) -> str:
            return f"ldap://{LOOPBACK}:{do(links.open(reader.ldaps, source.ldaps, source.port))}"

        with slapd.started(folder, 3, way=way) as servers:
            fleet = Fleet(desk, servers, links, do)
            fleet.begins(servers[1])
            yield fleet
            # A server that waits for what a link brings does not hear that it shall stop.
            do(links.close())


def test_one_that_stopped_and_is_nobodys_home_is_12103_there(fleet: Fleet) -> None:
    *_, third = fleet.servers
    fleet.desk.must("enable", fleet.desk.made(), "--yes", "--wait")
    third.stop()

    fleet.desk.must("enable", fleet.desk.made(), "--yes")
    time.sleep(LATENCY_SECONDS)
    found = fleet.findings()

    assert (12103, third.ldaps) in found
    assert not {event for event, _ in found} & {12012, 12101, 12102}
    third.start()
    fleet.desk.must("wait", "--timeout", "60s")
    assert fleet.findings() == {}


def test_a_cut_link_to_home_is_overdue_with_its_proof_and_heals_by_itself(fleet: Fleet) -> None:
    first, home, _ = fleet.servers
    fleet.desk.must("enable", fleet.desk.made(), "--yes", "--wait")
    fleet.cut(home)
    new = fleet.desk.made()
    fleet.desk.must("enable", new, "--yes")
    # The latency is to pass, and nothing tells of that.
    time.sleep(LATENCY_SECONDS + 0.1)

    overdue = fleet.findings()
    fleet.lives_at(first)
    elsewhere = fleet.findings()

    finding = overdue[12012, home.ldaps]
    assert finding["cause"] == "overdue"
    assert finding["since"]
    assert finding["action"] is None
    proof = "\n".join(finding["evidence"])
    assert "says itself that this write has not arrived there" in proof
    assert first.ldaps in proof
    assert set(elsewhere) == {(12102, home.ldaps)}

    fleet.heal(home)
    fleet.lives_at(home)
    fleet.desk.must("wait", "--timeout", "60s")
    assert fleet.findings() == {}


def test_one_restored_from_a_backup_is_12110_until_it_has_caught_up(fleet: Fleet) -> None:
    *_, third = fleet.servers
    backup = third.dump()
    fleet.desk.must("enable", fleet.desk.made(), "--yes", "--wait")
    fleet.cut(third)
    third.stop()
    third.reload(backup)
    third.start()

    found = fleet.findings()

    assert set(found) == {(12110, third.ldaps)}
    assert "was seen to hold" in found[12110, third.ldaps]["evidence"][0]
    fleet.heal(third)
    fleet.desk.must("wait", "--timeout", "60s")
    assert fleet.findings() == {}
