"""`mailtrust enable`: publish a certificate, then make it current, in the order that breaks no trust."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any

import typer

from mailtrust import clock
from mailtrust.agent import act
from mailtrust.agent.act import Enabled
from mailtrust.agent.look import OWN, look
from mailtrust.agent.refusals import out_of_date, refuse_step_back, refuse_to_enable
from mailtrust.agent.replication import standings
from mailtrust.agent.site import Site, open_site
from mailtrust.cli.certificates import certificate_report, describe
from mailtrust.cli.fix import describe_action
from mailtrust.cli.frame import (
    CertificateArgument,
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
from mailtrust.cli.output import caution, emit, foretell, say, warn
from mailtrust.cli.program import application
from mailtrust.cli.progress import in_words, patience, replica_url, spread_of
from mailtrust.cli.render import place_name
from mailtrust.config import duration
from mailtrust.core.model.certificate import short
from mailtrust.core.model.plan import Phase, Plan, Rotation
from mailtrust.core.model.sighting import Installed, Slot, View
from mailtrust.core.rotation import plan
from mailtrust.core.succession import ENABLE_PACE
from mailtrust.texts import Texts

app = application()


@app.command(epilog="Example: mailtrust enable 1a2b3c4d --wait")
def enable(
    context: typer.Context,
    certificate: CertificateArgument,
    *,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay until every readable replica has it, and it is current.")
    ] = False,
    timeout: Annotated[
        str | None,
        given("With --wait: how long. Default: directory.latency and a minute.", metavar="DURATION"),
    ] = None,
    switch_now: Annotated[
        bool, typer.Option("--now", help="Make it current before every replica has it; says who will defer.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also one that is not valid now, in the place of one that is.")
    ] = False,
    replica: Annotated[str | None, given("Publish there and not at the primary.", metavar="URL")] = None,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    Publish a certificate, and make it current once every readable replica has it.

    At once if nothing is current. Enabling what is enabled changes nothing, except that it publishes
    `server.listeners` where that was changed.
    """
    if wait and switch_now:
        raise UsageError("--wait and --now exclude each other: wait for the replicas, or do not", ctx=context)
    if timeout is not None and not wait:
        raise UsageError("--timeout belongs to --wait", ctx=context)
    here = session(context)
    config = here.config()
    patient = (duration(timeout) if timeout else patience(config)) if wait else None
    url = replica_url(config, replica) if replica else None

    async def run() -> int:
        async with open_site(config, looking_only=True) as site:
            command = _Enable(here, site, texts(), url, patient, switch_now, force, json_output)
            return await command.run(site.store.find(certificate), yes=yes, dry_run=dry_run)

    try:
        code = asyncio.run(run())
    except KeyboardInterrupt:
        warn(f"\ninterrupted; to go on where it stopped: {here.command('enable', certificate, '--wait')}")
        raise
    raise typer.Exit(code)


class _Enable:
    """One call of the command, its options decided."""

    def __init__(
        self, here: Session, site: Site, shelf: Texts, replica: str | None, wait: timedelta | None,
        switch_now: bool, force: bool, json_output: bool,  # noqa: FBT001
    ) -> None:  # fmt: skip
        self.here, self.site, self.shelf = here, site, shelf
        self.replica, self.wait, self.switch_now, self.json_output = replica, wait, switch_now, json_output
        self.force = force

    async def run(self, held: Installed, *, yes: bool, dry_run: bool) -> int:
        view, _ = await look(self.site, OWN, wire=False)
        self._judge(held, view)
        step = plan(
            Rotation(self.site.server, held.certificate.fingerprint, self.replica),
            view,
            ENABLE_PACE,
            clock.now(),
        )
        current = view.current(self.site.server)
        replaced = current if current and current.certificate != held.certificate else None
        if dry_run:
            foretell(*self._preview(held, step, replaced, view), json_output=self.json_output)
            return 0
        if not act.is_settled(held, step):
            confirm(self._question(held, replaced), yes=yes)
        self.site.journal.read_only = False
        with spread_of(self.site, held.certificate, quiet=self.json_output or self.wait is None) as spread:
            done = await act.enable(
                self.site,
                held.certificate.fingerprint,
                replica=self.replica,
                switch_now=self.switch_now,
                wait=self.wait,
                force=self.force,
                watch=lambda seen, _: spread.see(seen),
            )
        if self.json_output:
            emit(self._report(done))
        else:
            self._tell(done, view)
        return int(self.wait is not None and done.plan.phase is not Phase.DONE)

    def _judge(self, held: Installed, view: View) -> None:
        """Refuse what `enable` would refuse, before anybody is asked; say what it would take, and is odd."""
        leaf, now = held.certificate, clock.now()
        refuse_to_enable(held, view, self.site.server)
        if not self.force:
            refuse_step_back(held, view, self.site.server, now)
        if not leaf.valid(now):
            caution(
                f"{short(leaf.fingerprint)} {out_of_date(leaf, now)}: peers believe it, for direct trust asks"
                f" for no date; a new one is made by: {self.here.command('new')}"
            )

    @property
    def _place(self) -> str:
        return self.replica or self.site.config.directory.primary

    @property
    def _listeners(self) -> str:
        return ", ".join(map(str, self.site.config.server.listeners)) or "nowhere"

    def _question(self, held: Installed, replaced: Installed | None) -> str:
        instead = f"; it replaces {short(replaced.certificate.fingerprint)}" if replaced else ""
        at_once = ", before every replica has it" if self.switch_now else ""
        return f"Publish {describe(held.certificate)} at {self._place} and make it current{at_once}{instead}?"

    def _preview(self, held: Installed, step: Plan, replaced: Installed | None, view: View) -> Iterator[str]:
        name = short(held.certificate.fingerprint)
        if act.is_settled(held, step) and act.must_relist(self.site, view, self.replica):
            yield f"would publish where {name} is presented now: {self._listeners}"
        elif act.is_settled(held, step):
            yield f"nothing to change: {name} is published and current"
        elif step.action is not None:
            yield f"would {describe_action(step.action)}"
        if step.phase is Phase.PUBLISH and step.action is not None:
            soon = "at once" if replaced is None or self.switch_now else "once every readable replica has it"
            instead = f", in place of {short(replaced.certificate.fingerprint)}" if replaced else ""
            yield f"would make {name} the current certificate {soon}{instead}"
        if step.action is None:
            yield from (f"would wait: {self.shelf.say(obstacle.said)}" for obstacle in step.obstacles)

    def _tell(self, done: Enabled, before: View) -> None:
        name = short(done.installed.certificate.fingerprint)
        is_current = done.installed.slot is Slot.CURRENT
        if done.relisted:
            say(f"published at {self._place} where {name} is presented now: {self._listeners}", "green")
        elif not done.changed:
            say(f"nothing to change: {describe(done.installed.certificate)} is enabled")
        else:
            say(f"{describe(done.installed.certificate)} is published at {self._place}", "green")
            if is_current:
                say(f"{name} is the current certificate now", "green")
        if done.replaced and is_current:
            say(f"it replaces {describe(done.replaced.certificate)}, which stays published until withdrawn")
        self._tell_deferring(done)
        self._tell_waiting(done, name, is_current=is_current)
        whys = {one.place: one.why for one in before.replicas(self.site.server)}
        for place in done.unread:
            say(f"  ? {place_name(place)} could not be read: {whys.get(place) or place}", "magenta")
        if done.changed and is_current and done.plan.phase is Phase.DONE:
            say(f"next: {self.here.command('check')}")

    def _tell_deferring(self, done: Enabled) -> None:
        if done.deferring:
            names = ", ".join(place_name(place) for place in done.deferring)
            say(
                f"peers that read {names} do not know it yet: they defer our mail until it arrives there",
                "yellow",
            )

    def _tell_waiting(self, done: Enabled, name: str, *, is_current: bool) -> None:
        if done.plan.phase is Phase.DONE:
            return
        say("not there yet:" if self.wait is None else "late, and not there yet:", "yellow")
        for obstacle in done.plan.obstacles:
            say(f"  {self.shelf.say(obstacle.said)}")
        leaf, now = done.installed.certificate, clock.now()
        for one in standings(done.view, self.site.server, leaf, self.site.policy, now):
            if one.lack is not None:
                say(f"  {place_name(one.look.place)}: {in_words(one, now)}")
        if is_current:
            say(f"nothing has to be typed; to see it arrive: {self.here.command('wait')}")
        else:
            say(f"{name} becomes current once they have it; any of these finishes it:")
            say(f"  {self.here.command('enable', name, '--wait')}")
            say(f"  {self.here.command('fix')}")

    def _report(self, done: Enabled) -> dict[str, Any]:
        waiting = [{"replica": one.place, "why": self.shelf.say(one.said)} for one in done.plan.obstacles]
        return {
            **certificate_report(done.installed),
            "changed": done.changed or done.relisted,
            "phase": done.plan.phase.value,
            "replaced": certificate_report(done.replaced) if done.replaced else None,
            "waiting_for": waiting,
            "deferring": list(done.deferring),
            "unread": list(done.unread),
        }
