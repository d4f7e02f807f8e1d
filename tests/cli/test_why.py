"""`why`, as it is typed: what it asks for, what it leaves alone, and what it gives to programs."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta

import pytest

from mailtrust import clock
from mailtrust.core.model.certificate import short
from mailtrust.transports.hub.message import Message
from mailtrust.transports.hub.queue import Postponed, Queue, Settlement
from tests.cli.desk import HUB1, Desk
from tests.loopback import LOOPBACK, free_port

HUB2, HUB3 = "hub2.example.test", "hub3.example.test"


@pytest.fixture
def routed(desk: Desk) -> Desk:
    """hub1 as a hub, with routes to two servers that nobody runs."""
    routes = "\n".join(f'"{name}" = "{LOOPBACK}:{free_port()}"' for name in (HUB2, HUB3))
    desk.configure(more=f'[transport]\nkind = "hub"\n[transport.routes]\n{routes}')
    return desk


def wait_for(desk: Desk, **mails: int) -> None:
    """So many messages wait for each, and were tried in vain."""

    async def put() -> None:
        hops = {f"b@{name}": hop for name, hop in _routes(desk).items()}
        queue = await Queue.open(desk.folder / "store", lambda address: hops.get(address, ""))
        try:
            number = 0xC0FFEE01
            for server, count in mails.items():
                for _ in range(count):
                    to = (f"b@{server}.example.test",)
                    await queue.put(Message(number, f"a@{HUB1}", to, b"Hello.\r\n", clock.now()))
                    words = "cannot connect: refused" if to[0] in hops else "no route leads there"
                    why = Postponed(0, clock.now() + timedelta(hours=1), "", words)
                    await queue.settle(Settlement(number, postponed=(why,)))
                    number += 1
        finally:
            await queue.close()

    asyncio.run(put())


def _routes(desk: Desk) -> dict[str, str]:
    text = (desk.folder / "mailtrust.toml").read_text("utf-8")
    lines = text.partition("[transport.routes]")[2].strip().splitlines()
    return {name.strip('" '): hop.strip('" ') for name, _, hop in (line.partition("=") for line in lines)}


def test_it_wants_a_peer_or_the_queue(desk: Desk) -> None:
    for words in ((), ("--queue", HUB2)):
        ran = desk.type("why", *words)

        assert ran.code == 2
        assert "name a PEER, or --queue" in ran.err


def test_whom_nobody_knows_is_told_with_what_to_look_at(routed: Desk) -> None:
    ran = routed.type("why", "hub9.example.test")

    assert ran.code == 1
    assert "neither the directory nor a route nor the queue knows 'hub9.example.test'" in ran.err
    assert "mailtrust why --queue" in ran.err


def test_this_server_is_no_peer_of_its_own(routed: Desk) -> None:
    assert "is this server itself" in routed.type("why", HUB1).err


def test_an_empty_queue_is_told_with_every_next_hop_that_is_fine(routed: Desk) -> None:
    screen = routed.must("why", "--queue").out

    assert "Nothing waits in the queue." in screen
    assert all(hop in screen for hop in _routes(routed).values())


def test_without_a_transport_there_is_no_queue_to_ask_about(desk: Desk) -> None:
    ran = desk.type("why", "--queue")

    assert ran.code == 1
    assert "--postfix /etc/postfix" in ran.err


def test_what_holds_up_most_comes_first_and_the_rest_in_a_line(routed: Desk) -> None:
    routed.enabled()
    wait_for(routed, hub2=1, hub3=3)

    ran = routed.must("why", "--queue", "--json")
    screen = routed.must("why", "--queue").out

    first, second = ran.json["answers"]
    assert (ran.json["schema"], first["blocked"]["messages"]) == ("mailtrust.why/1", 3)
    assert (first["conclusion"], second["blocked"]["hop"]) == ("peer-down", _routes(routed)[HUB2])
    assert "3 messages" in screen
    assert f"1 more for {_routes(routed)[HUB2]}; why: mailtrust why {_routes(routed)[HUB2]}" in screen


@pytest.mark.parametrize("form", ["domain", "hop", "host"])
def test_a_peer_is_found_by_its_domain_its_next_hop_or_its_host(routed: Desk, form: str) -> None:
    routed.enabled()
    wait_for(routed, hub2=1)
    hop = _routes(routed)[HUB2]
    named = {"domain": HUB2.upper(), "hop": hop, "host": LOOPBACK}[form]

    [answer] = routed.must("why", named, "--json").json["answers"]

    assert answer["blocked"]["hop"] == hop


def test_a_command_of_ours_is_typed_with_the_configuration_that_was_named(routed: Desk) -> None:
    made = routed.made()
    wait_for(routed, hub2=1)
    (routed.folder / "mailtrust.toml").rename(routed.folder / "other.toml")

    screen = routed.must("--config", "other.toml", "why", HUB2).out

    assert "mailtrust --config other.toml why" in screen
    assert short(made) not in screen.partition("DO")[2], "nobody listens: no certificate has to do with it"


def test_it_writes_nothing_down(routed: Desk) -> None:
    """What it sees is not first seen by it, and no finding opens or closes."""
    routed.enabled()
    wait_for(routed, hub2=1)
    before = everything(routed)

    routed.must("why", "--queue")
    routed.must("why", HUB2)

    assert everything(routed) == before


def everything(desk: Desk) -> list[str]:
    with sqlite3.connect(f"file:{desk.folder / 'store' / 'journal.db'}?mode=ro", uri=True) as journal:
        return list(journal.iterdump())


def test_in_the_readers_language(routed: Desk) -> None:
    routed.enabled()
    wait_for(routed, hub2=1)

    assert "无人应答" in routed.must("why", HUB2, "--lang", "zh").out


def test_mail_without_a_route_is_told_too(routed: Desk) -> None:
    routed.enabled()
    wait_for(routed, hub9=1)

    [answer] = routed.must("why", "--queue", "--json").json["answers"]

    assert (answer["blocked"]["hop"], answer["conclusion"]) == (None, "no-route")
    assert "hub9.example.test" in answer["message"]
