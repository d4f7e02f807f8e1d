"""A server's time line and the checklist of its rotation, in a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import expect

from mailtrust import clock
from mailtrust.agent import act
from mailtrust.core.model.certificate import short
from mailtrust.core.model.plan import Rotation
from mailtrust.core.model.sighting import Act, Intent
from tests.agent.night import Night, night
from tests.make import HUB1
from tests.programs import needs
from tests.web.looked_at import NARROW, dashboard, opened

pytestmark = needs("chromium")
PAGE = f"/servers/{HUB1}"


@pytest.fixture
async def tonight(tmp_path: Path) -> AsyncIterator[Night]:
    async with night(tmp_path) as made:
        yield made


async def test_every_moment_of_a_certificate_stands_in_a_table(tonight: Night) -> None:
    """What the drawing shows, a screen reader tells too; the drawing itself it leaves out."""
    leaf = await tonight.enabled()
    await tonight.starts()

    async with dashboard(tonight.site) as address, opened(address + PAGE) as page:
        table = page.get_by_role("table", name=f"What became of {short(leaf.fingerprint)}, and when")
        tree = await table.aria_snapshot()

    for row in ("made", "published", "seen on dc1", "seen on dc2", "seen on dc3", "presented", "expires"):
        assert f'rowheader "{row}' in tree
    assert tree.count("there") >= 5
    assert "img" not in tree


async def test_where_nobody_could_look_is_never_green(tonight: Night) -> None:
    leaf = await tonight.enabled()
    tonight.damage("dc3")

    async with dashboard(tonight.site) as address, opened(address + PAGE) as page:
        table = page.get_by_role("table", name=short(leaf.fingerprint))
        unread = table.get_by_role("row").filter(has_text="seen on dc3")
        await expect(unread).to_contain_text("not seen")
        assert await unread.locator(".good").count() == 0
        await expect(page.get_by_text("These places could not be looked at")).to_be_visible()


async def test_what_was_withdrawn_and_removed_keeps_its_line(tonight: Night) -> None:
    await tonight.enabled()
    gone = "9d" * 32
    for what, ago in (("publish", 9), ("present", 8), ("withdraw", 2)):
        at = clock.now() - timedelta(days=ago)
        tonight.site.journal.record_act(Act(what, HUB1, gone, at, "dc1"))  # type: ignore[arg-type]

    async with dashboard(tonight.site) as address, opened(address + PAGE) as page:
        table = page.get_by_role("table", name="9d9d9d9d9d9d")
        await expect(table.get_by_role("rowheader")).to_have_text(
            ["published", "made the current one", "withdrawn"]
        )


async def test_the_checklist_is_ticked_while_one_watches(tonight: Night) -> None:
    await tonight.enabled()
    new = await tonight.made()
    await tonight.publish(new, "dc1", ago=timedelta(seconds=2))
    await act.enable(tonight.site, new.fingerprint)

    async with dashboard(tonight.site) as address, opened(address + PAGE) as page:
        step = page.locator("[aria-current=step]")
        await expect(step).to_contain_text("spread")
        await expect(step).to_contain_text(f"dc2.db does not publish {short(new.fingerprint)} yet")
        await page.evaluate("window.stayed = true")

        await tonight.publish(new, "dc2", "dc3", ago=timedelta(seconds=1))

        await expect(step).to_contain_text("present")
        await expect(step).to_contain_text(f"make {short(new.fingerprint)} the current certificate")
        command = step.locator(".command code")
        await expect(command).to_have_text(f"mailtrust --config hub1.toml enable {short(new.fingerprint)}")
        assert await page.evaluate("window.stayed")


async def test_who_turns_round_before_the_switch_sees_that_the_old_one_is_presented(tonight: Night) -> None:
    current = await tonight.enabled()
    new = await tonight.made()
    await tonight.publish(new, ago=timedelta(seconds=2))
    back = Rotation(HUB1, current.fingerprint, old=frozenset({new.fingerprint}))
    tonight.site.journal.begin(Intent(back, "undo", clock.now()))

    async with dashboard(tonight.site) as address, opened(address + PAGE) as page:
        await expect(page.locator("[aria-current=step]")).to_contain_text("spread")
        await expect(page.locator(".checklist > .done").last).to_contain_text("present")
        await expect(page.locator(".checklist > .later").first).to_contain_text("settle")


async def test_a_successor_is_prepared_and_not_enabled(tonight: Night) -> None:
    """To enable it would be to present it."""
    await tonight.enabled()

    async with dashboard(tonight.site) as address, opened(address + PAGE) as page:
        await expect(page.locator(".checklist .command code")).to_have_text(
            "mailtrust --config hub1.toml rotate prepare"
        )


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_is_readable_in_chinese_on_a_narrow_screen(tonight: Night, scheme: str) -> None:
    await tonight.enabled()
    tonight.damage("dc2")

    async with (
        dashboard(tonight.site) as address,
        opened(address + PAGE, language="zh-CN", viewport=NARROW, color_scheme=scheme) as page,
    ):
        await expect(page.get_by_role("heading", name="证书时间线")).to_be_visible()
        await expect(page.get_by_role("heading", name="轮换")).to_be_visible()
        drawing = await page.locator("svg.lane").first.bounding_box()

    assert drawing is not None
    assert drawing["width"] > 200
