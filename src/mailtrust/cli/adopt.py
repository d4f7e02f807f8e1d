"""`mailtrust adopt`: what decides between mail servers today, host by host; nothing is changed."""

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from mailtrust import clock
from mailtrust.agent.adopted import published, read, written
from mailtrust.agent.site import open_site
from mailtrust.cli.adopt_page import page, report
from mailtrust.cli.files import read_file
from mailtrust.cli.frame import JsonOption, Session, UsageError, session, texts
from mailtrust.cli.output import caution, emit, show
from mailtrust.cli.program import application
from mailtrust.config import Config, find
from mailtrust.core.adopt.facts import Host
from mailtrust.core.adopt.pairs import Published, adoption, older
from mailtrust.core.model.event import Said, when
from mailtrust.transports.postfix.adopt_look import look

app = application()

_USUAL = Path("/etc/postfix")


@app.command(epilog="Example: mailtrust adopt --collect > mx1.json")
def adopt(
    context: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE...", show_default=False,
            help="What --collect wrote, one for each host. Default: this host.",
        ),
    ] = None,
    *,
    postfix: Annotated[
        list[Path] | None,
        typer.Option(
            "--postfix", metavar="DIR", show_default=False,
            help="The configuration folder of a Postfix here; once for each instance.",
        ),
    ] = None,
    collect: Annotated[
        bool, typer.Option("--collect", help="Write what this host says, for another to read.")
    ] = False,
    json_output: JsonOption = False,
) -> None:  # fmt: skip
    """
    Read how mail servers know each other today, and list every pair of them: nothing is changed.

    Fingerprints in any digest, passwords (whose, never which), addresses, and what of it is stale.
    """
    if files and (postfix or collect):
        raise UsageError("FILE is what other hosts collected; --postfix and --collect are for this one")
    here = session(context)
    config = _config(here)
    if collect:
        sys.stdout.write(written(_here(config, postfix)).decode())
        return
    hosts = tuple(read(read_file(one), str(one)) for one in files) if files else (_here(config, postfix),)
    known = asyncio.run(_published(config)) if config is not None else None
    found, shelf = adoption(hosts, known or {}), texts()
    for one in older(found, hosts):
        caution(shelf.say(Said("adopt.older", {"host": one.name, "at": when(one.collected_at)})))
    if json_output:
        emit(report(found, known, shelf))
        return
    if config is not None and known is None:
        caution(shelf.phrase("adopt.directory-unread"))
    show(*page(found, known, shelf))


def _config(here: Session) -> Config | None:
    """The configuration, if there is one: a host that is looked at for the first time has none."""
    return here.config() if find(here.config_file, os.environ) is not None else None


def _here(config: Config | None, folders: list[Path] | None) -> Host:
    usual = [config.transport.postfix if config is not None else _USUAL]
    return look((one.absolute() for one in folders or usual), socket.getfqdn(), clock.now())


async def _published(config: Config) -> Published | None:
    async with open_site(config, looking_only=True) as site:
        return await published(site)
