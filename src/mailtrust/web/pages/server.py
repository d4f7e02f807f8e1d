"""One server: what is wrong with it, with proof and the line to type; then its certificates, by place."""

from __future__ import annotations

from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailtrust.core.model.server import ServerName
from mailtrust.web.asked import Asked
from mailtrust.web.copies import row
from mailtrust.web.pages import checklist, time_line
from mailtrust.web.pages.finding import told
from mailtrust.web.pages.part import Part

PARTS: tuple[Callable[[Asked, ServerName], Part | None], ...] = (checklist.part, time_line.part)
"""In the order of the page; None where there is nothing to show of that server."""


def show(asked: Asked) -> Response:
    """The page.  Raises: HTTPException 404 for a server that nobody knows."""
    server = ServerName(asked.request.path_params["server"].rstrip(".").lower())
    if server not in asked.present.corners:
        raise HTTPException(404)
    corner = asked.present.corners[server]
    columns, copies = row(asked.present, server)
    view = corner.seen.view
    return asked.render(
        "server.html.j2",
        server=server,
        row=copies,
        columns=columns,
        findings=[told(asked, one) for one in copies.findings],
        acknowledged=[told(asked, one) for one in corner.seen.acknowledged if one.server == server],
        store=view.store(server),
        wires=view.wires(server),
        looks=view.replicas(server),
        parts=[part for part in (make(asked, server) for make in PARTS) if part is not None],
    )
