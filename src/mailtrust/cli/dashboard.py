"""`mailtrust dashboard`: what check and status see, in a browser, kept up to date."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from mailtrust import texts as shelf
from mailtrust.agent.site import open_site
from mailtrust.cli import loop
from mailtrust.cli.frame import JsonOption, Session, given, session
from mailtrust.cli.output import emit_line, say
from mailtrust.cli.program import application
from mailtrust.config import Config, Web
from mailtrust.core.model.server import endpoint
from mailtrust.errors import BadInput

app = application()

DASHBOARD_SCHEMA = "mailtrust.dashboard/1"
_SHORTEST = timedelta(seconds=2)


@app.command(epilog="Example: mailtrust dashboard --listen 127.0.0.1:12012")
def dashboard(
    context: typer.Context,
    *,
    listen: Annotated[
        str | None, given("Where to listen. Default: web.listen, 127.0.0.1:12012.", metavar="HOST:PORT")
    ] = None,
    token_file: Annotated[
        Path | None, given("Ask for the token in that file. Default: web.token_file.", metavar="FILE")
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """
    Show every server's copies in a browser, what is wrong, and what to type; until Ctrl-C.

    It only reads, and writes nothing, the journal neither. On loopback nobody is asked; anywhere else a
    token or a reverse proxy's header is (see docs/dashboard.md).
    """
    here = session(context)
    config = here.config()
    web = replace(
        config.web,
        listen=endpoint(listen) if listen else config.web.listen,
        token_file=token_file.absolute() if token_file else config.web.token_file,
    )
    loop.run(_until_stopped(web, here, config, json_output=json_output))


async def _until_stopped(web: Web, here: Session, config: Config, *, json_output: bool) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with showing(web, [(here, config)]) as address:
        if json_output:
            emit_line({"schema": DASHBOARD_SCHEMA, "address": address})
        else:
            say(f"dashboard: {address}")
            sys.stdout.flush()
        await stopping.wait()


@asynccontextmanager
async def showing(web: Web, configs: Sequence[tuple[Session, Config]]) -> AsyncIterator[str]:
    """The dashboard of these configurations, up; its address.  Raises: MailtrustError."""
    serve = _installed()
    from mailtrust.web.source import Sites

    access = serve.access_of(web)
    async with AsyncExitStack() as opened:
        sites = [
            (await opened.enter_async_context(open_site(config, looking_only=True)), here.typed)
            for here, config in configs
        ]
        every = max(_SHORTEST, min(config.agent.every for _, config in configs))
        language = shelf.language(None, os.environ)
        async with serve.serving(Sites(sites), web.listen, access, every=every, language=language) as address:
            yield address


def _installed() -> ModuleType:
    try:
        from mailtrust.web import serve
    except ImportError as error:
        raise BadInput("the dashboard needs the extra `web`", hint="pip install 'mailtrust[web]'") from error
    return serve
