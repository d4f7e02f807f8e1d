"""`mailtrust analyze`: the best practices, and which of them are not followed."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from mailtrust.agent.analysis_report import Analysis, analysis_of, analysis_report
from mailtrust.cli.analyze_against import compared_with, remember
from mailtrust.cli.analyze_aim import Exchange, config_of, is_about_exchange, numbers_of
from mailtrust.cli.audit_aim import Asked
from mailtrust.cli.audit_options import (
    AtOption,
    AuthoritiesOption,
    BindDnOption,
    BindOption,
    ClientCertificateOption,
    ControllerOption,
    FromOption,
    LanguageOption,
    PasswordFileOption,
    ReplicasOption,
)
from mailtrust.cli.files import STANDARD_OUTPUT, write_report
from mailtrust.cli.frame import JsonOption, UsageError, given, session, texts
from mailtrust.cli.output import as_json, emit
from mailtrust.cli.program import application
from mailtrust.config import Config, duration
from mailtrust.core.advice import BY_NUMBER, Profile, advise
from mailtrust.core.checks import Verdict
from mailtrust.core.events import catalog
from mailtrust.errors import BadInput

app = application()

EXIT_CODES = {Verdict.OK: 0, Verdict.WARNING: 1, Verdict.ERROR: 1, Verdict.UNKNOWN: 3}
"""3: nothing was found, and what matters most could not be looked at."""


@app.command(epilog="Example: mailtrust analyze --all --html advice.html")
def analyze(
    context: typer.Context,
    *,
    everybody: Annotated[bool, typer.Option("--all", help="Every server of the directory.")] = False,
    server: Annotated[
        list[str] | None, given("Only that server. With --exchange or --from repeatable.", metavar="NAME")
    ] = None,
    profile: Annotated[
        Profile | None, given("Which rules. Default: default; with --exchange or --from: exchange.")
    ] = None,
    only: Annotated[list[str] | None, given("Only that rule or event. Repeatable.", metavar="ID")] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="List the rules, or with --only explain them; look at nothing.")
    ] = False,
    which: Annotated[
        str | None,
        given("Say which certificate a server uses for that name, and why, step by step.", metavar="NAME"),
    ] = None,
    exchange: Annotated[
        bool, typer.Option("--exchange", help="Look at an Exchange organization, from outside.")
    ] = False,
    from_: FromOption = None,
    controller: ControllerOption = None,
    replicas: ReplicasOption = "in-site",
    at: AtOption = None,
    ca_file: AuthoritiesOption = None,
    bind: BindOption = None,
    bind_dn: BindDnOption = None,
    password_file: PasswordFileOption = None,
    client_certificate: ClientCertificateOption = None,
    instance: Annotated[
        Path | None, given("A Postfix to look at. Default: transport.postfix, if it is ours.", metavar="DIR")
    ] = None,
    timeout: Annotated[
        str | None, given("How long one look may take. Default: policy.probe_timeout.", metavar="DURATION")
    ] = None,
    html: Annotated[
        Path | None, given("Write the report for a browser, too; - for that alone.", metavar="FILE")
    ] = None,
    against: Annotated[
        Path | None,
        given("Compare with that report, as --json wrote it. Default: the last one here.", metavar="FILE"),
    ] = None,
    ack: Annotated[
        str | None,
        given("Acknowledge that rule or event, of --server or of all: it no longer counts.", metavar="ID"),
    ] = None,
    until: Annotated[
        str | None, given("With --ack: until then, as 2027-06-01T12:00Z or 30d.", metavar="TIME")
    ] = None,
    reason: Annotated[str | None, given("With --ack: why; it goes on record.", metavar="TEXT")] = None,
    lang: LanguageOption = None,
    json_output: JsonOption = False,
) -> None:
    """
    Say what to change before it breaks: the best practices.

    Rules over configuration, certificates, directory, transports and history, each with its reason, its proof
    and what to type. Changes nothing. Exits 0 where there is no error and no warning, 1 where there is one,
    and where it failed and said why; 3 where nothing was found and what matters most could not be looked at.
    """  # fmt: skip
    to_stdout = html == STANDARD_OUTPUT
    if to_stdout and json_output:
        raise UsageError("--json and --html - would write to the same place", ctx=context)
    here, shelf = session(context), texts(lang)
    chosen = numbers_of(only or ())
    asked = Asked(
        tuple(controller or ()), replicas, tuple(server or ()), tuple(at or ()), timeout or "10s",
        ca_file, bind.value if bind else "", bind_dn or "", password_file, client_certificate,
    )  # fmt: skip
    if list_:
        _list(chosen, profile, lang, json_output=json_output)
        return
    config = config_of(here, asked, tuple(from_ or ()), exchange=exchange)
    abroad = is_about_exchange(config, tuple(from_ or ()), exchange=exchange)
    told = profile or (Profile.EXCHANGE if abroad else Profile.DEFAULT)
    if ack is not None or until is not None or reason is not None:
        from mailtrust.cli.analyze_ack import acknowledge

        acknowledge(config or here.config(), ack, asked.servers, until, reason, json_output=json_output)
        return
    if len(asked.servers) > 1 and not abroad:
        raise BadInput("more than one --server", hint="give --all, or one of them")
    where = Exchange(here, config, asked, tuple(from_ or ()), context) if abroad else None
    if which is not None:
        from mailtrust.cli.analyze_which import say_which

        raise typer.Exit(say_which(config, which, where, asked.servers, shelf, json_output=json_output))
    seen = _seen(config, where, told, chosen, asked.servers, instance, timeout, everybody=everybody)
    compared = compared_with(config, seen, shelf, against, whole=not (chosen or asked.servers))
    report = analysis_report(seen, shelf, compared)
    if json_output:
        emit(report)
    elif not to_stdout:
        from mailtrust.cli.analyze_page import show_analysis

        show_analysis(seen, shelf, compared, here.typed)
    failed = False
    if html is not None:
        from mailtrust.cli.analyze_html import analysis_html

        failed = not write_report(html, analysis_html(seen, shelf, compared, here.typed))
    if not chosen and not asked.servers:
        remember(config, as_json(report), exchange=abroad)
    raise typer.Exit(1 if failed else EXIT_CODES[seen.verdict])


def _seen(
    config: Config | None,
    where: Exchange | None,
    profile: Profile,
    only: frozenset[int],
    servers: tuple[str, ...],
    instance: Path | None,
    timeout: str | None,
    *,
    everybody: bool,
) -> Analysis:
    length: timedelta | None = duration(timeout) if timeout else None
    if where is not None:
        facts, essential = asyncio.run(where.look())
        acks = where.acks(facts.now)
    else:
        from mailtrust.cli.analyze_site import facts_here

        assert config is not None  # noqa: S101  # only an organization is looked at without one
        facts, essential, acks = facts_here(config, servers, instance, length, everybody=everybody)
    return analysis_of(facts, advise(facts, profile, only), profile, acks, essential=essential)


def _list(only: frozenset[int], profile: Profile | None, lang: str | None, *, json_output: bool) -> None:
    from mailtrust.cli.analyze_rules import show_rules, told_in

    shelf = texts(lang)
    everything = (
        *BY_NUMBER,
        *(one.code for one in catalog.CATALOG if one is not catalog.ADVICE_ACKNOWLEDGED),
    )
    numbers = [one for one in everything if (one in only if only else told_in(one, profile))]
    show_rules(numbers, shelf, whole=bool(only), json_output=json_output)
