"""Exchange servers are looked at by each verb, and whatever cannot be looked at says why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from mailtrust.clock import now
from mailtrust.core.exchange.facts import STARTTLS, X_ANONYMOUSTLS, ExchangeServer, Role, Version
from mailtrust.core.model.server import Endpoint
from mailtrust.core.model.sighting import WireFailure, WireSighting
from mailtrust.probes.exchange import look_at, sources
from tests.exchange.certificates import internal, public
from tests.exchange.listener import Counted, exchange, listening_at
from tests.loopback import free_port
from tests.probes.listeners import Script, says

HERE = "127.0.0.1"
INTERNAL, PUBLIC = internal("MBX1", sha1=True), public()
BOTH = {X_ANONYMOUSTLS: INTERNAL, STARTTLS: PUBLIC}
VERBS = (X_ANONYMOUSTLS, STARTTLS)


def a_server(name: str = "MBX1", fqdn: str = "mbx1.corp.example", **rest: object) -> ExchangeServer:
    return ExchangeServer(name, fqdn, f"CN={name},CN=Servers", **rest)  # type: ignore[arg-type]


async def look(
    *servers: ExchangeServer, at: Mapping[str, tuple[Endpoint, ...]] | None = None, seconds: float = 5
) -> tuple[ExchangeServer, ...]:
    return await look_at(servers, at or {}, timeout=timedelta(seconds=seconds), now=now)


async def wires(script: Script, seconds: float = 5) -> dict[str, WireSighting]:
    """By verb, what is seen of a server that one listener plays."""
    port = free_port()
    with listening_at(((HERE, port), script)):
        [found] = await look(a_server(), at={"mbx1": (Endpoint(HERE, port),)}, seconds=seconds)
    assert [one.verb for one in found.wires] == list(VERBS)
    return {one.verb: one for one in found.wires}


async def test_each_verb_shows_its_own_certificate() -> None:
    found = await wires(exchange("MBX1", BOTH))

    assert found[X_ANONYMOUSTLS].found == (INTERNAL.certificate,)
    assert found[STARTTLS].found == (PUBLIC.certificate,)
    for one in found.values():
        assert (one.failure, one.phase, one.asks_client_certificate) == (None, "done", True)


@pytest.mark.parametrize("verb", VERBS)
async def test_a_verb_that_is_missing_is_told_of_that_verb_alone(verb: str) -> None:
    other = next(one for one in VERBS if one != verb)
    found = await wires(exchange("MBX1", {other: BOTH[other]}))

    assert (found[verb].found, found[verb].failure) == (None, WireFailure.NOT_OFFERED)
    assert verb in found[verb].why
    assert found[other].found == (BOTH[other].certificate,)


async def test_verbs_that_a_firewall_writes_over_are_not_offered() -> None:
    found = await wires(exchange("MBX1", BOTH, masks=True))

    assert {one.failure for one in found.values()} == {WireFailure.NOT_OFFERED}


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (says(b"\x16\x03\x01 not SMTP\r\n"), "instead of the banner"),
        (says(b"", then_close=True), "without a banner"),
        (says(b"220 MBX1.corp.example Microsoft ESMTP MAIL Service ready\r\n"), "no answer to EHLO"),
        (says(b"421 4.3.2 Service not available\r\n"), "421"),
    ],
)
async def test_what_answers_otherwise_is_told_as_that(script: Script, why: str) -> None:
    found = await wires(script, seconds=0.5)

    for one in found.values():
        assert (one.found, one.failure) == (None, WireFailure.UNREACHABLE)
        assert why in one.why


async def test_the_address_that_we_came_from_is_known_wherever_there_was_a_connection() -> None:
    """It chooses the Receive connector, whatever that then shows."""
    open_, closed = Endpoint(HERE, free_port()), Endpoint(HERE, free_port())
    with listening_at(((open_.host, open_.port), exchange("MBX1", {}))):
        found = await look(a_server(), at={"mbx1": (open_, closed)})

    assert sources(found) == {open_: HERE}


@pytest.mark.parametrize(
    ("rest", "ports"),
    [
        ({}, (25, 2525)),
        ({"version": Version(15, 2, 1544)}, (25, 2525)),
        ({"roles": Role.EDGE, "version": Version(15, 2, 1544)}, (25,)),
        ({"version": Version(14, 3, 123)}, (25,)),
    ],
)
async def test_the_ports_are_those_that_its_services_have(
    rest: dict[str, object], ports: tuple[int, ...]
) -> None:
    [found] = await look(a_server(fqdn="mbx1.mailtrust.invalid", **rest))

    assert [(one.endpoint.port, one.verb) for one in found.wires] == [
        (port, verb) for port in ports for verb in VERBS
    ]
    for one in found.wires:
        assert one.endpoint.host == "mbx1.mailtrust.invalid"
        assert (one.failure, one.phase) == (WireFailure.UNREACHABLE, "resolve")
        assert "cannot be resolved" in one.why


async def test_a_server_without_a_name_was_not_looked_at_for_a_reason_of_ours() -> None:
    [found] = await look(a_server("OLD BOX", ""))

    assert {one.failure for one in found.wires} == {WireFailure.NO_ANSWER}
    assert {one.verb for one in found.wires} == set(VERBS)
    assert all("networkAddress" in one.why for one in found.wires)


@pytest.mark.parametrize("name", ["mbx1", "mbx1.corp.example"])
async def test_where_a_server_is_reached_from_here_may_be_told_by_each_of_its_names(name: str) -> None:
    elsewhere = Endpoint(HERE, free_port())
    with listening_at(((HERE, elsewhere.port), exchange("MBX1", BOTH))):
        [found] = await look(a_server(), at={name: (elsewhere,)})

    assert [one.endpoint for one in found.wires] == [elsewhere, elsewhere]
    assert all(one.found for one in found.wires)


async def test_fifty_silent_servers_are_waited_for_at_the_same_time() -> None:
    """So that they cost one time-out and not fifty: the audit of a fleet is to end within two minutes."""
    crowd, port = Counted(), free_port()
    servers = [a_server(f"MBX{number}", f"mbx{number}.corp.example") for number in range(50)]
    at = {f"mbx{number}": (Endpoint(f"127.0.3.{number}", port),) for number in range(50)}
    with listening_at((("0.0.0.0", port), crowd.script)):
        found = await look(*servers, at=at, seconds=3)

    assert crowd.most == 50 * len(VERBS)
    assert len(crowd.places) == 50
    assert all(look.why.startswith("no banner within") for one in found for look in one.wires)
