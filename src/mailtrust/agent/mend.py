"""
What the agent mends without being asked, and how it enrols a server that was never anything.

What may be done is decided in `core.repair`; here it is done, by the one who holds the store meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from mailtrust import clock
from mailtrust.agent import act
from mailtrust.agent.journal_rows import planned
from mailtrust.agent.look import ALONE, OWN, Assessment, assess, look
from mailtrust.agent.rotate import Hands, perform
from mailtrust.agent.site import Site
from mailtrust.agent.writer import writing
from mailtrust.core.checks import cases
from mailtrust.core.checks.case import Case
from mailtrust.core.model.certificate import Fingerprint
from mailtrust.core.model.event import Said
from mailtrust.core.model.plan import Action, Install, Publish, Restrict
from mailtrust.core.model.sighting import NOT_ENDED, Act, Installed, Slot, View
from mailtrust.core.repair import Mend, may_enrol, unasked
from mailtrust.errors import MailtrustError, StoreUnavailable

ENROL = "enrol"


@dataclass(frozen=True, slots=True)
class Mended:
    """What was done, and what could not be."""

    done: tuple[Action, ...] = ()
    failed: tuple[MailtrustError, ...] = ()


async def mend(site: Site, seen: Assessment) -> Mended:
    """
    Do what may be done unasked about what was *seen*, after another look that nobody can change meanwhile.

    Raises: Refused where somebody else is at it; StoreUnavailable.
    """
    if not _todo(site, seen):
        return Mended()
    done: list[Action] = []
    failed: list[MailtrustError] = []
    async with writing(site.store.folder, "agent: mend", clock.now()):
        for one in _todo(site, await assess(site, ALONE)):
            _put_on_record(site, one)
            try:
                await perform(site, Hands(), one.action)
            except MailtrustError as error:
                failed.append(error)
            else:
                done.append(one.action)
    return Mended(tuple(done), tuple(failed))


async def enrol(site: Site) -> tuple[Action, ...]:
    """
    Make, publish and present the first certificate of a server that was never anything, or go on with it.

    Raises: Refused, DirectoryUnavailable, StoreUnavailable.
    """
    async with writing(site.store.folder, "agent: enrol", clock.now()):
        view, _ = await look(site, OWN, wire=False)
        begun = view.history.last(ENROL, site.server, Fingerprint(""))
        if view.current(site.server) is not None or not (begun or may_enrol(_case(site, view))):
            return ()
        if begun is None:
            said = Said("enrol.nothing-there", {"store": str(site.store.folder), "server": site.server})
            site.journal.record_plan(planned(site.server, ENROL, (said,), clock.now()))
            # First, so that whoever is killed before a certificate is there leaves a trace of what was meant.
            began = Act(ENROL, site.server, Fingerprint(""), clock.now(), failed=NOT_ENDED)
            site.journal.record_act(began)
        held = next(_made_since(view, site, begun), None)
        made = () if held else (Install(site.server),)
        held = held or await act.install(site)
    await act.enable(site, held.certificate.fingerprint)
    return (*made, Publish(site.server, held.certificate.fingerprint))


def _made_since(view: View, site: Site, begun: Act | None) -> Iterator[Installed]:
    for one in reversed(view.installed(site.server)):
        if begun is not None and one.arrived_at >= begun.done_at and one.has_key and one.slot is Slot.NONE:
            yield one


def _todo(site: Site, seen: Assessment) -> tuple[Mend, ...]:
    [case] = cases(seen.view, seen.plans, seen.policy, seen.checked_at, (site.server,), site.server)
    return unasked(seen.diagnosis.findings, case)


def _case(site: Site, view: View) -> Case:
    [case] = cases(view, {}, site.policy, clock.now(), (site.server,), site.server)
    return case


def _put_on_record(site: Site, one: Mend) -> None:
    match one.action:
        case Publish(fingerprint=fingerprint, replica=replica):
            what, place, values = (
                "publish",
                replica or site.directory.primary.url,
                {"fingerprint": fingerprint},
            )
        case Restrict(file=file):
            what, place, values = "restrict", file, {}
    plan = planned(site.server, what, one.evidence, clock.now(), place=place, event=one.because, **values)
    with suppress(StoreUnavailable):
        site.journal.record_plan(plan)
