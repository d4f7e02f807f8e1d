"""`mailtrust show`: one certificate of the store, in full."""

import typer

from mailtrust import clock
from mailtrust.certificates.store import Store
from mailtrust.cli.certificates import certificate_report, in_full
from mailtrust.cli.frame import CertificateArgument, JsonOption, session
from mailtrust.cli.output import emit, fields, say
from mailtrust.cli.program import application

app = application()


@app.command(epilog="Example: mailtrust show 1a2b3c4d")
def show(
    context: typer.Context, certificate: CertificateArgument, *, json_output: JsonOption = False
) -> None:
    """Show one certificate of the store, in full."""
    found = Store(session(context).config().server.store).find(certificate)
    if json_output:
        emit(certificate_report(found))
    else:
        say(fields(in_full(found, clock.now())))
