"""Which controllers are read, and what becomes of those that do not answer."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from mailtrust.core.exchange.facts import Controller
from mailtrust.core.exchange.facts import Organization as Read
from mailtrust.directory.exchange_layout import Choice
from mailtrust.errors import DirectoryUnavailable
from tests.directory.exchange.reading import at, read, the
from tests.exchange.certificates import internal
from tests.exchange.organization import MailServer, Organization
from tests.samba.controller import BRANCH
from tests.samba.fixtures import needs_forest
from tests.samba.forest import Forest

pytestmark = needs_forest
SHORT = timedelta(seconds=2)
MBX1 = MailServer("MBX1", internal("MBX1").certificate.der)
EVERYWHERE = Choice(everywhere=True)


@pytest.fixture(autouse=True, scope="module")
def corp(forest: Forest) -> Organization:
    """One server in the first site; dc3 and, read-only, dc4 stand in the branch, where nothing answers."""
    made = Organization(forest)
    asyncio.run(made.add(MBX1))
    forest.pretend("dc3")
    forest.pretend("dc4", read_only=True)
    return made


def called(name: str, organization: Read) -> Controller:
    [found] = [one for one in organization.controllers if one.name == f"{name}.corp.example"]
    return found


async def test_a_stopped_controller_could_not_be_looked_at_and_the_other_is_read(forest: Forest) -> None:
    forest.dc2.stop()

    found = await read(forest)
    forest.dc2.start()

    assert "cannot be reached" in called("dc2", found).why
    assert called("dc2", found).in_site
    look = at(forest.dc2, the("MBX1", found))
    assert (look.found, look.why) == (None, called("dc2", found).why)
    assert at(forest.dc1, the("MBX1", found)).found
    assert forest.dc2.url not in the("MBX1", found).written


async def test_a_frozen_controller_costs_its_deadline_and_no_more(forest: Forest) -> None:
    forest.dc2.freeze()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    found = await read(forest, timeout=SHORT)
    took = loop.time() - begun
    forest.dc2.thaw()

    assert "did not answer within" in called("dc2", found).why
    assert at(forest.dc1, the("MBX1", found)).found
    assert took < 10


async def test_where_the_first_to_begin_with_does_not_answer_the_next_one_does(forest: Forest) -> None:
    forest.dc1.stop()

    found = await read(forest, "ldaps://dc9.corp.example", forest.dc1.url, forest.dc2.url)
    forest.dc1.start()

    assert at(forest.dc2, the("MBX1", found)).found
    assert "cannot be reached" in called("dc1", found).why
    [stranger] = [one for one in found.controllers if one.name == "dc9.corp.example"]
    assert "no address" in stranger.why
    assert not stranger.in_site


async def test_where_nobody_answers_every_reason_is_told(forest: Forest) -> None:
    with pytest.raises(DirectoryUnavailable, match=r"no domain controller answers.*dc3.*dc4") as failed:
        await read(forest, "ldaps://dc3.corp.example", "ldaps://dc4.corp.example")
    with pytest.raises(
        DirectoryUnavailable, match=r"^ldaps://dc3.corp.example:636 cannot be reached"
    ) as alone:
        await read(forest, "ldaps://dc3.corp.example")

    assert failed.value.hint == alone.value.hint == "is the server running?"


async def test_a_wrong_password_is_said_and_not_shown(forest: Forest) -> None:
    with pytest.raises(DirectoryUnavailable, match="name or password") as refused:
        await read(forest, account="nobody")

    assert "Open-Sesame" not in f"{refused.value}{refused.value.hint}"


async def test_a_far_controller_is_not_asked_and_nothing_is_wrong_with_it(forest: Forest) -> None:
    far = called("dc3", await read(forest))

    assert (far.asked, far.in_site, far.why, far.site) == (False, False, "", "Branch")


async def test_all_are_asked_where_all_are_wanted_and_a_far_one_stays_far(forest: Forest) -> None:
    found = await read(forest, choice=EVERYWHERE)

    assert "cannot be reached" in called("dc3", found).why
    assert (called("dc3", found).in_site, called("dc4", found).read_only) == (False, True)
    assert [look.far for look in the("MBX1", found).published] == [False, False, True, True]
    assert at(forest.dc1, the("MBX1", found)).found


@pytest.mark.parametrize("name", ["dc2", "DC2.corp.example", "ldaps://dc2.corp.example"])
async def test_those_that_are_listed_are_asked_and_no_others(forest: Forest, name: str) -> None:
    found = await read(forest, choice=Choice((name,)))

    assert [one.name for one in found.controllers if one.asked] == ["dc2.corp.example"]
    [look] = the("MBX1", found).published
    assert look.place == forest.dc2.url
    assert look.found


async def test_a_listed_one_that_the_forest_does_not_know_is_asked_all_the_same(forest: Forest) -> None:
    found = await read(forest, choice=Choice(("dc1", "dc77.corp.example")))

    [stranger] = [one for one in found.controllers if one.name == "dc77.corp.example"]
    assert stranger.url == "ldaps://dc77.corp.example"
    assert "no address" in stranger.why


async def test_one_controller_under_two_names_is_no_second_witness(forest: Forest) -> None:
    found = await read(forest, choice=Choice(("dc2", f"ldaps://{forest.dc2.address}")))

    [twin] = [one for one in found.controllers if one.name == forest.dc2.address]
    assert twin.why == "ldaps://127.0.0.12 is dc2.corp.example: list it under that name"
    assert [bool(look.found) for look in the("MBX1", found).published] == [True, False]


async def test_the_one_to_begin_with_may_be_called_by_its_address(forest: Forest) -> None:
    """Where its certificate has it."""
    found = await read(forest, f"ldaps://{forest.dc1.address}")

    assert [(one.name, one.url, one.why) for one in found.controllers if one.asked] == [
        ("dc1.corp.example", "ldaps://127.0.0.11", ""),
        ("dc2.corp.example", "ldaps://dc2.corp.example", ""),
    ]


async def test_a_site_with_an_exchange_server_in_it_is_not_far(forest: Forest, corp: Organization) -> None:
    """A read-only controller there stays out of it: Exchange never reads one."""
    await corp.add(MailServer("AWAY", rest={"msExchServerSite": BRANCH}))

    found = await read(forest)

    assert (called("dc3", found).asked, called("dc3", found).in_site) == (True, True)
    assert (called("dc4", found).asked, called("dc4", found).in_site) == (True, False)
