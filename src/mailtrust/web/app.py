"""The dashboard as an ASGI application: its pages, its files, its live channel, behind its guard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from mailtrust import clock
from mailtrust.web.asked import Asked, texts_for
from mailtrust.web.live import Live
from mailtrust.web.pages import NAVIGATION, PAGES, Page
from mailtrust.web.security import Access, Guard
from mailtrust.web.source import aged

_STATIC = Path(__file__).parent / "static"
_STALE_LOOKS = 4
_STALE_SECONDS = 30
"""A look may take a while; only what is older than both is called old."""


def make_app(live: Live, access: Access, *, language: str = "en") -> ASGIApp:
    """The application; while it is up, *live* looks.  *language* is for readers who ask for none of ours."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        looking = asyncio.create_task(live.run())
        try:
            yield
        finally:
            live.close()
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def watch(request: Request) -> Response:
        if live.is_full:
            return PlainTextResponse("Too many pages are open.\n", 503, headers={"Retry-After": "30"})
        # nginx would hold the events back.
        headers = {"X-Accel-Buffering": "no"}
        if request.method == "HEAD":
            return Response(media_type="text/event-stream", headers=headers)
        return StreamingResponse(live.watch(), media_type="text/event-stream", headers=headers)

    async def told(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        asked = await _asked(request, live, language, present=False)
        headers = getattr(error, "headers", None) or {}
        answer = await asyncio.to_thread(asked.render, "error.html.j2", status=status, code=status)
        answer.headers.update(headers)
        return answer

    routes: list[BaseRoute] = [
        Route("/live", watch, methods=["GET"]),
        Mount("/static", StaticFiles(directory=_STATIC), name="static"),
        *(Route(page.path, _endpoint(page, live, language), methods=["GET"]) for page in PAGES),
    ]
    pages = Starlette(
        routes=routes,
        middleware=[Middleware(GZipMiddleware, minimum_size=2000, compresslevel=5)],
        exception_handlers={HTTPException: told, Exception: told},
        lifespan=lifespan,
    )
    # Outside of everything, so that a fault of our own is answered behind it as well.
    return Guard(pages, access)


def _endpoint(page: Page, live: Live, language: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        asked = await _asked(request, live, language)
        return await asyncio.to_thread(page.show, asked)

    return endpoint


async def _asked(request: Request, live: Live, language: str, *, present: bool = True) -> Asked:
    texts, said = texts_for(request, language)
    stale_after = max(int(live.every.total_seconds() * _STALE_LOOKS), _STALE_SECONDS)
    known = await live.ask() if present else live.present
    known = aged(known, clock.now(), timedelta(seconds=stale_after))
    return Asked(request, texts, known, NAVIGATION, stale_after, said)
