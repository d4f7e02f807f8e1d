"""The audit of fifty servers most of which are dead, and of a forest where there is no Exchange."""

from __future__ import annotations

import asyncio

from mailtrust.core.exchange.facts import STARTTLS, X_ANONYMOUSTLS
from mailtrust.ldap.requests import Delete
from mailtrust.ldap.responses import Control
from tests.cli.auditor import audited, report, typed
from tests.cli.desk import Desk
from tests.exchange.certificates import internal, public, serialised
from tests.exchange.listener import Counted, exchange, listening_at
from tests.exchange.organization import MailServer, Organization
from tests.samba.controller import CONFIGURATION
from tests.samba.fixtures import forest, forest_at_rest, needs_forest
from tests.samba.forest import ADMINISTRATOR, PATIENCE, Forest

__all__ = ["forest", "forest_at_rest"]
pytestmark = needs_forest
TREE_DELETE = "1.2.840.113556.1.4.805"

ALIVE = tuple(f"MBX{number}" for number in range(1, 6))
DEAD = tuple(f"OLD{number}" for number in range(1, 46))
VALUE = serialised(internal("OLD").certificate.der)


def own(name: str) -> bytes:
    return serialised(internal(name).certificate.der) if name in ALIVE else VALUE


def test_fifty_servers_are_looked_at_together_and_the_dead_cost_one_time_out(
    desk: Desk, forest: Forest
) -> None:
    """What waits at the same time is counted, not how long it took; a controller is frozen meanwhile."""
    asyncio.run(Organization(forest).add(*(MailServer(name, own(name)) for name in (*ALIVE, *DEAD))))
    crowd = Counted()
    places = [("--at", f"{name}=127.0.3.{number}:25") for number, name in enumerate(DEAD)]
    servers = [
        ((f"127.0.1.{number}", port),
         exchange(name, {STARTTLS: public(), X_ANONYMOUSTLS: internal(name)}))
        for number, name in enumerate(ALIVE, 1) for port in (25, 2525)
    ]  # fmt: skip
    silent = [((f"127.0.3.{number}", 25), crowd.script) for number in range(len(DEAD))]
    forest.dc2.freeze()
    with listening_at(*servers, *silent):
        page = report(desk, forest, *(word for place in places for word in place), timeout="4s")
        shown = audited(desk, forest, "--server", "MBX1").out
    forest.dc2.thaw()

    assert crowd.most == 2 * len(DEAD)
    assert len(page["servers"]) == 50
    unreached = {one["server"] for one in page["findings"] if one["event"] == 12116}
    assert unreached == {f"{name.lower()}.corp.example" for name in DEAD}
    for one in page["servers"]:
        is_alive = one["name"] in ALIVE
        assert all((look["found"] is not None) is is_alive for look in one["presented"])
    assert "1 of 2 answered" in shown


def test_a_forest_without_exchange_is_one_sentence(desk: Desk, forest: Forest) -> None:
    async def remove() -> None:
        async with await forest.wire(ADMINISTRATOR) as wire:
            exchange_ = Delete(f"CN=Microsoft Exchange,CN=Services,{CONFIGURATION}")
            await wire.ask(exchange_, [Control(TREE_DELETE, critical=True)], timeout=PATIENCE)

    asyncio.run(remove())

    ran = desk.type(*typed(forest))

    assert ran.code == 1
    assert "no Exchange organization is to be seen: there is none, or this account may not see it" in ran.err
    assert ran.out == ""
