"""The page of an event, as `mailtrust explain` has it; and the list of all of them."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.responses import Response

import mailtrust
from mailtrust.core.events import catalog
from mailtrust.core.events.explain import contents as all_events
from mailtrust.core.events.explain import explain
from mailtrust.web.asked import Asked


def contents(asked: Asked) -> Response:
    """Every event; those that hold now are marked."""
    entries = all_events(catalog.CATALOG, lambda code: asked.texts.page(code).title)
    holding: dict[int, int] = {}
    for one in asked.present.findings():
        holding[one.event.code] = holding.get(one.event.code, 0) + 1
    return asked.render("events.html.j2", entries=entries, holding=holding)


def show(asked: Asked) -> Response:
    """One event.  Raises: HTTPException 404 for a number that is none."""
    event = catalog.BY_CODE.get(asked.request.path_params["code"])
    if event is None:
        raise HTTPException(404)
    page = explain(event, asked.texts.page(event.code), mailtrust.__version__)
    related = {
        one: asked.texts.page(int(one)).title
        for one in page.text.see_also
        if one.isdecimal() and int(one) in catalog.BY_CODE
    }
    holding = [one for one in asked.present.findings() if one.event is event]
    return asked.render("event.html.j2", page=page, related=related, holding=holding)
