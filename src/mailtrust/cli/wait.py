"""`mailtrust wait`: until every replica has the certificate that was enabled last."""

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from mailtrust import clock
from mailtrust.agent.act import LOOK_AGAIN_AFTER
from mailtrust.agent.look import OWN, look
from mailtrust.agent.replication import Arrivals
from mailtrust.agent.report import certificate_report
from mailtrust.agent.site import Site, open_site
from mailtrust.cli.certificates import describe
from mailtrust.cli.frame import JsonOption, Session, given, session
from mailtrust.cli.output import emit, say, warn
from mailtrust.cli.program import application
from mailtrust.cli.progress import Spread, holds, patience, spread_of
from mailtrust.cli.render import place_name
from mailtrust.config import duration, write_duration
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.sighting import Installed, ReplicaSighting, Slot, View
from mailtrust.core.succession import pending
from mailtrust.errors import Refused, StoreUnavailable

app = application()

WAIT_SCHEMA = "mailtrust.wait/1"


@app.command(epilog="Example: mailtrust wait --timeout 30m")
def wait(
    context: typer.Context,
    *,
    timeout: Annotated[
        str | None, given("How long. Default: directory.latency and a minute.", metavar="DURATION")
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """
    Wait until every replica has this server's certificate: the current one, or the one that was
    enabled and is to become current.

    Exits 1 where one is late, and names it.
    """
    here = session(context)
    config = here.config()
    patient = duration(timeout) if timeout else patience(config)

    async def run() -> int:
        async with open_site(config) as site:
            return await _wait(here, site, patient, json_output=json_output)

    raise typer.Exit(asyncio.run(run()))


async def _wait(here: Session, site: Site, patient: timedelta, *, json_output: bool) -> int:
    began = clock.now()
    view, _ = await look(site, OWN, wire=False)
    awaited = _awaited(here, site, view)
    with spread_of(site, awaited.certificate, quiet=json_output) as spread:
        view = await _until_everywhere(site, view, awaited.certificate, began + patient, spread)
    late = [one for one in view.replicas(site.server) if not holds(one, awaited.certificate)]
    if json_output:
        emit(_report(site, view, awaited, began))
    else:
        _tell(awaited, late, patient)
        if (rotation := pending(site.server, view)) is not None:
            ready = "can be made current now" if not late else "is not current yet; to finish it"
            say(f"{short(rotation.new)} {ready}:")
            say(f"  {here.command('enable', short(rotation.new), *(['--wait'] if late else []))}")
    return int(bool(late))


async def _until_everywhere(
    site: Site, view: View, certificate: Certificate, deadline: datetime, spread: Spread
) -> View:
    arrivals = Arrivals(site.server, certificate, site.journal)
    while True:
        spread.see(view)
        arrivals.see(view, clock.now())
        left = (deadline - clock.now()).total_seconds()
        if left <= 0 or all(holds(one, certificate) for one in view.replicas(site.server)):
            return view
        await asyncio.sleep(min(left, LOOK_AGAIN_AFTER.total_seconds()))
        view, _ = await look(site, OWN, wire=False)


def _awaited(here: Session, site: Site, view: View) -> Installed:
    store = view.store(site.server)
    if store is None or store.found is None:
        raise StoreUnavailable(f"the store cannot be read: {store.why if store else ''}")
    rotation = pending(site.server, view)
    for one in store.found:
        if one.certificate.fingerprint == rotation.new if rotation else one.slot is Slot.CURRENT:
            return one
    usable = [one for one in store.found if one.has_key]
    newest = max(usable, key=lambda one: one.arrived_at, default=None)
    command = here.command("enable", short(newest.certificate.fingerprint)) if newest else here.command("new")
    raise Refused(f"{site.server} has no current certificate to wait for", hint=command)


def _tell(awaited: Installed, late: list[ReplicaSighting], patient: timedelta) -> None:
    if not late:
        say(f"every replica has {describe(awaited.certificate)}", "green")
        return
    warn(
        f"mailtrust: waited {write_duration(patient)}, and not every replica has "
        f"{describe(awaited.certificate)}"
    )
    for one in late:
        why = f"could not be read: {one.why}" if one.found is None else "does not have it"
        warn(f"  {place_name(one.place)} ({one.place}) {why}")


def _report(site: Site, view: View, awaited: Installed, began: datetime) -> dict[str, Any]:
    looks = view.replicas(site.server)
    return {
        "schema": WAIT_SCHEMA,
        "server": site.server,
        "certificate": certificate_report(awaited),
        "complete": all(holds(one, awaited.certificate) for one in looks),
        "replicas": [
            {
                "replica": one.place,
                "has_it": holds(one, awaited.certificate) if one.found is not None else None,
                "why": one.why,
            }
            for one in looks
        ],
        "waited_seconds": round((clock.now() - began).total_seconds(), 1),
    }
