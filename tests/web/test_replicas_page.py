"""The replicas, in a browser: what is late or unread, since when, and what to type."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import expect

from mailtrust.core.model.certificate import short
from tests.agent.night import Night, night
from tests.make import HUB1
from tests.programs import needs
from tests.web.looked_at import NARROW, dashboard, opened

pytestmark = needs("chromium")


@pytest.fixture
async def tonight(tmp_path: Path) -> AsyncIterator[Night]:
    async with night(tmp_path) as made:
        yield made


async def test_what_is_overdue_comes_with_the_line_to_type(tonight: Night) -> None:
    leaf = await tonight.enabled("dc1", "dc3")

    async with dashboard(tonight.site) as address, opened(f"{address}/replicas") as page:
        late, well = (
            page.locator("section.replica", has_text="dc2"),
            page.locator("section.replica", has_text="dc3"),
        )
        await expect(late.get_by_role("heading")).to_contain_text("late")
        await expect(late).to_contain_text("overdue since")
        await expect(late.locator(".command code")).to_have_text(
            f"mailtrust --config hub1.toml enable {short(leaf.fingerprint)}"
            f" --replica sqlite://{tonight.folder}/dc2.db"
        )
        await expect(late.get_by_role("link", name="12102")).to_be_visible()
        await expect(well.locator("h2 .good")).to_have_text("has what the others have")


async def test_a_replica_that_cannot_be_read_is_neither_late_nor_well(tonight: Night) -> None:
    await tonight.enabled()
    tonight.damage("dc3")

    async with dashboard(tonight.site) as address, opened(f"{address}/replicas") as page:
        unread = page.locator("section.replica").filter(has=page.get_by_role("heading", name="dc3"))
        await expect(unread.locator("h2 .unknown")).to_have_text("could not look")
        await expect(unread).to_contain_text("its file is no database")
        await expect(unread.locator(".command code")).to_have_text(
            "mailtrust --config hub1.toml directory show"
        )
        assert await unread.locator(".good, .band.late").count() == 0
        # What the others have is only known of those that answered.
        await expect(page.locator("h2 .good").first).to_contain_text("as far as they could be read")


async def test_an_arrival_is_drawn_and_told_while_one_watches(tonight: Night) -> None:
    leaf = await tonight.enabled("dc1", "dc3", ago=timedelta(seconds=4))

    async with dashboard(tonight.site) as address, opened(f"{address}/replicas") as page:
        dc2 = page.locator("section.replica").filter(has=page.get_by_role("heading", name="dc2"))
        await expect(dc2.locator("h2")).to_contain_text("on its way")
        assert await dc2.locator(".plot .growing").count() == 1

        await tonight.publish(leaf, "dc2", ago=timedelta(seconds=4))

        await expect(dc2.locator("h2")).to_contain_text("has what the others have")
        assert await dc2.locator(".plot .dot").count() == 1
        await dc2.get_by_text("The same as a list").press("Enter")
        arrived = dc2.get_by_role("listitem").filter(has_text=f"{short(leaf.fingerprint)} of {HUB1} arrived")
        await expect(arrived).to_be_visible()


async def test_for_how_long_it_was_unread_is_remembered(tonight: Night) -> None:
    await tonight.enabled()
    before = (tonight.folder / "dc3.db").read_bytes()

    async with dashboard(tonight.site) as address, opened(f"{address}/replicas") as page:
        dc3 = page.locator("section.replica").filter(has=page.get_by_role("heading", name="dc3"))
        await expect(dc3.locator("h2 .good")).to_be_visible()
        tonight.damage("dc3")
        await expect(dc3.locator("h2 .unknown")).to_be_visible()
        (tonight.folder / "dc3.db").write_bytes(before)
        await expect(dc3.locator("h2 .good")).to_be_visible()
        assert await dc3.locator(".band.unread").count() == 1


@pytest.mark.parametrize(("language", "late"), [("en", "dc2 late"), ("zh-CN", "dc2 迟到")])
async def test_it_is_readable_on_a_narrow_screen(tonight: Night, language: str, late: str) -> None:
    await tonight.enabled("dc1", "dc3")
    tonight.damage("dc3")

    async with (
        dashboard(tonight.site) as address,
        opened(f"{address}/replicas", language=language, viewport=NARROW, color_scheme="dark") as page,
    ):
        await expect(page.get_by_role("heading", name=late)).to_be_visible()


async def test_what_is_old_is_not_green(tonight: Night) -> None:
    await tonight.enabled()

    async with dashboard(tonight.site) as address, opened(f"{address}/replicas") as page:
        well = page.locator("h2 .good").first
        green = await well.evaluate("one => getComputedStyle(one).color")
        # The page takes the class away again as soon as it has counted.
        colour = await well.evaluate(
            "one => { document.body.classList.add('is-old'); return getComputedStyle(one).color; }"
        )

    assert colour != green
