"""One server: what is wrong with it, with proof and the line to type; then its certificates, by place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailtrust.core.model.server import ServerName
from mailtrust.web.asked import Asked
from mailtrust.web.copies import row
from mailtrust.web.pages.finding import told


@dataclass(frozen=True, slots=True)
class Part:
    """A section of the page, below the findings."""

    template: str
    """It is included, begins with an `h2`, and meets its values as `part`."""
    values: Mapping[str, Any] = field(default_factory=dict)


PARTS: tuple[Callable[[Asked, ServerName], Part | None], ...] = ()
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
