"""`mailtrust new`: a key, and a certificate for it or a request to a CA."""

from pathlib import Path
from typing import Annotated

import typer

from mailtrust import clock
from mailtrust.agent.act import record_arrival
from mailtrust.certificates.create import new_key, request, self_signed
from mailtrust.certificates.store import Store
from mailtrust.cli.certificates import certificate_report, describe
from mailtrust.cli.files import write_file
from mailtrust.cli.frame import DryRunOption, JsonOption, Session, YesOption, confirm, given, session
from mailtrust.cli.output import emit, foretell, say
from mailtrust.cli.program import application
from mailtrust.config import Config
from mailtrust.config.keys import KEY_KINDS
from mailtrust.core.model.certificate import short
from mailtrust.core.model.server import ServerName, server_name
from mailtrust.core.model.sighting import Installed
from mailtrust.errors import BadInput

app = application()


@app.command(epilog="Example: mailtrust new --name hub1.example.test --key p256 --days 730")
def new(
    context: typer.Context,
    *,
    name: Annotated[str | None, given("Whose it is. Default: server.name.", metavar="FQDN")] = None,
    key: Annotated[str | None, given(f"{', '.join(KEY_KINDS)}. Default: policy.key.", metavar="KIND")] = None,
    days: Annotated[
        int | None, given("How long it is valid. Default: policy.days.", metavar="N", min=1, max=36500)
    ] = None,
    as_request: Annotated[
        bool, typer.Option("--request", help="Make a request (PKCS#10) for a CA to sign, and print it.")
    ] = False,
    request_file: Annotated[Path | None, given("The same, written to a file.", metavar="FILE")] = None,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    Make a key and a self-signed certificate for it.

    It is not used until `mailtrust enable` publishes it.
    """
    here = session(context)
    config = here.config()
    kind = _kind(key or config.policy.key)
    subject = server_name(name) if name else config.server.name
    if dry_run:
        what = (
            "request" if as_request or request_file else f"certificate for {days or config.policy.days} days"
        )
        foretell(
            f"would make a key ({kind}) and a {what} for {subject} in {config.server.store}",
            json_output=json_output,
        )
    elif as_request or request_file:
        _make_request(here, config, subject, kind, request_file, json_output=json_output, yes=yes)
    else:
        _make_certificate(here, config, subject, kind, days, json_output=json_output)


def _kind(text: str) -> str:
    if text not in KEY_KINDS:
        hint = "peers drop Ed25519 certificates silently; " if text.lower() == "ed25519" else ""
        raise BadInput(
            f"no key of the kind {text!r} is made here", hint=f"{hint}choose {', '.join(KEY_KINDS)}"
        )
    return text


def _make_certificate(
    here: Session, config: Config, subject: ServerName, kind: str, days: int | None, *, json_output: bool
) -> None:
    now = clock.now()
    made = new_key(kind)
    certificate = self_signed(made, subject, days=days or config.policy.days, now=now)
    installed, _ = Store(config.server.store).add_made(made, certificate, now)
    record_arrival(config, installed, now)
    if json_output:
        emit(certificate_report(installed))
    else:
        _tell_certificate(here, config, installed)


def _tell_certificate(here: Session, config: Config, installed: Installed) -> None:
    leaf = installed.certificate
    say(f"made {describe(leaf)}", "green")
    say(f"  in {config.server.store}, not enabled yet")
    say("next:")
    say(f"  {here.command('enable', short(leaf.fingerprint))}")
    say(f"  {here.command('check')}")


def _make_request(
    here: Session,
    config: Config,
    subject: ServerName,
    kind: str,
    file: Path | None,
    *,
    json_output: bool,
    yes: bool,
) -> None:
    if file is not None and file.exists():
        confirm(f"{file} exists. Overwrite it?", yes=yes)
    made = new_key(kind)
    pem = request(made, subject)
    Store(config.server.store).add_request(made, pem)
    if file is not None:
        write_file(file, pem, secret=False)
    if json_output:
        emit({"schema": "mailtrust.request/1", "name": subject, "key": kind, "request": pem.decode()})
        return
    if file is None:
        say(pem.decode().rstrip())
    else:
        say(f"wrote the request for {subject} to {file}; its key stays in {config.server.store}", "green")
        say("next: have a CA sign it for serverAuth and clientAuth, then")
        say(f"  {here.command('import', 'ANSWER')}")
