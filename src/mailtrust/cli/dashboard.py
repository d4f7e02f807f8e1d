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
from typing import TYPE_CHECKING, Annotated

import typer

from mailtrust import texts as shelf
from mailtrust.agent.site import open_site
from mailtrust.cli import loop
from mailtrust.cli.configurations import reading
from mailtrust.cli.frame import JsonOption, Session, given, session
from mailtrust.cli.output import emit_line, say
from mailtrust.cli.program import application
from mailtrust.config import Config, Web
from mailtrust.core.model.server import endpoint
from mailtrust.errors import BadInput

if TYPE_CHECKING:
    from mailtrust.web.security import Access

app = application()
Shown = Sequence[tuple[Session, Config]]
"""Each server's configuration, and how its commands are typed."""

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
    config_dir: Annotated[
        Path | None,
        given("Show every server with a *.toml there, instead of --config.", metavar="FOLDER"),
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """
    Show every server's copies in a browser, what is wrong, and what to type; until Ctrl-C.

    It only reads, and writes nothing, the journal neither. On loopback nobody is asked; anywhere else a
    token or a reverse proxy's header is (see docs/dashboard.md).
    """
    configs = []
    for file, one in reading(session(context), config_dir, context)().items():
        if not isinstance(one, Config):
            raise one
        configs.append((Session(file), one))
    web = configs[0][1].web
    web = replace(
        web,
        listen=endpoint(listen) if listen else web.listen,
        token_file=token_file.absolute() if token_file else web.token_file,
    )
    loop.run(_until_stopped(web, configs, json_output=json_output))


async def _until_stopped(web: Web, configs: Shown, *, json_output: bool) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with showing(web, configs) as address:
        if json_output:
            emit_line({"schema": DASHBOARD_SCHEMA, "address": address})
        else:
            say(f"dashboard: {address}")
            sys.stdout.flush()
        await stopping.wait()


@asynccontextmanager
async def showing(web: Web, configs: Shown) -> AsyncIterator[str]:
    """The dashboard of these configurations, up; its address.  Raises: MailtrustError."""
    access = checked(web)
    from mailtrust.web.serve import serving
    from mailtrust.web.source import Sites

    async with AsyncExitStack() as opened:
        sites = [
            (await opened.enter_async_context(open_site(config, looking_only=True)), here.typed)
            for here, config in configs
        ]
        every = max(_SHORTEST, min(config.agent.every for _, config in configs))
        language = shelf.language(None, os.environ)
        async with serving(Sites(sites), web.listen, access, every=every, language=language) as up:
            yield up.address


def checked(web: Web) -> "Access":
    """
    Whom the dashboard answers, by the configuration.

    Raises: BadInput where it is not installed; BadConfiguration, Refused for what would not be safe.
    """
    try:
        from mailtrust.web.serve import access_of
    except ImportError as error:
        raise BadInput("the dashboard needs the extra `web`", hint="pip install 'mailtrust[web]'") from error
    return access_of(web)
