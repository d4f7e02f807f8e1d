"""
The agent of one server: look, think, act, sleep.

A round takes the rotation that is under way as far as it goes now (`rotate.step`), then mends what may be
mended unasked (`mend`), and ends with when to look again: when something changes, when the earliest wait is
over, or after a while.  Nothing is kept between two rounds that a crash could lose: whatever comes next is
read off the store, the directory and the journal each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailtrust import clock
from mailtrust.agent import rotate
from mailtrust.agent.clocks import Clocks
from mailtrust.agent.journal_rows import planned
from mailtrust.agent.look import ALONE, OWN, Assessment, assess, judged, unread_places
from mailtrust.agent.mend import enrol, mend
from mailtrust.agent.rotate import Hands, Stepped
from mailtrust.agent.site import Site
from mailtrust.agent.supervision import sentence, told_fault
from mailtrust.agent.wake import LOOK_AGAIN_AFTER, Wake
from mailtrust.agent.writer import writing
from mailtrust.core.events.catalog import AGENT_ACT_FAILED, CLOCK_STEPPED
from mailtrust.core.model.certificate import Fingerprint, short
from mailtrust.core.model.event import Event, Said, said_duration
from mailtrust.core.model.plan import Action, Phase, Present, Rehearse
from mailtrust.core.succession import Course
from mailtrust.directory.pauses import pauses
from mailtrust.errors import MailtrustError, StoreUnavailable
from mailtrust.transports.base import Raised

_MOST_STEPS = 50
"""A round that does not end by itself ends then: a checklist has eight lines."""
_EVERYBODY_EVERY = timedelta(minutes=15)
"""What concerns others as well (a shared key) is judged so often: the whole directory is read for it."""
_TELL_AGAIN_AFTER = timedelta(minutes=15)
_LONGEST_REFUSED = timedelta(minutes=5)
"""Every peer is asked each time, and the one that said no has to be mended by somebody."""
_FIRST_PAUSE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Round:
    """One round: what was done, what is under way, and what could not be done."""

    done: tuple[Action, ...] = ()
    course: Course | None = None
    failed: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    """The places that could not be looked at."""

    @property
    def is_refused(self) -> bool:
        """True where peers were asked, and the switch still waits: asking again at once is no use."""
        return bool(self.done) and all(isinstance(one, Rehearse) for one in self.done)

    @property
    def until(self) -> datetime | None:
        """The earliest moment at which a wait ends by itself."""
        obstacles = self.course.plan.obstacles if self.course else ()
        return min((one.until for one in obstacles if one.until is not None), default=None)

    @property
    def status(self) -> str:
        """In a few words, for `systemctl status`."""
        if self.failed:
            return f"could not go on: {self.failed[-1]}"
        unseen = f"could not look at {', '.join(self.unread)}" if self.unread else ""
        if self.course is None or self.course.plan.phase is Phase.DONE:
            return unseen or "all is done"
        under_way = f"{self.course.why}: {self.course.plan.phase.value}"
        return f"{under_way}; {unseen}" if unseen else under_way


@dataclass(slots=True)
class Tending:
    """One server, looked after; `run` goes on until *stopping* is set, and finishes the act at hand."""

    site: Site
    hands: Hands
    stopping: asyncio.Event
    turned: Callable[[Round | None], None]
    """Called as often as *beat* at least while it turns: with a round that ended, or None in between."""
    beat: timedelta = timedelta(seconds=10)
    clocks: Clocks = field(default_factory=Clocks)
    wake: Wake = field(default_factory=Wake)
    _knew_everybody: float = float("-inf")
    _told: object = None
    _presented: tuple[Fingerprint | None, float] = (None, 0.0)
    """What the transport was told last to present, and when."""

    async def run(self) -> None:
        """Round after round."""
        failures, refusals = pauses(_FIRST_PAUSE), pauses(_FIRST_PAUSE, _LONGEST_REFUSED)
        while not self.stopping.is_set():
            self.wake.clear()
            found = await self.round()
            self.turned(found)
            if found.failed:
                await self._sleep(next(failures), only_asked=True)
            elif found.is_refused:
                await self._sleep(next(refusals), only_asked=True)
            else:
                failures, refusals = pauses(_FIRST_PAUSE), pauses(_FIRST_PAUSE, _LONGEST_REFUSED)
                await self._sleep(self._until(found))

    async def round(self) -> Round:
        """One round; what fails is told, and never raised."""
        failed: list[str] = []
        done: list[Action] = []
        course: Course | None = None
        idle: Stepped | None = None
        unread: tuple[str, ...] = ()
        try:
            self._mind_the_clock()
            if self.site.config.agent.enrol:
                done += await enrol(self.site)
            stepped = await self._steps(done)
            course, unread = stepped.course, unread_places(self.site.server, stepped.view, clock.now())
            self._tell_wait(stepped)
            idle = None if stepped.done else stepped
            await self._present_again(stepped)
        except MailtrustError as error:
            failed.append(self._failed(sentence(error)))
        except Exception as fault:  # noqa: BLE001  # the next round may do better, and mail goes on
            failed.append(self._failed(told_fault("the agent met a fault", fault)))
        if not self.stopping.is_set():
            more, complaints = await self._mend(idle)
            done += more
            failed += complaints
        return Round(tuple(done), course, tuple(failed), unread)

    async def _steps(self, done: list[Action]) -> Stepped:
        """Steps until nothing can be done, or we are to stop."""
        for _ in range(_MOST_STEPS):
            stepped = await rotate.step(self.site, self.hands)
            self.turned(None)
            done += stepped.done
            goes_on = stepped.ended or (stepped.done and not isinstance(stepped.done[-1], Rehearse))
            if not goes_on or self.stopping.is_set():
                break
        return stepped

    async def _mend(self, idle: Stepped | None) -> tuple[tuple[Action, ...], list[str]]:
        """What may be mended unasked; by the look of a step that did nothing, or by one of its own."""
        site = self.site
        try:
            seen = await self._assessed(idle)
            self.turned(None)
            mended = await mend(site, seen)
        except MailtrustError as error:
            return (), [self._failed(sentence(error))]
        except Exception as fault:  # noqa: BLE001  # as above
            return (), [self._failed(told_fault("the agent met a fault", fault))]
        return mended.done, [self._failed(sentence(error)) for error in mended.failed]

    async def _assessed(self, idle: Stepped | None) -> Assessment:
        """By everybody's entries now and then, and by our own else."""
        now = asyncio.get_running_loop().time()
        if now - self._knew_everybody > _EVERYBODY_EVERY.total_seconds():
            self._knew_everybody = now
            return await assess(self.site, OWN)
        if idle is not None:
            return judged(self.site, idle.view, (self.site.server,), alone=True)
        return await assess(self.site, ALONE)

    async def _present_again(self, stepped: Stepped) -> None:
        """
        The transport presents something else than what is current, or nobody can see what: tell it again.

        Once, and then not for a while: a listener may be somebody else's.
        """
        view, server, now = stepped.view, self.site.server, asyncio.get_running_loop().time()
        current = view.current(server)
        if self.hands.present is None or current is None:
            return
        leaf = current.certificate
        told, told_at = self._presented
        shown = [one for one in view.wires(server) if one.found]
        wrong = [one for one in shown if any(found.pin != leaf.pin for found in one.found or ())]
        is_new = any(isinstance(one, Present) for one in stepped.done)
        is_presented = not wrong if shown else told == leaf.fingerprint
        if is_new or is_presented:
            self._presented = leaf.fingerprint, now if is_new else told_at
        elif told != leaf.fingerprint or now - told_at > _TELL_AGAIN_AFTER.total_seconds():
            self._presented = leaf.fingerprint, now
            values = {"fingerprint": short(leaf.fingerprint)}
            said = [Said("obstacle.not-presented", {**values, "place": one.place}) for one in wrong]
            plan = planned(server, "chain", said, clock.now(), fingerprint=leaf.fingerprint)
            async with writing(self.site.store.folder, "agent: present", clock.now()):
                self.site.journal.record_plan(plan)
                await self.hands.present(self.site)

    def _mind_the_clock(self) -> None:
        step = self.clocks.step()
        if step is not None:
            self.site.journal.forget_since(clock.now())
            way = "forwards" if step > timedelta(0) else "back"
            self._raise(CLOCK_STEPPED, step=f"{said_duration(abs(step).total_seconds())} {way}")

    def _tell_wait(self, stepped: Stepped) -> None:
        """Put on record what is waited for, once: not again until it is something else."""
        found = stepped.course
        if found is None or stepped.ended or found.plan.action or found.plan.phase is Phase.DONE:
            self._told = None
            return
        about = tuple((one.said.phrase, one.place, one.until) for one in found.plan.obstacles)
        told = found.why, found.plan.rotation.new, found.plan.phase, about
        if told != self._told:
            rotate.put_on_record(self.site, found)
        self._told = told

    def _failed(self, why: str) -> str:
        self._raise(AGENT_ACT_FAILED, why=why)
        return why

    def _raise(self, event: Event, **values: str) -> None:
        raised = Raised(event, self.site.server, str(self.site.store.folder), values)
        with suppress(StoreUnavailable):
            self.site.journal.record_raised(raised, clock.now())

    def _until(self, found: Round) -> timedelta:
        every, until = self.site.config.agent.every, found.until
        return every if until is None else min(every, max(until - clock.now(), timedelta(0)))

    async def _sleep(self, length: timedelta, *, only_asked: bool = False) -> None:
        """Until it is time, somebody asks, the directory changes, or we are to stop; turning meanwhile."""
        loop = asyncio.get_running_loop()
        # Whatever wakes us: a busy directory must not keep us looking all the time.
        earliest = loop.time() + LOOK_AGAIN_AFTER.total_seconds()
        end = max(loop.time() + length.total_seconds(), earliest)
        events = [self.stopping, self.wake.asked, *(() if only_asked else (self.wake.changed,))]
        waiting = [asyncio.create_task(one.wait()) for one in events]
        try:
            while loop.time() < end and not any(one.is_set() for one in events):
                left = min(end - loop.time(), self.beat.total_seconds())
                await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                self.turned(None)
        finally:
            for one in waiting:
                one.cancel()
        if loop.time() < earliest:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), earliest - loop.time())
