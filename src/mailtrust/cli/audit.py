"""`mailtrust audit`: an Exchange organization, seen from outside, on one page."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from mailtrust.agent.audit import audit, saw_nothing
from mailtrust.agent.audit_report import audit_report
from mailtrust.agent.collected import read_collected
from mailtrust.agent.last_run import Changes, changes, read_run, run_of
from mailtrust.agent.organization import look
from mailtrust.cli.audit_aim import Asked, aim_of
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
from mailtrust.cli.files import (
    LARGEST_REPORT_BYTES,
    STANDARD_OUTPUT,
    read_file,
    write_file,
    write_report,
)
from mailtrust.cli.frame import JsonOption, UsageError, given, session, texts
from mailtrust.cli.output import as_json, caution, emit, say
from mailtrust.cli.program import application
from mailtrust.core.exchange.judgement import Audit
from mailtrust.errors import BadInput
from mailtrust.texts import Texts

app = application()

COLLECTOR_SCHEMA = "mailtrust.collector/1"
_COLLECTOR = Path(__file__).parent / "collector.ps1"


@app.callback(epilog="Example: mailtrust audit exchange")
def audit_group() -> None:
    """Look at an Exchange organization from outside, changing nothing, and say what is wrong."""


@app.command(epilog="Example: mailtrust audit exchange --controller ldaps://dc1.corp.example --html a.html")
def exchange(
    context: typer.Context,
    *,
    controller: ControllerOption = None,
    replicas: ReplicasOption = "in-site",
    server: Annotated[
        list[str] | None, given("Only that Exchange server. Repeatable.", metavar="NAME")
    ] = None,
    at: AtOption = None,
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="How long one look may take.")] = "10s",
    from_: FromOption = None,
    ca_file: AuthoritiesOption = None,
    bind: BindOption = None,
    bind_dn: BindDnOption = None,
    password_file: PasswordFileOption = None,
    client_certificate: ClientCertificateOption = None,
    html: Annotated[
        Path | None, given("Write the page for a browser, too; - for that alone.", metavar="FILE")
    ] = None,
    last: Annotated[
        Path | None, given("Compare with the run in that file, then write this one there.", metavar="FILE")
    ] = None,
    lang: LanguageOption = None,
    json_output: JsonOption = False,
) -> None:
    """
    Judge an organization's certificates from outside.

    From a jump host, with an ordinary account: reads every server's certificate on each domain controller,
    looks at what the servers present, and says what Exchange would do with it, by route, and what to type.
    Nothing is written into the directory or to a server. Exits 0 when the page was made, whatever it says,
    and 1 when nothing could be read.
    """  # fmt: skip
    to_stdout = html == STANDARD_OUTPUT
    if to_stdout and json_output:
        raise UsageError("--json and --html - would write to the same place", ctx=context)
    shelf = texts(lang)
    collected = tuple(read_collected(read_file(file), str(file)) for file in from_ or ())
    asked = Asked(
        tuple(controller or ()), replicas, tuple(server or ()), tuple(at or ()), timeout,
        ca_file, bind.value if bind else "", bind_dn or "", password_file, client_certificate,
    )  # fmt: skip
    offline = bool(collected) and not controller
    aim = None if offline else aim_of(asked, session(context), context)
    seen = asyncio.run(audit(aim, look, collected))
    since, may_write = _compared(seen, shelf, last)
    report = audit_report(seen, shelf, since)
    if json_output:
        emit(report)
    elif not to_stdout:
        from mailtrust.cli.audit_page import show_page

        show_page(seen, shelf, since)
    files = {last: as_json(report)} if last is not None and may_write else {}
    if html is not None:
        from mailtrust.cli.audit_html import audit_html

        files[html] = audit_html(seen, shelf, since)
    failed = [file for file, text in files.items() if not write_report(file, text)]
    raise typer.Exit(1 if saw_nothing(seen) or failed else 0)


@app.command(epilog="Example: mailtrust audit collector --output collect.ps1")
def collector(
    *,
    output: Annotated[Path | None, given("Write it to that file.", metavar="FILE")] = None,
    json_output: JsonOption = False,
) -> None:
    """
    Print the script that looks at a server from inside.

    It is PowerShell, for the Exchange Management Shell, and gives what only an Exchange server itself can
    tell: its store, who may read the keys, its event log. It is short, so that it can be read before it is
    run; it changes nothing and reads no private key.
    """
    script = _COLLECTOR.read_text("utf-8")
    if output is not None:
        write_file(output, script.encode(), secret=False)
    if json_output:
        emit({"schema": COLLECTOR_SCHEMA, "file": str(output) if output else None, "script": script})
    elif output is not None:
        say(f"wrote {output}; run it on an Exchange server, in the Exchange Management Shell:")
        say(rf"  .\{output.name} -Output C:\collected.json")
    else:
        say(script.rstrip())


def _compared(seen: Audit, shelf: Texts, last: Path | None) -> tuple[Changes | None, bool]:
    """What changed since the run in that file, and whether this one may take its place."""
    if last is None or not last.exists():
        return None, True
    try:
        before = read_run(read_file(last, LARGEST_REPORT_BYTES), str(last))
    except BadInput as error:
        caution(f"{error.message}; it was left as it is, and this run was not written to it")
        return None, False
    return changes(before, run_of(audit_report(seen, shelf))), True
