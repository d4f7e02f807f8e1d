"""Debian's Chromium, driven by Playwright; whatever a page complains about on its console fails the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.programs import program

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium"), args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Reader:
    """Somebody with a browser."""

    browser: Browser
    complaints: list[str] = field(default_factory=list)
    loses_its_server: bool = False
    """Then that nobody answers is no fault of the page."""
    asked: list[str] = field(default_factory=list)
    """Every address that the browser asked for."""

    def opens(self, address: str, **settings: Any) -> Page:
        """A page of its own, as *settings* have it (`color_scheme`, `locale`, `viewport`, …)."""
        page = self.browser.new_context(**settings).new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(address)
        return page
