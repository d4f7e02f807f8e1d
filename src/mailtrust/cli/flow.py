"""`mailtrust flow`: what mail would meet on its way, in real sessions; none is moved but by --send."""

import asyncio
from datetime import timedelta
from typing import Annotated

import typer

from mailtrust import clock
from mailtrust.agent.arrival import marked
from mailtrust.agent.flow import Desk, open_desk
from mailtrust.agent.flow import flow as followed
from mailtrust.agent.flow_report import flow_report
from mailtrust.agent.reach import reach, reach_report
from mailtrust.agent.route import target
from mailtrust.agent.site import Site, open_site
from mailtrust.cli import rehearsal
from mailtrust.cli.flow_matrix import show_matrix
from mailtrust.cli.flow_screen import show_flow
from mailtrust.cli.frame import (
    DryRunOption,
    JsonOption,
    Session,
    UsageError,
    YesOption,
    confirm,
    given,
    session,
    texts,
)
from mailtrust.cli.output import emit, foretell
from mailtrust.cli.program import application
from mailtrust.config import duration
from mailtrust.core.flow import Verdict
from mailtrust.errors import Refused

app = application()

_GOES = (Verdict.FLOWS, Verdict.SLOW)


@app.command(epilog="Example: mailtrust flow hub1.example.test hub2.example.test")
def flow(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FROM TO",
            show_default=False,
            help="FROM: a server, as a rule this one. TO: a server, a domain, an address, or HOST:PORT.",
        ),
    ] = None,
    *,
    everybody: Annotated[
        bool, typer.Option("--all", help="Who can reach whom: every server of the directory.")
    ] = False,
    send: Annotated[
        bool, typer.Option("--send", help="Hand over a marked message, and see whether it arrives.")
    ] = False,
    rehearse: Annotated[
        bool,
        typer.Option(
            "--rehearse", help="Ask the named peers, or all, with the next certificate; not with FROM TO."
        ),
    ] = False,
    certificate: Annotated[
        str | None,
        given(
            "To rehearse with that one, and not the next. Its fingerprint, or the beginning of it.",
            metavar="CERTIFICATE",
        ),
    ] = None,
    timeout: Annotated[
        str | None,
        given(
            "For each answer; for a whole peer with --rehearse. Default: by policy.probe_timeout.",
            metavar="DURATION",
        ),
    ] = None,
    lang: Annotated[str | None, given("en or zh. Default: by $LANG.", metavar="LANGUAGE")] = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json_output: JsonOption = False,
) -> None:
    """
    Follow mail from FROM to TO, stage by stage: where does it stop, and why?

    A real session: name, connection, banner, EHLO, verbs, TLS, certificates both ways, MAIL and RCPT, each
    timed. Then RSET: no mail is moved but by --send. Of senders other than this server only copies are seen:
    what follows from them is marked as concluded.

    Exits 1 where mail would not go, or goes and not by the certificate.
    """
    here = session(context)
    patience = duration(timeout) if timeout else None
    words = names or []
    if rehearse:
        if everybody or send:
            raise UsageError("--rehearse goes with neither --all nor --send", ctx=context)
        raise typer.Exit(asyncio.run(_rehearsed(here, words, certificate, patience, json_output=json_output)))
    if certificate is not None:
        raise UsageError("--certificate goes with --rehearse", ctx=context)
    if everybody is bool(words) or len(words) > 2 or (everybody and send):
        raise UsageError("say FROM and TO, or --all alone, or --rehearse", ctx=context)
    if everybody:
        raise typer.Exit(asyncio.run(_everybody(here, patience, lang, json_output=json_output)))
    sender, to = (words[0], words[1]) if len(words) == 2 else (None, words[0])
    raise typer.Exit(
        asyncio.run(
            _followed(
                here, sender, to, patience, lang,
                send=send, yes=yes, dry_run=dry_run, json_output=json_output,
            )
        )
    )  # fmt: skip


async def _followed(
    here: Session,
    sender: str | None,
    to: str,
    patience: timedelta | None,
    lang: str | None,
    *,
    send: bool,
    yes: bool,
    dry_run: bool,
    json_output: bool,
) -> int:
    shelf = texts(lang)
    async with open_site(here.config()) as site:
        desk = await open_desk(site, patience)
        message = None
        if send:
            recipient = _recipient(desk, sender, to)
            if dry_run:
                foretell(f"hand over a marked message for {recipient}", json_output=json_output)
                return 0
            confirm(f"hand over a marked message for {recipient}?", yes=yes)
            message = marked(site.server, recipient, clock.now())
        told = await followed(desk, sender, to, message)
    if json_output:
        emit(flow_report(told, shelf))
    else:
        show_flow(told, shelf, here.typed)
    return int(told.verdict not in _GOES)


async def _everybody(
    here: Session, patience: timedelta | None, lang: str | None, *, json_output: bool
) -> int:
    shelf = texts(lang)
    async with open_site(here.config()) as site:
        told = await reach(await open_desk(site, patience))
    if json_output:
        emit(reach_report(told, shelf))
    else:
        show_matrix(told, shelf, here.typed)
    # What cannot be told of others from here is no failure.
    return int(told.verdict in (Verdict.BLOCKED, Verdict.UNPROVEN))


def _recipient(desk: Desk, sender: str | None, to: str) -> str:
    own = desk.site.server
    if sender is not None and sender.rstrip(".").lower() not in (own, own.partition(".")[0]):
        raise Refused(
            f"a message of {sender} can only be sent from there",
            hint=f"on {sender}: mailtrust flow {sender} {to} --send",
        )
    return target(to, desk.view).recipient


async def _rehearsed(
    here: Session,
    peers: list[str],
    certificate: str | None,
    patience: timedelta | None,
    *,
    json_output: bool,
) -> int:
    async with open_site(here.config()) as site:
        opened: Site = site
        return await rehearsal.rehearse_here(opened, peers, certificate, patience, json_output=json_output)
