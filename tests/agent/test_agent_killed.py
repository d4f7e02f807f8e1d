"""An agent that is killed again and again, while mail flows: the next one goes on, and nobody notices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust import clock
from mailtrust.agent import rotate
from mailtrust.agent.journal_rows import Entry
from mailtrust.core.model.sighting import Slot
from mailtrust.lab.member import Member
from mailtrust.lab.organization import Organization, open_organization
from tests.agent.agents import LONG, an_agent, done

SHORT = '[policy]\nspread = "1s"\nsettle = "1s"\nsnapshot_max_age = "1s"\nkey = "p256"\n'


@asynccontextmanager
async def an_organization(folder: Path) -> AsyncIterator[Organization]:
    """Two hubs, two replicas that lag, and mail between the hubs twice a second."""
    lag, latency = timedelta(seconds=0.5), timedelta(seconds=30)
    async with open_organization(folder, "embedded", servers=2, replicas=2, lag=lag, latency=latency) as made:
        for member in made.members:
            file = folder / member.config_name
            file.write_text(file.read_text().replace("[policy]\n", SHORT) + '\n[agent]\nevery = "1s"\n')
        sending = asyncio.create_task(made.mail.run())
        try:
            yield made
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending


@dataclass
class Reaper:
    """Kills an agent as soon as it writes something new into its journal."""

    member: Member
    met: set[tuple[str, str, str]] = field(default_factory=set)

    def news(self) -> set[tuple[str, str, str]]:
        entries = self.member.site.journal.entries()
        return {_kind(one) for one in entries if one.action} - self.met

    async def lives(self, folder: Path) -> None:
        """One life of the agent."""
        async with an_agent(folder, "--config", self.member.config_name, "agent") as agent:
            while not (news := self.news()):  # noqa: ASYNC110  # another process writes it
                await asyncio.sleep(0.002)
            await agent.kill()
        self.met |= news


def _kind(entry: Entry) -> tuple[str, str, str]:
    return entry.kind.value, entry.action or "", f"{entry.values.get('why')} {entry.values.get('phase')}"


async def has_successor(member: Member) -> None:
    """Made, and published at every replica; whoever did it may have been killed before he wrote it down."""
    async with asyncio.timeout(LONG):
        while not await _is_known(member):  # noqa: ASYNC110  # another process makes it so
            await asyncio.sleep(0.05)


async def _is_known(member: Member) -> bool:
    pins = [one.certificate.pin for one in member.site.store.installed() if one.slot is Slot.NEXT]
    looks = await member.site.directory.look((member.name,), clock.now())
    return bool(pins) and all(pin in look.pins for look in looks for pin in pins)


async def ended(member: Member, action: str) -> None:
    async with asyncio.timeout(LONG):
        while not any(map(done(action), member.site.journal.entries())):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def invariant_holds(member: Member) -> None:
    """What is current is published on every replica."""
    current = member.site.store.current()
    assert current is not None
    looks = await member.site.directory.look((member.name,), clock.now())
    assert all(current.certificate.pin in look.pins for look in looks)


@pytest.mark.timeout(240)
async def test_killed_after_every_line_of_its_journal_it_comes_to_the_same_end(tmp_path: Path) -> None:
    """A rotation of hub1 begun by hand; its successor made and published before, and another one after."""
    async with an_organization(tmp_path) as organization:
        member = organization.members[0]
        reaper = Reaper(member, {_kind(one) for one in member.site.journal.entries()})
        await reaper.lives(tmp_path)
        async with an_agent(tmp_path, "--config", member.config_name, "agent") as agent:
            await has_successor(member)
            await agent.kill()
        old = member.site.store.current()
        await rotate.begin(member.site, "start")
        reaper.met |= reaper.news()
        lives = 0
        while not any(map(done("rotation done"), member.site.journal.entries())):
            await reaper.lives(tmp_path)
            await invariant_holds(member)
            lives += 1
        async with an_agent(tmp_path, "--config", member.config_name, "agent") as agent:
            await has_successor(member)
            assert await agent.stop() == 0
        counts = await organization.mail.settled()

    phases = {one.values.get("phase") for one in member.site.journal.entries()}
    assert {"spread", "present", "settle", "withdraw"} <= phases
    assert lives >= 6
    slots = {one.slot: one.certificate.fingerprint for one in member.site.store.installed()}
    assert old is not None
    assert slots[Slot.CURRENT] != old.certificate.fingerprint
    assert (counts.deferred, counts.refused, counts.lost, counts.waiting) == (0, 0, 0, 0)
    assert counts.delivered == counts.sent > 10


@pytest.mark.timeout(120)
async def test_two_servers_rotate_at_once_while_mail_flows(tmp_path: Path) -> None:
    async with an_organization(tmp_path) as organization:
        first, second = organization.members
        async with (
            an_agent(tmp_path, "--config", first.config_name, "agent") as one,
            an_agent(tmp_path, "--config", second.config_name, "agent") as other,
        ):
            for member in (first, second):
                await has_successor(member)
                await rotate.begin(member.site, "start")
            for member in (first, second):
                await ended(member, "rotation done")
            assert (await one.stop(), await other.stop()) == (0, 0)
        counts = await organization.mail.settled()

    assert (counts.deferred, counts.refused, counts.lost, counts.waiting) == (0, 0, 0, 0)
