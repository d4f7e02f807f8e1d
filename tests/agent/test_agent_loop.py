"""The agent's parts one by one: clocks, the service manager, supervision, and what a crash leaves of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust import clock
from mailtrust.agent import act, mend, rotate
from mailtrust.agent.clocks import Clocks
from mailtrust.agent.loop import Round, Tending
from mailtrust.agent.notify import Systemd as Manager
from mailtrust.agent.parts import tend
from mailtrust.agent.rotate import Hands
from mailtrust.agent.run import Telling, Turning
from mailtrust.agent.site import Site
from mailtrust.agent.supervision import kept_going
from mailtrust.agent.writer import being_the_agent
from mailtrust.core.model.certificate import Fingerprint
from mailtrust.core.model.event import Said
from mailtrust.core.model.plan import Install, Obstacle, Phase, Plan, Rehearse, Rotation
from mailtrust.core.model.sighting import Act, RehearsalSighting, Slot, View
from mailtrust.core.succession import Course
from mailtrust.directory.replicate import replicate_once
from mailtrust.directory.sqlite import SqliteReplica
from mailtrust.errors import DirectoryUnavailable, Refused
from tests.agent.agents import Server, Systemd, actions, raised
from tests.make import HUB1, HUB2, NOON, minutes

SOON = timedelta(milliseconds=10)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    made = Server(tmp_path)
    made.configure(agent="enrol = true")
    return made


class Ticking:
    """A wall clock and a counter, in a test's hand."""

    def __init__(self) -> None:
        self.wall, self.count = NOON, 100.0

    def pass_(self, seconds: float, *, step: float = 0) -> None:
        self.count += seconds
        self.wall += timedelta(seconds=seconds + step)

    def clocks(self) -> Clocks:
        return Clocks(lambda: self.wall, lambda: self.count)


@pytest.mark.parametrize(
    ("step", "seen"),
    [(0, None), (4.9, None), (-4.9, None), (6, 6), (-3600, -3600), (86400 * 365, 86400 * 365)],
)
def test_a_clock_that_is_set_is_told_from_one_that_is_kept_right(step: float, seen: float | None) -> None:
    ticking = Ticking()
    clocks = ticking.clocks()
    ticking.pass_(30, step=step)

    found = clocks.step()

    assert found == (None if seen is None else timedelta(seconds=seen))
    ticking.pass_(3600)
    assert clocks.step() is None


async def test_when_the_clock_was_set_waits_begin_anew_and_it_is_said(server: Server) -> None:
    """Else an hour's leap would end an hour's wait."""
    async with server.site() as site:
        await a_round(site)
        ticking = Ticking()
        tending = Tending(site, Hands(), asyncio.Event(), lambda _: None, clocks=ticking.clocks())
        before = site.journal.history(own=site.server).since
        ticking.pass_(30, step=3600)
        await tending.round()
        after = site.journal.history(own=site.server).since

    assert before.keys() <= after.keys()
    assert all(after[key] > before[key] for key in before)
    [entry] = [one for one in server.entries() if raised(12162)(one)]
    assert entry.values["step"] == "1h forwards"


async def a_round(site: Site) -> Round:
    return await Tending(site, Hands(), asyncio.Event(), lambda _: None).round()


@asynccontextmanager
async def listening(folder: Path) -> AsyncIterator[Systemd]:
    heard = Systemd(folder / "notify")
    try:
        yield heard
    finally:
        heard.close()


async def test_the_watchdog_hears_nothing_of_a_loop_that_hangs_beside_one_that_turns(tmp_path: Path) -> None:
    """A server whose loop stands still is to be seen, although another one's goes round."""
    servers = [Server(tmp_path / name, f"{name}.example.test") for name in ("hub1", "hub2")]
    for one in servers:
        one.folder.mkdir()
        one.configure()
    async with listening(tmp_path) as heard, servers[0].site() as first, servers[1].site() as second:
        manager = Manager.of({"NOTIFY_SOCKET": str(heard.path), "WATCHDOG_USEC": "1000000"})
        turning = Turning([first, second], Telling(lambda _, __: None, lambda _: None, manager))
        turning.turned(first, Round())
        turning.turned(first, Round())
        turning.turned(first, None)
        await asyncio.sleep(0)
        assert {"WATCHDOG=1", "READY=1"}.isdisjoint(heard.heard)

        turning.turned(second, Round())
        await heard.hears("WATCHDOG=1")
        await heard.hears("READY=1")

    assert heard.heard.count("WATCHDOG=1") == 1


async def test_nobody_is_told_where_nobody_listens(tmp_path: Path) -> None:
    """Nor is it an error when systemd does not read, or when another process is meant."""
    Manager().ready()
    Manager(str(tmp_path / "nobody")).ready()

    assert Manager.of({"NOTIFY_SOCKET": "relative"}).address == ""
    assert Manager.of({"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}).watchdog is None
    assert Manager.of({"WATCHDOG_USEC": "soon"}).watchdog is None
    assert Manager.of({"WATCHDOG_USEC": "1000"}).watchdog == timedelta(milliseconds=1)


async def test_a_part_that_falls_gets_up_until_it_is_to_stop() -> None:
    until, told = asyncio.Event(), list[str]()
    ends = iter((DirectoryUnavailable("no answer", hint="look at it"), RuntimeError("a fault"), None))

    async def work() -> None:
        error = next(ends, "stop")
        if error == "stop":
            until.set()
        elif error is not None:
            raise error

    complaints = list[str]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    await kept_going("the watch", work, lambda _, why: told.append(why), until=until, first_pause=SOON)

    assert told == [
        "no answer (look at it)",
        "this is a fault in mailtrust (RuntimeError: a fault)",
        "it ended",
    ]
    assert complaints == ["the watch met a fault"]


async def test_a_server_that_has_its_agent_gets_no_second_one(server: Server) -> None:
    async with server.site() as site, being_the_agent(site.store.folder, clock.now()):
        with pytest.raises(Refused, match="has its agent already"):
            await tend(site, Hands(), asyncio.Event(), lambda _: None, SOON)


@pytest.mark.parametrize("made", [False, True])
async def test_an_enrolment_that_was_cut_off_is_finished(server: Server, made: bool) -> None:
    """Killed before a certificate was there, or when it was and nobody had enabled it."""
    async with server.site() as site:
        began = Act(
            mend.ENROL, site.server, Fingerprint(""), clock.now(), failed="it did not come to its end"
        )
        site.journal.record_act(began)
        if made:
            await act.install(site)
        found = await a_round(site)

    assert found.failed == ()
    assert len(server.slots[Slot.CURRENT]) == len(server.slots[Slot.NEXT]) == 1
    assert Slot.NONE not in server.slots
    assert (Install(site.server) in found.done) is not made


async def test_a_certificate_that_was_imported_is_enrolled_by_nobody(server: Server) -> None:
    async with server.site() as site:
        await act.install(site)
        found = await a_round(site)

    assert found.done == ()
    assert server.slots.keys() == {Slot.NONE}


async def test_what_a_replica_lost_is_brought_back_and_shown_with_its_reason(server: Server) -> None:
    """The primary was replaced by an empty one, and the home replica still knows."""
    server.configure(agent="")
    async with server.site() as site:
        made = await act.install(site)
        await act.enable(site, made.certificate.fingerprint)
        await replicate_once(site.directory, clock.now())
        await a_round(site)
        await a_new_primary(server)
        found = await a_round(site)
        looks = await site.directory.look((site.server,), clock.now())

    assert found.failed == ()
    [primary] = [look for look in looks if look.primary]
    assert made.certificate.pin in primary.pins
    planned = [one for one in server.entries() if one.kind.value == "planned" and one.action == "publish"]
    assert planned[-1].evidence[0].phrase == "obstacle.not-published"


async def a_new_primary(server: Server) -> None:
    """A file with nothing in it but what makes it a replica."""
    other = SqliteReplica(server.url("fresh"), timeout=timedelta(seconds=5))
    await other.withdraw(server.name, Fingerprint("ab" * 32), clock.now())  # type: ignore[arg-type]
    (server.folder / "fresh.db").rename(server.folder / "dc1.db")


async def test_what_is_waited_for_is_told_once_and_not_at_every_look(server: Server) -> None:
    async with server.site() as site:
        tending = Tending(site, Hands(), asyncio.Event(), lambda _: None)
        for _ in range(4):
            await tending.round()

    waits = [one for one in server.entries() if actions([one]) == ["planned wait"]]
    assert [one.values["phase"] for one in waits] == ["spread"]


async def test_a_command_wakes_it(server: Server) -> None:
    """Long before its time."""
    server.config.write_text(server.config.read_text().replace('every = "1s"', 'every = "1h"'))
    rounds = list[Round]()
    stopping, again = asyncio.Event(), asyncio.Event()

    def turned(found: Round | None) -> None:
        if found is not None:
            rounds.append(found)
            again.set()

    async with server.site() as site:
        tending = Tending(site, Hands(), stopping, turned)
        attending = asyncio.create_task(tending.wake.attend(site))
        running = asyncio.create_task(tending.run())
        while not rounds:
            await asyncio.wait_for(again.wait(), 30)
        again.clear()
        count = len(rounds)
        site.journal.record_act(Act("enable", site.server, Fingerprint("ab" * 32), clock.now()))
        await asyncio.wait_for(again.wait(), 30)
        stopping.set()
        await running
        attending.cancel()
        with suppress(asyncio.CancelledError):
            await attending

    assert len(rounds) > count


async def test_what_only_a_look_at_everybody_tells_stays_open_between_two_of_them(server: Server) -> None:
    """A key that another server publishes as well; most rounds read our own entry alone."""
    server.configure(agent="")
    async with server.site() as site:
        made = await act.install(site)
        await act.enable(site, made.certificate.fingerprint)
        await site.directory.publish(HUB2, made.certificate.der, clock.now())
        await replicate_once(site.directory, clock.now())
        tending = Tending(site, Hands(), asyncio.Event(), lambda _: None)
        await tending.round()
        await tending.round()
        opened = [one.event.code for one in site.journal.open_findings() if one.event]
        await site.directory.withdraw(HUB2, made.certificate.fingerprint, clock.now())
        await replicate_once(site.directory, clock.now())
        await Tending(site, Hands(), asyncio.Event(), lambda _: None).round()
        afterwards = [one.event.code for one in site.journal.open_findings() if one.event]

    assert 12107 in opened
    assert 12107 not in afterwards


async def test_a_peer_that_says_no_holds_the_switch_back_and_is_named(server: Server) -> None:
    """Asking all of them again at once would be no use, so that the round says so."""

    async def nobody_believes(site: Site, _: View, leaf: Fingerprint) -> tuple[RehearsalSighting, ...]:
        place = f"{HUB2} 192.0.2.7:25"
        return (RehearsalSighting(site.server, place, leaf, False, clock.now(), "454 4.7.1 1036"),)

    async with server.site() as site:
        tending = Tending(site, Hands(nobody_believes), asyncio.Event(), lambda _: None)
        await tending.round()
        await replicate_once(site.directory, clock.now())
        [before] = server.slots[Slot.CURRENT]
        await rotate.begin(site, "start")
        found = await tending.round()
        while not found.is_refused:
            await asyncio.sleep(0.1)
            found = await tending.round()

    assert server.slots[Slot.CURRENT] == [before]
    waits = [one for one in server.entries() if actions([one]) == ["planned wait"]]
    assert [one.phrase for one in waits[-1].evidence] == ["obstacle.peer-refuses"]
    assert waits[-1].evidence[0].values["place"] == f"{HUB2} 192.0.2.7:25"


def test_a_round_ends_with_when_to_look_again() -> None:
    """By the earliest of its waits; where nothing is waited for, by nothing but the usual time."""
    waits = (Obstacle(Said("obstacle.too-recent"), until=NOON + minutes(count)) for count in (9, 5))
    plan = Plan(Rotation(HUB1, Fingerprint("ab" * 32)), Phase.SPREAD, None, (*waits, Obstacle(Said("any"))))

    assert Round(course=Course("start", plan)).until == NOON + minutes(5)
    assert Round().until is None
    assert Round(course=Course("start", plan)).status == "start: spread"
    assert Round(failed=("no answer",)).status == "could not go on: no answer"
    assert Round(done=(Rehearse(HUB1, Fingerprint("")),)).is_refused
