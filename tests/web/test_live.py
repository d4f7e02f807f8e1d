"""What is known, who is told, and when nobody looks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta

from mailtrust.core.checks import Verdict
from mailtrust.errors import DirectoryUnavailable
from mailtrust.web.live import Live
from mailtrust.web.source import NOTHING_YET, aged, failed, present
from tests.loopback import eventually
from tests.make import HUB1, HUB2
from tests.web.conftest import Show
from tests.web.scene import EVERY, Scene, Up, a_corner, a_healthy, a_missing, half_unread


def versions(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))["version"]


@asynccontextmanager
async def running(scene: Scene, every: timedelta = EVERY) -> AsyncIterator[Live]:
    live = Live(scene, every)
    task = asyncio.create_task(live.run())
    try:
        yield live
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_a_server_counts_as_its_own_corner_sees_it() -> None:
    outside = a_corner(a_healthy(HUB1).see([*half_unread(HUB2).latest[HUB2].values()]), viewpoint=HUB1)
    own = a_corner(a_healthy(HUB2))
    found = present([outside, own])

    assert found.servers == (HUB1, HUB2)
    assert (found.corners[HUB1], found.corners[HUB2]) == (outside, own)


def test_the_version_changes_with_what_is_seen_and_with_nothing_else() -> None:
    same = {present([a_corner(a_healthy(HUB1))]).version for _ in range(2)}
    healthy = present([a_corner(a_healthy(HUB1))])
    others = {
        present([a_corner(a_missing(HUB1, "a"))]).version,
        present([a_corner(half_unread(HUB1, "a"))]).version,
        failed(healthy, "the cable is out").version,
        NOTHING_YET.version,
    }

    assert len(same) == 1
    assert len(others) == 4
    assert not others & same


def test_nobody_looked_is_unknown_and_so_is_what_was_known_after_a_look_that_failed() -> None:
    healthy = present([a_corner(a_healthy(HUB1))])

    assert (NOTHING_YET.verdict, present([]).verdict) == (Verdict.UNKNOWN, Verdict.UNKNOWN)
    assert healthy.verdict is Verdict.OK
    assert failed(healthy, "the cable is out").verdict is Verdict.UNKNOWN
    assert failed(present([a_corner(a_missing(HUB1))]), "the cable is out").verdict is Verdict.ERROR


def test_what_is_old_is_not_well_and_the_next_look_is_another_page() -> None:
    healthy = present([a_corner(a_healthy(HUB1))])
    assert healthy.looked_at is not None
    limit = timedelta(minutes=1)

    assert aged(healthy, healthy.looked_at + limit, limit) is healthy
    old = aged(healthy, healthy.looked_at + limit * 1.1, limit)
    assert (old.verdict, old.corners) == (Verdict.UNKNOWN, healthy.corners)
    assert old.version != healthy.version
    assert aged(NOTHING_YET, healthy.looked_at, limit) is NOTHING_YET


async def test_nobody_asks_and_nobody_looks() -> None:
    scene = Scene()
    async with running(scene) as live:
        await asyncio.sleep(EVERY.total_seconds() * 3)
        assert scene.looks == 0

        await live.ask()
        assert scene.looks == 1


async def test_it_looks_again_while_somebody_watches() -> None:
    scene = Scene()
    async with running(scene) as live:
        reader = live.watch()
        await anext(reader)
        await eventually(lambda: scene.looks > 2)
        assert live.is_watched
        live.close()
        await reader.aclose()

    assert not live.is_watched


async def test_a_look_that_fails_keeps_what_was_known_and_says_so() -> None:
    scene = Scene()
    scene.show(a_healthy(HUB1))
    live = Live(scene, EVERY)
    before = await live.look()
    scene.corners = DirectoryUnavailable("no replica answers", hint="look at the cable")
    after = await live.look()

    assert after.trouble == "no replica answers (look at the cable)"
    assert (after.servers, after.looked_at) == (before.servers, before.looked_at)
    scene.show(a_healthy(HUB1))
    assert (await live.look()).trouble == ""


async def test_a_fault_of_ours_is_told_and_does_not_end_it() -> None:
    class Broken:
        async def look(self) -> tuple[()]:
            raise ZeroDivisionError

    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
    found = await Live(Broken(), EVERY).look()

    assert "this is a fault in mailtrust" in found.trouble
    assert len(told) == 1


def test_whoever_listens_is_told_of_every_change(dashboard: Up) -> None:
    with dashboard.listening() as lines:
        told = versions(lines)
        before = next(told)
        while before == NOTHING_YET.version:
            before = next(told)
        dashboard.scene.show(a_healthy(HUB1), a_healthy(HUB2))

        assert next(one for one in told if one != before)


def test_the_page_and_the_channel_speak_of_the_same_version(dashboard: Up) -> None:
    page = dashboard.ask("/").text
    with dashboard.listening() as lines:
        assert f'data-version="{next(versions(lines))}"' in page


def test_the_channel_is_not_held_back_by_a_proxy(dashboard: Up) -> None:
    with dashboard.listening() as lines:
        assert next(lines) == "retry: 1000"
    assert dashboard.ask("/").status == 200


def test_a_dashboard_that_ends_lets_go_of_whoever_listens(show: Show) -> None:
    up = Up(Scene())
    with up:
        with up.listening() as lines:
            next(lines)
            up.__exit__(None, None, None)
            assert [*lines][-1:] in ([""], [])
        up.__enter__()
        assert up.ask("/").status == 200
