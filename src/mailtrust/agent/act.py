"""
Act: the only place that changes anything, one action at a time, each on record.

An action is a value (`core.model.plan`); `perform` is its one executor.  `enable` is the checklist of
`core.rotation`, run until it is done or has to wait: look, think, act, and look again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import assert_never

from mailtrust import clock
from mailtrust.agent.journal import Journal
from mailtrust.agent.look import OWN, Assessment, assess, look
from mailtrust.agent.refusals import refuse_step_back, refuse_to_enable, refuse_to_remove, refuse_to_withdraw
from mailtrust.agent.replication import Arrivals
from mailtrust.agent.site import Site
from mailtrust.agent.writer import writing
from mailtrust.certificates.create import new_key, self_signed
from mailtrust.config import Config
from mailtrust.core.checks import cases
from mailtrust.core.model.certificate import Fingerprint, short
from mailtrust.core.model.plan import (
    Action,
    Install,
    Phase,
    Plan,
    Present,
    Publish,
    Rehearse,
    Replicate,
    Restrict,
    Rotation,
    Withdraw,
)
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import NOT_ENDED, Act, Installed, Slot, View
from mailtrust.core.repair import repairs
from mailtrust.core.rotation import plan
from mailtrust.core.succession import ENABLE_PACE
from mailtrust.directory.replicate import replicate_once
from mailtrust.errors import DirectoryUnavailable, StoreUnavailable

Watch = Callable[[View, Plan], None]
"""Called after every look while something is waited for."""

LOOK_AGAIN_AFTER = timedelta(milliseconds=500)


@dataclass(frozen=True, slots=True)
class Enabled:
    """What `enable` did, and what it waits for."""

    installed: Installed
    plan: Plan
    changed: bool
    """False where everything was as asked already."""
    relisted: bool = False
    """True where only its listeners were published anew."""
    replaced: Installed | None = None
    """What was current before."""
    deferring: tuple[str, ...] = ()
    """With `--now`: the replicas that do not have it yet, whose readers will defer our mail."""
    unread: tuple[str, ...] = ()
    """Replicas that could not be read; they held nothing back."""
    view: View = field(default_factory=View, repr=False)
    """The last look."""


async def perform(site: Site, action: Action) -> None:
    """
    Do one thing, and put it into the journal.  Repeating it changes nothing.

    Raises: DirectoryUnavailable, StoreUnavailable.
    """
    match action:
        case Install(successor=successor):
            await install(site, successor=successor)
        case Rehearse():
            # It changes nothing: whoever thinks asks for it and looks at the answers (`agent.rotate`).
            return
        case Publish(fingerprint=fingerprint, replica=replica):
            await _publish(site, fingerprint, replica)
        case Present(fingerprint=fingerprint):
            await asyncio.to_thread(site.store.make_current, fingerprint, clock.now())
            _record(site, Act("present", action.server, fingerprint, clock.now()))
        case Withdraw(server=server, fingerprint=fingerprint, pin=pin):
            _record_begun(site, "withdraw", server, fingerprint)
            if pin is not None:
                await site.directory.withdraw_key(server, pin, clock.now())
            await site.directory.withdraw(server, fingerprint, clock.now())
            place = site.directory.primary.url
            _record(site, Act("withdraw", server, fingerprint, clock.now(), place))
        case Replicate():
            await replicate_once(site.directory, clock.now())
        case Restrict(file=file):
            await asyncio.to_thread(_restrict, file)
        case _:
            assert_never(action)


async def _alone(site: Site, what: str, action: Action) -> None:
    """
    As `perform`, while nobody else acts; why a publication failed is remembered of the `enable`.

    Not of every publication: whoever could not publish a successor was not asked to present it.
    """
    async with writing(site.store.folder, what, clock.now()):
        try:
            await perform(site, action)
        except DirectoryUnavailable as error:
            if isinstance(action, Publish):
                place = action.replica or site.directory.primary.url
                why = error.message
                _record(site, Act("enable", site.server, action.fingerprint, clock.now(), place, failed=why))
            raise


async def enable(
    site: Site,
    fingerprint: Fingerprint,
    *,
    replica: str | None = None,
    switch_now: bool = False,
    wait: timedelta | None = None,
    force: bool = False,
    watch: Watch | None = None,
) -> Enabled:
    """
    Publish an installed certificate, and make it current once every readable replica has it, or at once
    if nothing is current.  *wait*: how long to stay until then; None: do what can be done and return.
    *force*: also one that is not valid now, in the place of one that is.

    Raises: Refused, KeyMismatch, DirectoryUnavailable, StoreUnavailable.
    """
    view, _ = await look(site, OWN, wire=False)
    held = _held(site, view, fingerprint)
    refuse_to_enable(held, view, site.server)
    if not force:
        refuse_step_back(held, view, site.server, clock.now())
    replaced = view.current(site.server)
    rotation = Rotation(site.server, fingerprint, replica)
    step = plan(rotation, view, ENABLE_PACE, clock.now())
    if step.phase is Phase.DONE or (wait is None and is_settled(held, step)):
        relisted = must_relist(site, view, replica)
        if relisted:
            await _publish(site, fingerprint, replica)
        return Enabled(
            held, step, changed=False, relisted=relisted, unread=_unread(view, site), view=view
        )  # fmt: skip
    _record_begun(site, "enable", site.server, fingerprint)
    if (under_way := view.history.intent) is not None and under_way.rotation.new != fingerprint:
        site.journal.end(under_way.rotation, "superseded", clock.now())
    deadline = clock.now() + (wait or timedelta(0))
    lacking: tuple[str, ...] = ()
    arrivals = Arrivals(site.server, held.certificate, site.journal)
    arrivals.see(view, clock.now())
    while True:
        if step.action is not None:
            await _alone(site, "enable", step.action)
        elif switch_now and step.phase is Phase.SPREAD and held.slot is not Slot.CURRENT:
            lacking = tuple(obstacle.place for obstacle in step.obstacles)
            await _alone(site, "enable", Present(site.server, fingerprint))
        elif step.phase is not Phase.SPREAD or clock.now() >= deadline:
            break
        else:
            await asyncio.sleep(LOOK_AGAIN_AFTER.total_seconds())
        view, _ = await look(site, OWN, wire=False)
        arrivals.see(view, clock.now())
        held = _held(site, view, fingerprint)
        step = plan(rotation, view, ENABLE_PACE, clock.now())
        if watch is not None:
            watch(view, step)
    if step.phase is Phase.PUBLISH:
        raise DirectoryUnavailable(_unwritable(site, view, rotation))
    _record_enabled(site, rotation)
    gone = replaced if replaced and replaced.certificate != held.certificate else None
    return Enabled(
        held, step, changed=True, replaced=gone, deferring=lacking, unread=_unread(view, site), view=view
    )  # fmt: skip


def is_settled(held: Installed, step: Plan) -> bool:
    """True where enabling it has nothing left to do but wait."""
    return step.phase is Phase.DONE or (held.slot is Slot.CURRENT and step.phase is Phase.SPREAD)


def must_relist(site: Site, view: View, replica: str | None) -> bool:
    """True where a write would publish other listeners than stand there: `server.listeners` was changed."""
    place = replica or site.directory.primary.url
    return any(
        set(look.listeners) != set(site.config.server.listeners)
        for look in view.replicas(site.server)
        if look.place == place and look.found
    )


async def fix(site: Site, *, dry_run: bool = False) -> tuple[tuple[Action, ...], Assessment]:
    """
    Mend what `check` finds, look again, and go on until nothing is left that we may do unasked.

    Gives what was done (or, with *dry_run*, what would be done first) and the last look.
    Raises: MailtrustError where an action fails.
    """
    done: list[Action] = []
    while True:
        seen = await assess(site)
        [case] = cases(seen.view, seen.plans, site.policy, seen.checked_at, (site.server,), site.server)
        todo = [action for action in repairs(seen.diagnosis.findings, case) if action not in done]
        if dry_run or not todo:
            return (*done, *todo), seen
        for action in todo:
            if isinstance(action, Publish):
                _record_begun(site, "enable", site.server, action.fingerprint)
            await _alone(site, "fix", action)
            if isinstance(action, Publish):
                _record_enabled(site, Rotation(site.server, action.fingerprint, action.replica))
        done += todo


async def withdraw(site: Site, value: Withdraw, *, dry_run: bool = False) -> tuple[str, ...]:
    """
    Take a value out of the directory for good.  Gives the endpoints that could not be looked at.

    With *dry_run* it only looks whether that may be done.
    Raises: Refused where it is current or presented, DirectoryUnavailable.
    """
    unseen: tuple[str, ...] = ()
    if value.server == site.server:
        view, _ = await look(site, OWN)
        refuse_to_withdraw(value.fingerprint, view, site.server)
        unseen = tuple(wire.place for wire in view.wires(site.server) if wire.found is None)
    if not dry_run:
        await _alone(site, "withdraw", value)
    return unseen


async def remove(site: Site, fingerprint: Fingerprint, *, dry_run: bool = False) -> None:
    """
    Take a certificate and its key out of the store.

    With *dry_run* it only looks whether that may be done.
    Raises: Refused where it is current, presented or published, or where that cannot be seen.
    """
    view, _ = await look(site, OWN)
    held = _held(site, view, fingerprint)
    refuse_to_remove(held, view, site.server)
    if dry_run:
        return
    await asyncio.to_thread(site.store.remove, fingerprint)
    _record(site, Act("remove", site.server, fingerprint, clock.now()))


def record_arrival(config: Config, installed: Installed, now: datetime) -> None:
    """Put into the journal that a certificate came into the store."""
    act = Act("install", config.server.name, installed.certificate.fingerprint, now)
    _write_down(Journal(config.server.store), act)


async def install(site: Site, *, successor: bool = False) -> Installed:
    """Make a key and a certificate, put them into the store and on record.  Raises: StoreUnavailable."""
    key = await asyncio.to_thread(new_key, site.config.policy.key)
    certificate = self_signed(key, site.server, days=site.config.policy.days, now=clock.now())
    installed, _ = await asyncio.to_thread(
        site.store.add_made, key, certificate, clock.now(), successor=successor
    )
    _record(site, Act("install", site.server, installed.certificate.fingerprint, clock.now()))
    return installed


async def _publish(site: Site, fingerprint: Fingerprint, replica: str | None) -> None:
    held = next(one for one in site.store.installed() if one.certificate.fingerprint == fingerprint)
    await site.directory.publish(
        site.server, held.certificate.der, clock.now(), replica_url=replica,
        listeners=site.config.server.listeners,
    )  # fmt: skip


def _unwritable(site: Site, view: View, rotation: Rotation) -> str:
    place = rotation.replica or site.directory.primary.url
    why = next((one.why for one in view.replicas(site.server) if one.place == place), "")
    return f"{short(rotation.new)} cannot be published at {place}: {why}"


def _record_begun(site: Site, what: str, server: ServerName, fingerprint: Fingerprint) -> None:
    """First, so that whoever is killed in between leaves a trace of what was meant."""
    _record(site, Act(what, server, fingerprint, clock.now(), failed=NOT_ENDED))


def _record_enabled(site: Site, rotation: Rotation) -> None:
    place = rotation.replica or site.directory.primary.url
    _record(site, Act("enable", site.server, rotation.new, clock.now(), place))


def _record(site: Site, act: Act) -> None:
    _write_down(site.journal, act)


def _write_down(journal: Journal, act: Act) -> None:
    """A journal that cannot be written must not stop an act that is right; `check` will say so."""
    with suppress(StoreUnavailable):
        journal.record_act(act)


def _restrict(file: str) -> None:
    try:
        Path(file).chmod(0o600)
    except OSError as error:
        raise StoreUnavailable(f"cannot take others' right to read {file} away") from error


def _held(site: Site, view: View, fingerprint: Fingerprint) -> Installed:
    store = view.store(site.server)
    if store is None or store.found is None:
        raise StoreUnavailable(f"the store cannot be read: {store.why if store else ''}")
    return next(one for one in store.found if one.certificate.fingerprint == fingerprint)


def _unread(view: View, site: Site) -> tuple[str, ...]:
    return tuple(one.place for one in view.replicas(site.server) if one.found is None)
