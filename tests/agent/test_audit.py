"""Looking, joining and judging, with whatever reads the forest handed in."""

from __future__ import annotations

from dataclasses import replace

from mailtrust.agent.audit import Aim, audit, saw_nothing
from mailtrust.config import Directory
from mailtrust.core.exchange.facts import Organization
from tests.forest import DC1, a_server, an_organization, collected, its_own, stored

HOME = "ldaps://dc1.corp.example"
AIM = Aim(Directory(HOME, HOME, (HOME,), None, layout="exchange"))


def reads(organization: Organization) -> object:
    async def read(aim: Aim) -> Organization:
        assert aim.directory.home == HOME
        return organization

    return read


async def test_what_was_read_and_what_was_collected_are_judged_together() -> None:
    held = collected("MBX1", stored(its_own("MBX1")))

    seen = await audit(AIM, reads(an_organization(a_server(), a_server("MBX2"))), [held])

    assert [one.collected for one in seen.organization.servers] == [held, None]
    assert not saw_nothing(seen)


async def test_only_the_servers_that_were_asked_for_are_judged() -> None:
    aim = replace(AIM, servers=("mbx2",))

    seen = await audit(aim, reads(an_organization(a_server(), a_server("MBX2"))))

    assert [row.server.name for row in seen.grid] == ["MBX2"]


async def test_without_an_aim_no_directory_is_read() -> None:
    async def read(aim: Aim) -> Organization:
        raise AssertionError("nobody asked for it")

    seen = await audit(None, read, [collected("MBX1")])

    assert [row.server.name for row in seen.grid] == ["MBX1"]
    assert not saw_nothing(seen)


async def test_nothing_read_is_no_page() -> None:
    silent = replace(DC1, why="no answer in 10 s")

    assert saw_nothing(await audit(AIM, reads(an_organization(controllers=(silent,)))))
