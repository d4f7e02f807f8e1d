"""`mailtrust remove`: a certificate and its key, out of the store."""

import asyncio

import typer

from mailtrust.agent import act
from mailtrust.agent.site import open_site
from mailtrust.certificates.store import Store
from mailtrust.cli.certificates import certificate_report, describe
from mailtrust.cli.frame import CertificateArgument, DryRunOption, JsonOption, YesOption, confirm, session
from mailtrust.cli.output import emit, foretell, say
from mailtrust.cli.program import application
from mailtrust.config import Config
from mailtrust.core.model.certificate import Fingerprint

app = application()


@app.command(epilog="Example: mailtrust remove 1a2b3c4d --yes")
def remove(
    context: typer.Context,
    certificate: CertificateArgument,
    *,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    Take a certificate and its key out of the store.

    Refused where it is current, published or presented, and where that cannot be seen.
    """
    config = session(context).config()
    found = Store(config.server.store).find(certificate)
    asyncio.run(_remove(config, found.certificate.fingerprint, dry_run=True))
    if dry_run:
        what = describe(found.certificate)
        foretell(f"would remove {what} from {config.server.store}", json_output=json_output)
        return
    confirm(f"Remove {describe(found.certificate)} and its key for good?", yes=yes)
    asyncio.run(_remove(config, found.certificate.fingerprint, dry_run=False))
    if json_output:
        emit(certificate_report(found))
    else:
        say(f"removed {describe(found.certificate)}", "green")


async def _remove(config: Config, fingerprint: Fingerprint, *, dry_run: bool) -> None:
    async with open_site(config, looking_only=dry_run) as site:
        await act.remove(site, fingerprint, dry_run=dry_run)
