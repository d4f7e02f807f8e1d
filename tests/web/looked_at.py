"""A dashboard of one server, looked at in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from playwright.async_api import Page, async_playwright

from mailtrust.agent.site import Site
from mailtrust.core.model.server import Endpoint
from mailtrust.web.security import Access
from mailtrust.web.serve import serving
from mailtrust.web.source import Sites
from tests.loopback import LOOPBACK, free_port
from tests.programs import program
from tests.web.browser import ARGUMENTS

NARROW = {"width": 360, "height": 740}
_LOOK_EVERY = timedelta(milliseconds=300)


def typed(command: str) -> str:
    """A command as it is typed in these tests."""
    return command.replace("mailtrust", "mailtrust --config hub1.toml", 1)


@asynccontextmanager
async def dashboard(site: Site) -> AsyncIterator[str]:
    """The dashboard of *site*, up; its address without the last slash."""
    listen = Endpoint(LOOPBACK, free_port())
    async with serving(Sites([(site, typed)]), listen, Access(), every=_LOOK_EVERY) as up:
        yield up.address.rstrip("/")


@asynccontextmanager
async def opened(address: str, *, language: str = "en", **context: Any) -> AsyncIterator[Page]:
    """
    That address in Chromium; in the end it complains of nothing, and nothing hangs over the edge.
    """
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program("chromium"), args=ARGUMENTS)
        options = {"viewport": {"width": 1280, "height": 900}, **context}
        page = await (await browser.new_context(locale=language, **options)).new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        answer = await page.goto(address)
        assert answer is not None
        assert answer.status == 200
        yield page
        overhang = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        await browser.close()
    assert complaints == []
    assert overhang <= 0
