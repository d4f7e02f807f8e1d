"""`mailtrust list`: the certificates in the store."""

import typer

from mailtrust import clock
from mailtrust.certificates.store import Store
from mailtrust.cli.certificates import certificate_report, table
from mailtrust.cli.frame import JsonOption, session
from mailtrust.cli.output import emit, say, show
from mailtrust.cli.program import application

app = application()


@app.command("list", epilog="Example: mailtrust list --json")
def list_certificates(context: typer.Context, *, json_output: JsonOption = False) -> None:
    """Show the certificates in this server's store, the newest last."""
    here = session(context)
    store = Store(here.config().server.store)
    found = tuple(sorted(store.installed(), key=lambda one: one.arrived_at))
    if json_output:
        emit([certificate_report(one) for one in found])
        return
    if not found:
        say(f"the store {store.folder} holds no certificate")
        say(f"next: {here.command('new')}")
        return
    show(table(found, clock.now()))
