"""Dashboards, and a browser to open them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser

from mailtrust.web.security import Access
from tests.web.browser import Reader, chromium
from tests.web.scene import Scene, Up, a_healthy, a_missing

Show = Callable[..., Up]


@pytest.fixture
def show() -> Iterator[Show]:
    """Shows a scene; closed after the test."""
    with ExitStack() as opened:

        def up(scene: Scene | None = None, access: Access | None = None, **more: Any) -> Up:
            return opened.enter_context(Up(scene or Scene(), access or Access(), **more))

        yield up


@pytest.fixture
def dashboard(show: Show) -> Up:
    """hub1 misses in the directory, hub2 is in order."""
    scene = Scene()
    scene.show(a_missing("hub1.example.test"), a_healthy("hub2.example.test"))
    return show(scene)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one module at a time: while it is open, tests that await have no loop."""
    with chromium() as opened:
        yield opened


@pytest.fixture
def reader(browser: Browser) -> Iterator[Reader]:
    """Ends with every page closed, and nothing on any console."""
    found = Reader(browser)
    yield found
    for context in browser.contexts:
        context.close()
    forgiven = "ERR_" if found.loses_its_server else "\0"
    assert [one for one in found.complaints if forgiven not in one] == []
