"""`mailtrust export`: a certificate of the store, to a file; its key only when asked for."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mailtrust.certificates.formats import write_pem, write_pkcs12
from mailtrust.certificates.store import Credential, Store
from mailtrust.cli.certificates import certificate_report, describe
from mailtrust.cli.files import STANDARD_OUTPUT, first_line, write_file, write_standard_output
from mailtrust.cli.frame import (
    CertificateArgument,
    DryRunOption,
    JsonOption,
    UsageError,
    YesOption,
    ask_password,
    at_a_terminal,
    confirm,
    given,
    session,
)
from mailtrust.cli.output import emit, foretell, is_terminal, say
from mailtrust.cli.program import application
from mailtrust.core.model.certificate import short
from mailtrust.core.model.sighting import Installed
from mailtrust.errors import BadInput, KeyMismatch, Refused, WrongPassword

app = application()


class Format(StrEnum):
    """What to write."""

    PEM = "pem"
    DER = "der"
    PKCS12 = "pkcs12"


@app.command("export", epilog="Example: mailtrust export 1a2b3c4d --output hub1.crt")
def export(
    context: typer.Context,
    certificate: CertificateArgument,
    *,
    output: Annotated[Path, given("Where to; - for standard output.", "--output", "-o", metavar="FILE")],
    form: Annotated[Format, typer.Option("--format", help="PEM, DER or PKCS#12.")] = Format.PEM,
    with_key: Annotated[
        bool, typer.Option("--with-key", help="With its key, readable by you alone.")
    ] = False,
    password_file: Annotated[
        Path | None, given("PKCS#12: its first line is the password. Without it: asked.", metavar="FILE")
    ] = None,
    pfx_legacy: Annotated[
        bool, typer.Option("--pfx-legacy", help="PKCS#12 that Windows Server 2016 and older can open.")
    ] = False,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    Write a certificate of the store to a file.

    Its key leaves the store only with --with-key (PEM or PKCS#12).
    """
    if form is Format.DER and with_key:
        raise UsageError("DER holds a certificate alone; use --format pem or pkcs12 for the key", ctx=context)
    if form is not Format.PKCS12 and (password_file is not None or pfx_legacy):
        raise UsageError("--password-file and --pfx-legacy belong to --format pkcs12", ctx=context)
    if form is Format.PKCS12 and not with_key:
        raise UsageError("PKCS#12 carries the key; add --with-key, or choose --format pem", ctx=context)
    to_stdout = output == STANDARD_OUTPUT
    if to_stdout and json_output:
        raise UsageError("--json and --output - would write to the same place", ctx=context)
    if to_stdout and is_terminal() and (with_key or form is not Format.PEM):
        raise Refused(
            "a key and binary data are not written to a terminal", hint="name a file: --output FILE"
        )
    store = Store(session(context).config().server.store)
    found = store.find(certificate)
    what = f"{describe(found.certificate)} {'with its key' if with_key else 'without its key'}"
    if dry_run:
        where = "standard output" if to_stdout else output
        foretell(f"would write {what} to {where}", json_output=json_output)
        return
    if not to_stdout and output.exists():
        confirm(f"{output} exists. Overwrite it?", yes=yes)
    data = _bytes(store, found, form, with_key=with_key, password_file=password_file, legacy=pfx_legacy)
    if to_stdout:
        write_standard_output(data)
        return
    write_file(output, data, secret=with_key)
    if json_output:
        emit({**certificate_report(found), "file": str(output), "format": form.value, "with_key": with_key})
    else:
        say(f"wrote {what} to {output}", "green")


def _bytes(
    store: Store, found: Installed, form: Format, *, with_key: bool, password_file: Path | None, legacy: bool
) -> bytes:
    leaf = found.certificate
    if form is Format.DER:
        return leaf.der
    if not with_key:
        return write_pem((leaf,))
    held = _credential(store, found)
    if form is Format.PEM:
        return write_pem((held.certificate, *held.chain), held.key)
    password = _password(password_file)
    return write_pkcs12(held.key, held.certificate, held.chain, password, legacy=legacy)


def _credential(store: Store, found: Installed) -> Credential:
    held = store.credential(found.certificate.fingerprint) if found.has_key else None
    if held is None:
        raise KeyMismatch(
            f"the key of {short(found.certificate.fingerprint)} is not in the store",
            hint="export it without --with-key",
        )
    return held


def _password(file: Path | None) -> bytes:
    if file is not None:
        password = first_line(file)
        if not password:
            raise BadInput(
                f"the first line of {file} is empty", hint="a key is not exported without a password"
            )
        return password
    if not at_a_terminal():
        raise BadInput(
            "PKCS#12 needs a password, and there is no terminal to ask at",
            hint="put it on the first line of a file: --password-file FILE",
        )
    password = ask_password("Password for the file").encode()
    if not password:
        raise BadInput("a key is not exported without a password")
    if ask_password("The same again").encode() != password:
        raise WrongPassword("the two passwords differ; nothing was written")
    return password
