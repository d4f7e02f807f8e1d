"""
Rotate, one step at a time: look, think, do at most one thing, and say what comes next or what stands in the
way.

Whoever calls `step` again and again carries a rotation to its end: the agent, or `mailtrust rotate … --wait`.
Nothing is kept between two calls but what stands in the store, the directory and the journal, so that
either may be killed at any point, and the other goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from mailtrust import clock
from mailtrust.agent import act
from mailtrust.agent.journal_rows import Entry
from mailtrust.agent.journal_rows import planned as entry_of_plan
from mailtrust.agent.look import ALONE, OWN, look, places
from mailtrust.agent.site import Site
from mailtrust.agent.writer import writing
from mailtrust.core import succession
from mailtrust.core.model.certificate import Fingerprint, short
from mailtrust.core.model.event import Said
from mailtrust.core.model.plan import Action, Phase, Plan, Present, Publish, Rehearse, Rotation, Withdraw
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import Act, Intent, RehearsalSighting, View
from mailtrust.core.model.trust import KEPT_WHERE_NOTHING_IS_TOLD
from mailtrust.core.policy import Policy
from mailtrust.core.rotation import checklist, plan
from mailtrust.core.succession import Course, course, pace_of
from mailtrust.errors import Refused, StoreUnavailable

Rehearsing = Callable[[Site, View, Fingerprint], Awaitable[tuple[RehearsalSighting, ...]]]
"""Asks every peer; never raises."""
Presenting = Callable[[Site], Awaitable[None]]
"""Makes the transport present what is current now, where it does not see to that itself."""
LOOK_AGAIN_AFTER = timedelta(milliseconds=500)


@dataclass(frozen=True, slots=True)
class Hands:
    """What a rotation needs beside the directory and the store."""

    rehearse: Rehearsing | None = None
    present: Presenting | None = None


@dataclass(frozen=True, slots=True)
class Stepped:
    """One step: what there was to do, what was done, and what was seen before."""

    course: Course | None
    done: tuple[Action, ...] = ()
    ended: bool = False
    """True where a rotation that somebody asked for has come to its end."""
    view: View = field(default_factory=View, repr=False)


async def step(site: Site, hands: Hands) -> Stepped:
    """
    Look at our own server, and do the next thing that is safe.

    Raises: Refused where somebody else is at it; DirectoryUnavailable, StoreUnavailable where the act failed.
    """
    async with writing(site.store.folder, "rotate", clock.now()):
        view, _ = await look(site, ALONE)
        remember(site, view)
        now = clock.now()
        ended = succession.outcome(site.server, view, site.policy, now)
        if ended and view.history.intent is not None:
            site.journal.end(view.history.intent.rotation, ended, now)
            return Stepped(succession.asked(site.server, view, site.policy, now), ended=True, view=view)
        found = course(site.server, view, site.policy, now)
        if found is None or found.plan.action is None:
            return Stepped(found, view=view)
        if found.begins is not None:
            site.journal.begin(found.begins)
        return await _do(site, hands, found, view)


async def _do(site: Site, hands: Hands, found: Course, view: View) -> Stepped:
    done: list[Action] = []
    action = found.plan.action
    put_on_record(site, found)
    if isinstance(action, Rehearse):
        done.append(action)
        # Whom to ask, the directory says: only now everybody's entry is of interest.
        view, _ = await look(site, OWN)
        view = view.see(await _rehearsed(site, hands, view, action.fingerprint))
        rotation = found.plan.rotation
        again = plan(rotation, view, pace_of(found.why, site.policy), clock.now())
        found = Course(found.why, again, found.begins)
        action = None if isinstance(again.action, Rehearse) else again.action
        if action is not None:
            put_on_record(site, found)
    if action is not None:
        await perform(site, hands, action)
        done.append(action)
    return Stepped(found, tuple(done), view=view)


async def _rehearsed(
    site: Site, hands: Hands, view: View, fingerprint: Fingerprint
) -> tuple[RehearsalSighting, ...]:
    found = await hands.rehearse(site, view, fingerprint) if hands.rehearse else ()
    # That there is nobody to ask is an answer, too.
    return found or (RehearsalSighting(site.server, "", fingerprint, None, clock.now()),)


async def perform(site: Site, hands: Hands, action: Action) -> None:
    """As `act.perform`, on record; and what is to be presented is handed to the transport."""
    await act.perform(site, action)
    if isinstance(action, Publish):
        place = action.replica or site.directory.primary.url
        site.journal.record_act(Act("publish", site.server, action.fingerprint, clock.now(), place))
    if isinstance(action, Present) and hands.present is not None:
        await hands.present(site)


def put_on_record(site: Site, found: Course) -> None:
    """Write what comes next, or what is waited for, into the journal, with its evidence."""
    with suppress(StoreUnavailable):
        site.journal.record_plan(planned(site, found))


def planned(site: Site, found: Course) -> Entry:
    """The journal's entry of it."""
    step = found.plan
    action = type(step.action).__name__.lower() if step.action is not None else "wait"
    about = step.action.fingerprint if isinstance(step.action, Withdraw) else step.rotation.new
    said = (obstacle.said for obstacle in step.obstacles)
    return entry_of_plan(
        site.server, action, said, clock.now(), place=step.rotation.replica or "",
        fingerprint=about, why=found.why, phase=step.phase.value,
    )  # fmt: skip


def remember(site: Site, view: View) -> None:
    """
    Since when everything of ours is where it is: waits are counted from there.  Raises: StoreUnavailable.
    """
    site.journal.record_seen(places(view, (site.server,)), clock.now())


async def begin(site: Site, why: str) -> Intent:
    """
    Put a rotation on record: ``start`` or ``now`` to the next certificate, ``undo`` the other way.

    Raises: Refused where there is nothing to rotate to; StoreUnavailable.
    """
    async with writing(site.store.folder, f"rotate {why}", clock.now()):
        view, _ = await look(site, ALONE, wire=False)
        rotation = aim(site, view, why)
        intent = Intent(rotation, why, clock.now())
        site.journal.begin(intent)
    return intent


def aim(site: Site, view: View, why: str) -> Rotation:
    """Where a rotation would lead that is begun for that reason.  Raises: Refused where it leads nowhere."""
    if view.current(site.server) is None:
        raise Refused(
            f"{site.server} has no current certificate to replace",
            hint="make one and enable it first: mailtrust new, then mailtrust enable",
        )
    under_way = view.history.intent
    if why == "undo" and under_way is not None and under_way.why == "undo":
        raise Refused(
            f"{site.server} is on its way back to {short(under_way.rotation.new)} already",
            hint="mailtrust rotate status shows what it waits for",
        )
    if why == "undo":
        found = succession.undo(site.server, view)
        if found is None:
            raise Refused(
                "there is no way back: nothing was replaced, or it is withdrawn, and what was withdrawn never"
                " returns",
                hint="go on to another certificate: mailtrust rotate start",
            )
        return found
    if why == "start" and under_way is not None:
        raise Refused(
            f"a rotation to {short(under_way.rotation.new)} is under way",
            hint="mailtrust rotate status shows what it waits for; mailtrust rotate start --wait goes on with"
            " it; mailtrust rotate undo turns it round",
        )
    found = succession.start(site.server, view)
    if found is None and under_way is not None and why == "now":
        return under_way.rotation
    if found is None:
        raise Refused(
            f"{site.server} has no next certificate yet",
            hint="make and publish it: mailtrust rotate prepare; the agent does so by itself",
        )
    return found


async def compromise(site: Site, hands: Hands) -> tuple[Intent, Stepped]:
    """
    Every key of this server is in somebody's hands: make a new one, present it, and withdraw all others.

    What is on record first is what is to go, so that whoever goes on after a crash knows.
    Raises: Refused, DirectoryUnavailable, StoreUnavailable.
    """
    async with writing(site.store.folder, "rotate compromised", clock.now()):
        view, _ = await look(site, ALONE, wire=False)
        made = await act.install(site)
        rotation = succession.compromised(site.server, view, made.certificate.fingerprint)
        intent = Intent(rotation, "compromised", clock.now())
        site.journal.begin(intent)
        known_of = succession.published(site.server, view) | view.withdrawals(site.server).keys()
        for leaf in sorted(rotation.old - known_of):
            # What was never published is not to be enabled by mistake either.
            site.journal.record_act(Act("withdraw", site.server, leaf, clock.now()))
    stepped = await run(site, hands, until=Phase.FADE)
    return intent, stepped


@dataclass(frozen=True, slots=True)
class Switched:
    """What a switch came to."""

    view: View = field(repr=False)
    still_old: tuple[str, ...] = ()
    """The listeners that do not present it, or could not be looked at."""

    @property
    def presented(self) -> bool:
        """True if every listener presents it."""
        return not self.still_old


async def switch(site: Site, hands: Hands, *, force: bool = False, patience: timedelta) -> Switched:
    """
    Present what the rotation on record leads to, and look until every listener does, at most *patience*.

    With *force* also where it is not known everywhere yet.
    Raises: as `step`.
    """
    async with writing(site.store.folder, "rotate now", clock.now()):
        view, _ = await look(site, ALONE)
        intent = view.history.intent
        if intent is None:
            return Switched(view)
        found = plan(intent.rotation, view, pace_of(intent.why, site.policy), clock.now())
        if isinstance(found.action, Publish):
            await perform(site, hands, found.action)
        if force or isinstance(found.action, Present):
            await perform(site, hands, Present(site.server, intent.rotation.new))
    deadline = clock.now() + patience
    while True:
        view, _ = await look(site, ALONE)
        current = view.current(site.server)
        pin = current.certificate.pin if current else None
        old = tuple(
            one.place for one in view.wires(site.server) if all(pin != leaf.pin for leaf in one.found or ())
        )
        if not old or clock.now() >= deadline:
            remember(site, view)
            return Switched(view, old)
        await asyncio.sleep(LOOK_AGAIN_AFTER.total_seconds())


def known(site: Site, view: View) -> tuple[Fingerprint, ...]:
    """Everything that this server has or publishes, in alphabetical order."""
    return tuple(sorted(succession.compromised(site.server, view, Fingerprint("")).old))


async def run(
    site: Site,
    hands: Hands,
    *,
    until: Phase,
    deadline_after: timedelta = timedelta(0),
    watch: Callable[[Stepped], None] | None = None,
) -> Stepped:
    """
    Step until the rotation has come as far as *until*, or has to wait longer than *deadline_after*.

    Raises: as `step`.
    """
    order = list(Phase)
    deadline = clock.now() + deadline_after
    while True:
        stepped = await step(site, hands)
        if watch is not None:
            watch(stepped)
        if stepped.ended or stepped.course is None:
            return stepped
        if stepped.done and not isinstance(stepped.done[-1], Rehearse):
            continue
        if order.index(stepped.course.plan.phase) >= order.index(until) or clock.now() >= deadline:
            return stepped
        await asyncio.sleep(LOOK_AGAIN_AFTER.total_seconds())


def lines(server: ServerName, view: View, policy: Policy) -> tuple[tuple[Plan, ...], Course | None]:
    """The whole checklist of what is under way here, line by line, and what it belongs to."""
    now = clock.now()
    found = succession.asked(server, view, policy, now) or course(server, view, policy, now)
    if found is None or not found.plan.rotation.new:
        return (), found
    pace = pace_of(found.why, policy)
    return tuple(checklist(found.plan.rotation, view, pace, now)), found


def bound(site: Site, view: View) -> tuple[timedelta, tuple[Said, ...]]:
    """
    How long after its withdrawal at the primary the last peer stops believing a key, and what that rests on.

    A replica learns of it within the latency, and a peer that can read its replica looks at least as often
    as its snapshot may be old.  Where a replica tells nothing of withdrawals a reader waits.
    """
    policy = site.policy
    looks = view.replicas(site.server)
    latency = max([policy.latency, *(length for one in looks for length in one.latencies.values())])
    caveats = [
        Said("bound.replica-unread", {"place": one.place, "why": one.why})
        for one in looks
        if one.found is None
    ]
    within = latency + policy.snapshot_max_age
    if not site.directory.primary.remembers_withdrawals:
        caveats.append(Said("bound.went-back"))
        if any(one.found is not None and not one.seen for one in looks):
            within += KEPT_WHERE_NOTHING_IS_TOLD
    return within, (*caveats, Said("bound.keep"))
