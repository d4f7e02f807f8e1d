"""Which domain controllers there are: found through the directory, near and far, come and gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from mailtrust.core.checks import diagnose
from mailtrust.core.model.event import Severity
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import ReplicaSighting, View
from mailtrust.core.policy import Policy
from mailtrust.directory.ad import AdReplica
from mailtrust.directory.ad_discovery import Discovery, Which
from mailtrust.directory.ldap_session import LdapSettings
from mailtrust.directory.open import Directory
from mailtrust.ldap import names
from mailtrust.ldap.names import Name
from tests.make import NOON
from tests.samba.controller import CONFIGURATION
from tests.samba.fixtures import needs_forest
from tests.samba.forest import MEMBERS, READER, Forest

pytestmark = needs_forest

DC1, DC2, DC3 = (f"ldaps://dc{number}.corp.example" for number in (1, 2, 3))
HUB1 = ServerName("hub1.corp.example")


@asynccontextmanager
async def directory(forest: Forest, which: Which, *urls: str) -> AsyncIterator[Directory]:
    settings = LdapSettings(Name(), forest.password(READER), forest.ca_file, names.parse(MEMBERS))

    def opened(url: str) -> AdReplica:
        return AdReplica(url, settings, timeout=timedelta(seconds=5))

    named = tuple(map(opened, urls or (DC1,)))
    found = Directory(
        named, named[0], named[-1], Discovery(which, opened, timedelta(0)), computes_latency=True
    )
    yield found
    await found.close()


async def places(found: Directory) -> dict[str, ReplicaSighting]:
    return {look.place: look for look in await found.look([HUB1], NOON)}


async def test_the_controllers_of_homes_site_are_found_and_the_branch_is_left_alone(forest: Forest) -> None:
    forest.pretend("dc3")

    async with directory(forest, "in-site") as near, directory(forest, "named") as named:
        assert set(await places(near)) == {DC1, DC2}
        assert set(await places(named)) == {DC1}


async def test_a_far_controller_that_does_not_answer_is_a_note(forest: Forest) -> None:
    async with directory(forest, "all") as everywhere:
        looks = await places(everywhere)

    found = diagnose(View().see(looks.values()), {}, Policy(), NOON, viewpoint=HUB1).findings
    assert set(looks) == {DC1, DC2, DC3}
    assert looks[DC3].far
    assert [(one.event.code, one.place, one.severity) for one in found if one.event.code == 12103] == [
        (12103, DC3, Severity.INFORMATION)
    ]


async def test_a_controller_named_in_another_way_is_not_taken_for_two(forest: Forest) -> None:
    """Two names of one replica would be two witnesses that always agree."""
    address = "ldaps://127.0.0.11"

    async with directory(forest, "in-site", address) as found:
        looks = await places(found)

    assert set(looks) == {address, DC2}
    assert looks[address].partners == ("dc2.corp.example",)


async def test_latency_and_partners_are_those_of_the_controllers_links(forest: Forest) -> None:
    async with directory(forest, "in-site", DC2) as found:
        looks = await places(found)

    near = looks[DC2]
    assert near.partners == ("dc1.corp.example",)
    assert near.latencies[looks[DC1].writer] == timedelta(seconds=75)
    # The branch's link is used every three hours, and one write may just have missed it.
    assert max(near.latencies.values()) > timedelta(hours=3)


async def test_a_demoted_controller_is_looked_at_no_more(forest: Forest) -> None:
    branch = f"CN=DC3,CN=Servers,CN=Branch,CN=Sites,{CONFIGURATION}"
    async with directory(forest, "all") as found:
        before = set(await places(found))
        for gone in (f"CN=NTDS Settings,{branch}", branch):
            forest.dc1.edit(f"dn: {gone}\nchangetype: delete\n")
        after = set(await places(found))

    assert before - after == {DC3}


async def test_where_home_is_down_the_others_are_known_from_another(forest: Forest) -> None:
    async with directory(forest, "in-site", DC2, DC1) as found:
        forest.dc2.stop()
        looks = await places(found)
        forest.dc2.start()

    assert (looks[DC2].found, looks[DC1].found) == (None, ())
