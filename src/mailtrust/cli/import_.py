"""`mailtrust import`: a certificate with its key, or the answer of a CA to a request, into the store."""

from pathlib import Path
from typing import Annotated

import typer

from mailtrust import clock
from mailtrust.agent.act import record_arrival
from mailtrust.agent.refusals import out_of_date
from mailtrust.certificates.formats import Contents, read
from mailtrust.certificates.store import Store
from mailtrust.cli.certificates import certificate_report, describe
from mailtrust.cli.files import first_line, read_file
from mailtrust.cli.frame import (
    DryRunOption,
    JsonOption,
    YesOption,
    ask_password,
    at_a_terminal,
    given,
    session,
)
from mailtrust.cli.output import caution, counted, emit, foretell, say
from mailtrust.cli.program import application
from mailtrust.core.model.certificate import short
from mailtrust.errors import WrongPassword

app = application()


@app.command("import", epilog="Example: mailtrust import hub1.pfx --password-file hub1.password")
def import_certificate(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="PEM, DER, PKCS#12 or PKCS#7; - for standard input.")
    ],
    *,
    password_file: Annotated[
        Path | None,
        given("Its first line is the password. Without it: none, else you are asked.", metavar="FILE"),
    ] = None,
    json_output: JsonOption = False,
    yes: YesOption = False,  # noqa: ARG001  # nothing is replaced, so nothing is asked
    dry_run: DryRunOption = False,
) -> None:
    """
    Put a certificate with its key into the store.

    A certificate alone is accepted where it answers a request of `mailtrust new --request`.
    Importing what is there already changes nothing.
    """
    here = session(context)
    config = here.config()
    contents = _contents(file, password_file)
    if dry_run:
        foretell(f"would import {_summary(contents)} into {config.server.store}", json_output=json_output)
        return
    now = clock.now()
    installed, changed = Store(config.server.store).import_contents(contents, config.server.name, now)
    if changed:
        record_arrival(config, installed, now)
    if json_output:
        emit(certificate_report(installed))
    elif not changed:
        say(f"{describe(installed.certificate)} is in the store already; nothing was changed")
    else:
        say(f"imported {describe(installed.certificate)}", "green")
        say(f"  in {config.server.store}, not enabled yet")
        if installed.certificate.is_ca:
            caution("it may issue other certificates (CA:TRUE), and such a one is never published")
        if not installed.certificate.valid(now):
            caution(f"it {out_of_date(installed.certificate, now)}")
        say("next:")
        enable = here.command("enable", short(installed.certificate.fingerprint))
        is_fit = installed.certificate.valid(now) and not installed.certificate.is_ca
        say(f"  {enable if is_fit else here.command('new')}")


def _contents(file: Path, password_file: Path | None) -> Contents:
    data = read_file(file)
    if password_file is not None:
        return read(data, first_line(password_file))
    try:
        return read(data, None)
    except WrongPassword:
        if not at_a_terminal():
            raise
        return read(data, ask_password(f"Password of {file}").encode())


def _summary(contents: Contents) -> str:
    certificates = counted(len(contents.certificates), "certificate")
    return f"{certificates} {'with a key' if contents.key is not None else 'without a key'}"
