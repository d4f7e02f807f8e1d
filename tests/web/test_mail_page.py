"""The mail flow, in a browser: why what waits does not go, and who authenticated to whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import expect

from mailtrust import clock
from mailtrust.core.model.certificate import short
from mailtrust.core.sessions import Count, Met, Reason, Way
from tests.agent.night import Night, night
from tests.hub.organization import held
from tests.make import HUB1, HUB2
from tests.programs import needs
from tests.web.looked_at import NARROW, dashboard, opened

pytestmark = needs("chromium")
STRANGER = "192.0.2.66"


@pytest.fixture
async def tonight(tmp_path: Path) -> AsyncIterator[Night]:
    async with night(tmp_path) as made:
        yield made


async def test_a_blocked_route_says_why_and_what_to_type(tonight: Night) -> None:
    leaf = await tonight.made()
    await tonight.publish(held(HUB2))
    await tonight.peer_hub()
    await tonight.sends(3)

    async with dashboard(tonight.site) as address, opened(f"{address}/mail") as page:
        route = page.get_by_role("article", name=HUB2)
        await expect(route).to_contain_text("3 messages since")
        await expect(route.get_by_role("link", name="12012")).to_have_attribute("href", "/events/12012")
        await expect(route.locator(".command code")).to_have_text(
            f"mailtrust --config hub1.toml enable {short(leaf.fingerprint)}"
        )
        await expect(route.locator(".copies")).to_contain_text("dc1 not there")
        details = route.get_by_text("Proof and details")
        await details.press("Enter")
        await expect(route.get_by_text("PROOF", exact=True)).to_be_visible()


async def test_a_command_for_the_peers_host_is_typed_there(tonight: Night) -> None:
    await tonight.enabled()
    await tonight.publish(held(HUB2, "another"))
    await tonight.peer_hub()
    await tonight.sends()

    async with dashboard(tonight.site) as address, opened(f"{address}/mail") as page:
        route = page.get_by_role("article", name=HUB2)
        await expect(route).to_contain_text(f"Type on {HUB2}")
        await expect(route.locator(".command code")).to_have_text(
            f"mailtrust enable {short(held(HUB2).certificate.fingerprint)}"
        )


async def test_who_authenticated_to_whom_stands_in_a_table(tonight: Night) -> None:
    now = clock.now()
    theirs = Met("127.0.0.2", Way.FROM, Reason.PUBLISHED, HUB2, "ab" * 32)
    stranger = Met(STRANGER, Way.FROM, Reason.NO_CERTIFICATE)
    tonight.site.journal.count_sessions([Count(theirs, 12, now, now), Count(stranger, 3, now, now)])

    async with dashboard(tonight.site) as address, opened(f"{address}/mail") as page:
        table = page.get_by_role("table", name="Who authenticated to whom")
        rows = table.locator("tbody tr")
        await expect(rows).to_have_count(2)
        await expect(rows.nth(0)).to_contain_text(f"{STRANGER} {HUB1} nothing 0 3 no certificate")
        await expect(rows.nth(1)).to_contain_text(f"{HUB2} 127.0.0.2 {HUB1} abababababab 12 0")
        await expect(page.get_by_text("12 sessions were authenticated and 3 were not")).to_be_visible()


async def test_a_queue_that_cannot_be_read_is_not_an_empty_one(tonight: Night) -> None:
    await tonight.enabled()
    queue = tonight.folder / "store" / "queue"
    queue.mkdir(parents=True)
    (queue / "queue.db").write_bytes(b"not a database any more\n" * 400)

    async with dashboard(tonight.site) as address, opened(f"{address}/mail") as page:
        await expect(page.get_by_role("heading", name=HUB1)).to_contain_text("not seen")
        await expect(page.get_by_text("queue.db cannot be read")).to_be_visible()
        assert await page.locator("h2 .good").count() == 0


async def test_what_begins_to_wait_appears_while_one_watches(tonight: Night) -> None:
    await tonight.enabled()
    await tonight.publish(held(HUB2))

    async with dashboard(tonight.site) as address, opened(f"{address}/mail") as page:
        await expect(page.get_by_role("heading", name=HUB1)).to_contain_text("no mail waits")
        await tonight.sends()
        await expect(page.get_by_role("article", name=HUB2)).to_contain_text(
            "12116", timeout=timedelta(seconds=25) / timedelta(milliseconds=1)
        )
        # Whoever is on another page sees it, too.
        await expect(page.get_by_role("link", name="Mail flow 1 blocked")).to_be_visible()


async def test_it_is_readable_in_chinese_on_a_narrow_screen(tonight: Night) -> None:
    await tonight.made()
    await tonight.publish(held(HUB2))
    await tonight.peer_hub()
    await tonight.sends()

    async with (
        dashboard(tonight.site) as address,
        opened(f"{address}/mail", language="zh-CN", viewport=NARROW, color_scheme="dark") as page,
    ):
        await expect(page.get_by_role("heading", name="邮件流")).to_be_visible()
        await expect(page.get_by_role("article", name=HUB2)).to_contain_text("受阻")
