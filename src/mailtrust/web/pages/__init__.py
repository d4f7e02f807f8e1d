"""
Every page of the dashboard, in one table; `mailtrust.web` says how one is added.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response

from mailtrust.web.asked import Asked
from mailtrust.web.pages import event, fleet, flow, mail, replicas, server


@dataclass(frozen=True, slots=True)
class Page:
    """An address, and what it shows."""

    path: str
    """As Starlette writes it."""
    show: Callable[[Asked], Response]
    """Runs in a thread."""
    label: str = ""
    """The code of its label in the navigation; empty where it is not there."""


PAGES: tuple[Page, ...] = (
    Page("/", fleet.show, "web-fleet"),
    Page("/servers/{server}", server.show),
    Page("/replicas", replicas.show, "web-replicas"),
    Page("/mail", mail.show, "web-mail"),
    Page("/flow", flow.show, "web-flow"),
    Page("/events", event.contents, "web-events"),
    Page("/events/{code:int}", event.show),
)
NAVIGATION = tuple((page.path, page.label) for page in PAGES if page.label)
