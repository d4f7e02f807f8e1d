"""`mailtrust why`: from the stuck mail to the proven cause, on one screen."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from mailtrust.agent.site import open_site
from mailtrust.agent.why import Answers, ask
from mailtrust.agent.why_report import why_report
from mailtrust.cli.frame import JsonOption, UsageError, given, session, texts
from mailtrust.cli.output import emit, say, width
from mailtrust.cli.program import application
from mailtrust.cli.why_screen import COLUMNS, screen
from mailtrust.config import Config, duration

app = application()


@app.command(epilog="Example: mailtrust why hub2.example.test")
def why(
    context: typer.Context,
    *,
    peer: Annotated[
        str | None,
        typer.Argument(metavar="PEER", show_default=False, help="A server, a next hop, or a domain."),
    ] = None,
    queue: Annotated[bool, typer.Option("--queue", help="Whatever waits in the queue.")] = False,
    postfix: Annotated[
        Path | None,
        given("The queue of the Postfix configured there. Default: transport.postfix.", metavar="DIR"),
    ] = None,
    timeout: Annotated[
        str | None, given("How long one look may take. Default: policy.probe_timeout.", metavar="DURATION")
    ] = None,
    lang: Annotated[str | None, given("en or zh. Default: by $LANG.", metavar="LANGUAGE")] = None,
    json_output: JsonOption = False,
) -> None:
    """
    Say why mail for a peer does not go: the cause, its proof, and whose job it is.

    Looks at the queue, at both sides and at every replica, and changes nothing.
    """
    if (peer is None) is not queue:
        raise UsageError("name a PEER, or --queue", ctx=context)
    here = session(context)
    shelf = texts(lang)
    answers = asyncio.run(_ask(here.config(), peer, postfix, duration(timeout) if timeout else None))
    if json_output:
        emit(why_report(answers, shelf))
    else:
        say(screen(answers, shelf, here.typed, min(width() or COLUMNS, COLUMNS)))


async def _ask(config: Config, peer: str | None, postfix: Path | None, timeout: timedelta | None) -> Answers:
    async with open_site(config, looking_only=True) as site:
        return await ask(site, peer, postfix=postfix, timeout=timeout)
