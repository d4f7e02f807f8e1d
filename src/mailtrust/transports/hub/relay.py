"""
The outbound side: what is due leaves the queue, for a mailbox here or for the next hop.

Everything that goes one way shares a *lane*.  A lane holds a short backlog and opens as many sessions
as that needs; one next hop that is down or slow therefore never holds up another.  What arrives goes
into its lane at once, unless the backlog is full.  The queue is asked when something falls due, and when
a lane has room again, and at no other time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from mailtrust.smtp.delivery import Deferred, Delivered, Mail, Outcome
from mailtrust.transports.base import Report
from mailtrust.transports.hub.admission import LOCAL, hop_of
from mailtrust.transports.hub.containment import contained
from mailtrust.transports.hub.counters import Counters
from mailtrust.transports.hub.credential import Presented
from mailtrust.transports.hub.lane import Key, Lane, Recent
from mailtrust.transports.hub.maildir import Copy, Maildirs
from mailtrust.transports.hub.message import Message, return_path
from mailtrust.transports.hub.next_hop import NextHop, Session
from mailtrust.transports.hub.outbound import HopUnavailable
from mailtrust.transports.hub.outcomes import IN_THE_MAILBOX, Outcomes
from mailtrust.transports.hub.queue import Job, Queue, QueueFull
from mailtrust.transports.hub.queue_file import LARGE_BYTES
from mailtrust.transports.hub.settings import HubSettings
from mailtrust.transports.hub.tally import Tally
from mailtrust.transports.hub.trust import Trust

_LOAD_ROWS = 500
# RFC 5321 section 4.5.3.1.8: so many every server takes; those that it put off would wait for their retry.
_RECIPIENTS = 100
_BATCH_JOBS = 100
_BATCH_BYTES = 16 << 20
# A clock that was set, or a host that slept, makes mail due without a sound.
_LONGEST_PAUSE_SECONDS = 60.0
_UNREADABLE_PAUSE_SECONDS = 5.0
_GOODBYE_SECONDS = 2.0
_LONGEST_DOWN_SECONDS = 30.0
_UNREADABLE = Deferred("the message cannot be read from the queue's disk")
_NO_ROUTE = "no route leads there; it is tried again when the hub starts with one"
_SERVICE_ENDS = 421


class Relay:
    """Runs until cancelled; `finish` first lets what is on its way arrive."""

    def __init__(
        self,
        settings: HubSettings,
        queue: Queue,
        presented: Presented,
        trust: Trust,
        counters: Counters,
        report: Report,
        now: Callable[[], datetime],
        tally: Tally,
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._presented = presented
        self._trust = trust
        self._counters = counters
        self._report = report
        self._now = now
        self._tally = tally
        self._outcomes = Outcomes(settings, queue, counters, now)
        self._maildirs = Maildirs(settings.maildir, settings.name, settings.name)
        self._lanes: dict[str, Lane] = {}
        self._taken: set[Key] = set()
        self._let_go: set[Key] | None = None
        self._recent = Recent()
        self._woken = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._stopping = False
        self._delivering: set[asyncio.Task[None]] = set()

    def arrived(self, message: Message) -> None:
        """A message is on disk, due at once."""
        self._recent.remember(message)
        # A large one is announced late, when a look at the queue may have had it delivered already.
        if self._tasks is None or len(message.content) > LARGE_BYTES:
            self._woken.set()
            return
        for job in self._untaken(_jobs_of(self._settings, message)):
            self._enter_or_leave(job, self._tasks)

    def try_now(self) -> None:
        """Look at the queue now, and try every next hop, also one that was down a moment ago."""
        for lane in self._lanes.values():
            lane.down_until = float("-inf")
        self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            while not self._stopping:
                self._woken.clear()
                pause = await self._load(tasks)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._woken.wait()

    async def finish(self, seconds: float) -> None:
        """Begin nothing new, and give what runs so long to end."""
        self._stopping = True
        self._woken.set()
        for lane in self._lanes.values():
            lane.close()
        if self._delivering:
            await asyncio.wait(self._delivering, timeout=seconds)

    # From the queue into the lanes

    async def _load(self, tasks: asyncio.TaskGroup) -> float:
        """Fill the lanes with what is due; how many seconds there is nothing to do."""
        now = self._now()
        busy = [lane for lane in self._lanes.values() if lane.backlog]
        for lane in busy:
            lane.left_out = True
        limit = _LOAD_ROWS + len(self._taken)
        # What is settled while we look still stands in our answer: it stays taken until we are through.
        self._let_go = set()
        try:
            jobs = await self._queue.due(now, limit, [lane.hop for lane in busy])
            whole = sum(len(job.recipients) for job in jobs) >= limit
            for job in self._untaken(jobs):
                self._enter(job, tasks)
            for lane in self._lanes.values():
                lane.left_out |= whole
            following = await self._queue.next_due(now)
        except QueueFull:
            return _UNREADABLE_PAUSE_SECONDS
        finally:
            self._taken -= self._let_go
            self._let_go = None
        if whole:
            return 0.0
        if following is None:
            return _LONGEST_PAUSE_SECONDS
        return max(0.0, min((following - self._now()).total_seconds(), _LONGEST_PAUSE_SECONDS))

    def _untaken(self, jobs: Iterable[Job]) -> Iterable[Job]:
        for job in jobs:
            for position in [at for at in job.recipients if (job.message, at) in self._taken]:
                del job.recipients[position]
            if 0 < len(job.recipients) <= _RECIPIENTS:
                yield job
                continue
            positions = list(job.recipients)
            for start in range(0, len(positions), _RECIPIENTS):
                some = {at: job.recipients[at] for at in positions[start : start + _RECIPIENTS]}
                yield replace(job, recipients=some)

    def _enter_or_leave(self, job: Job, tasks: asyncio.TaskGroup) -> None:
        lane = self._lane(job.hop)
        if not lane.left_out and len(lane.backlog) < _LOAD_ROWS:
            self._enter(job, tasks)
            return
        lane.left_out = True
        if not lane.backlog:
            self._woken.set()

    def _lane(self, hop: str) -> Lane:
        lane = self._lanes.get(hop)
        if lane is None:
            lane = self._lanes[hop] = Lane(hop)
        return lane

    def _enter(self, job: Job, tasks: asyncio.TaskGroup) -> None:
        lane = self._lane(job.hop)
        self._taken.update((job.message, at) for at in job.recipients)
        lane.put(job)
        self._staff(lane, tasks)

    def _staff(self, lane: Lane, tasks: asyncio.TaskGroup) -> None:
        most = self._settings.relay.sessions_per_hop if lane.is_remote else 1
        # One at a time opens its session: a hop that is down is asked once, not by everybody.
        if self._stopping or lane.opening or len(lane.backlog) <= lane.idle or lane.workers >= most:
            return
        lane.workers += 1
        lane.opening = lane.is_remote
        tasks.create_task(self._work(lane, tasks))

    def _release(self, job: Job) -> None:
        keys = [(job.message, at) for at in job.recipients]
        (self._taken.difference_update if self._let_go is None else self._let_go.update)(keys)
        self._recent.forget(job.message)

    async def _write(self, job: Job, outcomes: dict[int, Outcome]) -> None:
        if await self._outcomes.write(job, outcomes):
            self._woken.set()
        self._release(job)

    # One worker of a lane

    async def _work(self, lane: Lane, tasks: asyncio.TaskGroup) -> None:
        try:
            # A message whose delivery met a fault stays in the queue, and is tried when the hub starts again.
            await contained(self._serve(lane, tasks), f"delivery to {lane.hop or 'nowhere'}")
        finally:
            lane.workers -= 1
        # What came while the last session ended must not wait for the next arrival.
        self._staff(lane, tasks)

    async def _serve(self, lane: Lane, tasks: asyncio.TaskGroup) -> None:
        if lane.hop == LOCAL:
            self._say_delivering()
            await self._deliver_here(lane)
        elif lane.hop == "":
            await self._put_off(lane, Deferred(_NO_ROUTE))
        else:
            await self._relay(lane, tasks)

    def _say_delivering(self) -> None:
        """From here on `finish` waits for this worker."""
        worker = asyncio.current_task()
        if worker is not None:
            self._delivering.add(worker)
            worker.add_done_callback(self._delivering.discard)

    async def _put_off(self, lane: Lane, why: Deferred) -> None:
        while jobs := self._batch(lane):
            await asyncio.gather(*(self._write(job, dict.fromkeys(job.recipients, why)) for job in jobs))

    def _take(self, lane: Lane) -> Job | None:
        job = lane.take()
        if lane.left_out and not lane.backlog:
            lane.left_out = False
            self._woken.set()
        return job

    def _batch(self, lane: Lane) -> list[Job]:
        """Jobs that may share a commit, and not too many bytes of them."""
        jobs: list[Job] = []
        size_bytes = 0
        while len(jobs) < _BATCH_JOBS and size_bytes < _BATCH_BYTES and (job := self._take(lane)):
            jobs.append(job)
            size_bytes += job.size_bytes
        return jobs

    async def _content(self, job: Job) -> bytes | None:
        job.content = self._recent.content(job.message)
        try:
            job.content = await self._queue.content(job)
        except QueueFull:
            return None
        return job.content

    # To mailboxes

    async def _deliver_here(self, lane: Lane) -> None:
        while jobs := self._batch(lane):
            results: dict[int, dict[int, Outcome]] = {index: {} for index in range(len(jobs))}
            copies: list[tuple[int, Copy]] = []
            for index, job in enumerate(jobs):
                content = await self._content(job)
                for position, address in job.recipients.items():
                    if content is None:
                        results[index][position] = _UNREADABLE
                        continue
                    pieces = (return_path(job.sender), content)
                    copies.append((index, Copy(address, job.message, position, job.accepted_at, pieces)))
            whys = await asyncio.to_thread(self._maildirs.deliver, [copy for _, copy in copies])
            for (index, copy), why in zip(copies, whys, strict=True):
                results[index][copy.position] = Deferred(why) if why else IN_THE_MAILBOX
            await asyncio.gather(*(self._write(job, results[index]) for index, job in enumerate(jobs)))

    # To the next hop

    async def _relay(self, lane: Lane, tasks: asyncio.TaskGroup) -> None:
        hop = lane.next_hop = lane.next_hop or self._next_hop(lane.hop)
        moment = asyncio.get_running_loop().time()
        if moment < lane.down_until:
            lane.opening = False
            await self._put_off(lane, lane.down_because)
            return
        try:
            session = await hop.open()
        except HopUnavailable as error:
            lane.down_because = Deferred(error.why, error.reply)
            lane.down_until = asyncio.get_running_loop().time() + self._down_seconds
            await self._put_off(lane, lane.down_because)
            return
        finally:
            lane.opening = False
        # This one is about to take a job: others are wanted for the rest only.
        lane.idle += 1
        self._staff(lane, tasks)
        lane.idle -= 1
        self._say_delivering()
        try:
            await self._feed(lane, hop, session)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await session.outbound.quit()
        finally:
            await session.outbound.close()

    def _next_hop(self, hop: str) -> NextHop:
        # The queue keeps routes as text, and only those of our settings: it follows them at every start.
        way = next(route for route in self._settings.routes.values() if str(route) == hop)
        return NextHop(way, self._settings, self._presented, self._trust, self._report, self._tally)

    async def _feed(self, lane: Lane, hop: NextHop, session: Session) -> None:
        while hop.still_good(session):
            job = self._take(lane) or await self._next_job(lane)
            if job is None:
                return
            if not hop.still_good(session):
                # It was idle meanwhile, and the world went on: the job waits for a new session.
                lane.put_back(job)
                return
            if not await self._hand_over(job, session):
                lane.put_back(job)
                return

    async def _next_job(self, lane: Lane) -> Job | None:
        patience = self._settings.relay.idle_timeout.total_seconds()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await lane.wait()
        return self._take(lane)

    async def _hand_over(self, job: Job, session: Session) -> bool:
        """False when the session turned out to be over, and a new one may still deliver it at once."""
        content = await self._content(job)
        if content is None:
            await self._write(job, dict.fromkeys(job.recipients, _UNREADABLE))
            return True
        try:
            answers = await session.outbound.deliver(
                Mail(job.sender, tuple(job.recipients.values()), content)
            )
            outcomes = {at: outcome for at, (_, outcome) in zip(job.recipients, answers, strict=True)}
        except HopUnavailable as error:
            outcomes = dict.fromkeys(job.recipients, Deferred(error.why, error.reply))
        if session.mails and not session.outbound.alive and all(map(_session_over, outcomes.values())):
            return False
        session.mails += 1
        sent = any(isinstance(outcome, Delivered) for outcome in outcomes.values())
        self._counters.would_defer += sent and not session.believed
        await self._write(job, outcomes)
        return True

    @property
    def _down_seconds(self) -> float:
        # Less than the shortest wait: what failed together is tried again in earnest.
        return min(self._settings.retry.first.total_seconds() / 2, _LONGEST_DOWN_SECONDS)


def _jobs_of(settings: HubSettings, message: Message) -> list[Job]:
    """What the queue would make of a message that was not tried yet, without asking it."""
    jobs: dict[str, Job] = {}
    for position, address in enumerate(message.recipients):
        hop = hop_of(settings, address)
        if hop not in jobs:
            jobs[hop] = Job(
                message.id, hop, message.sender, {}, message.accepted_at, 0, len(message.content),
                message.eight_bit,
            )  # fmt: skip
        jobs[hop].recipients[position] = address
    return list(jobs.values())


def _session_over(outcome: Outcome) -> bool:
    """True where not the mail but the session met its end."""
    return isinstance(outcome, Deferred) and (outcome.reply is None or outcome.reply.code == _SERVICE_ENDS)
