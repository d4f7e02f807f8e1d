"""Play a story, or keep an organization running: the lab as `mailtrust lab` runs it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from mailtrust.agent.look import Assessment, assess
from mailtrust.errors import BadInput
from mailtrust.lab.control import obey
from mailtrust.lab.mail import Counts
from mailtrust.lab.organization import DIRECTORIES, Organization, open_organization
from mailtrust.lab.stage import Pause, Say, Stage
from mailtrust.lab.stories import STORIES, Story

DEFAULT_LAG = timedelta(seconds=5)
DEFAULT_LATENCY = timedelta(seconds=30)
_SHOW_EVERY_SECONDS = 1.0
Beside = Callable[[Organization], AbstractAsyncContextManager[Pause]]
"""What is up as long as an organization is, such as a dashboard; and how a story gives its readers time."""
Afterwards = Callable[[Stage, Counts], Awaitable[None]]

_STORY_SERVERS, _STORY_REPLICAS = 3, 2
_MOST = 50


@dataclass(frozen=True, slots=True)
class Size:
    """How large an organization, how slow its replication (None: as in the story), and what replicates."""

    servers: int = 3
    replicas: int = 3
    lag: timedelta | None = None
    directory: str = DIRECTORIES[0]


def story_named(name: str) -> Story:
    """Raises: BadInput, with the names that there are."""
    if name not in STORIES:
        raise BadInput(f"there is no story {name!r}", hint=f"the stories are: {', '.join(STORIES)}")
    return STORIES[name]


@asynccontextmanager
async def nothing_beside(_: Organization) -> AsyncIterator[Pause]:
    """Nothing, and nobody who would need time."""

    async def go_on() -> None:
        pass

    yield go_on


async def play(
    story: Story,
    folder: Path,
    size: Size,
    say: Say,
    columns: int | None = None,
    *,
    beside: Beside = nothing_beside,
    afterwards: Afterwards | None = None,
) -> Counts:
    """
    Play one story to its end; what became of the mail meanwhile.

    *columns*: how wide its reader's terminal is; None where there is none.  *afterwards* is awaited before
    the organization ends, which sends mail again then.

    Raises: StoryFailed, BadInput for an organization that is too small for it.
    """
    if size.servers < _STORY_SERVERS or size.replicas < _STORY_REPLICAS:
        raise BadInput(
            f"a story needs {_STORY_SERVERS} servers and {_STORY_REPLICAS} replicas at least",
            hint="leave --servers and --replicas away",
        )
    lag = story.lag if size.lag is None else size.lag
    latency = max(story.latency, lag * 2 + timedelta(seconds=2))
    async with _living(folder, size, lag, latency) as organization, beside(organization) as pause:
        stage = Stage(organization, say, columns, pause)
        stage.tell(
            f"{story.title}. On this machine: {size.servers} mail servers, which send each other mail, and "
            f"{size.replicas} replicas of their directory ({organization.replicas.kind}), which lag "
            f"{lag.total_seconds():g} s."
        )
        await story.play(stage)
        counted = await organization.mail.settled()
        if afterwards is not None:
            organization.mail.resume()
            await afterwards(stage, counted)
        return counted


async def stay(
    folder: Path,
    size: Size,
    ready: Callable[[Organization], None],
    show: Callable[[Live], None],
    beside: Beside = nothing_beside,
) -> None:
    """
    Keep an organization running until cancelled, and show it every second.

    Raises: MailtrustError where a switch does not do what it says.
    """
    lag = DEFAULT_LAG if size.lag is None else size.lag
    latency = max(DEFAULT_LATENCY, lag * 3)
    async with _living(folder, size, lag, latency) as organization, beside(organization):
        ready(organization)
        await attend(organization, show)


async def attend(organization: Organization, show: Callable[[Live], None]) -> None:
    """
    Throw the switches of a running organization, and show it every second, until cancelled.

    Raises: MailtrustError where a switch does not do what it says.
    """
    control = organization.folder / "control"
    control.mkdir(exist_ok=True)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(obey(organization, control))
            tasks.create_task(_watch(organization, show))
    except ExceptionGroup as several:
        # They were cancelled when one of them met what has to be said.
        raise several.exceptions[0] from None


@dataclass(frozen=True, slots=True)
class Live:
    """An organization at one moment: each server as it sees itself, and the mail so far."""

    organization: Organization
    seen: tuple[Assessment, ...]
    mail: Counts


async def _watch(organization: Organization, show: Callable[[Live], None]) -> None:
    while True:
        seen = [await assess(member.site, timeout=timedelta(seconds=1)) for member in organization.members]
        show(Live(organization, tuple(seen), await organization.mail.counts()))
        await asyncio.sleep(_SHOW_EVERY_SECONDS)


@asynccontextmanager
async def _living(
    folder: Path, size: Size, lag: timedelta, latency: timedelta
) -> AsyncIterator[Organization]:
    if not (1 <= size.servers <= _MOST and 1 <= size.replicas <= _MOST):
        raise BadInput(
            f"a lab has 1 to {_MOST} servers and replicas", hint="mailtrust lab --servers 3 --replicas 3"
        )
    if size.directory not in DIRECTORIES:
        raise BadInput(
            f"a lab has no directory {size.directory!r}", hint=f"it can be {' or '.join(DIRECTORIES)}"
        )
    async with open_organization(
        folder, size.directory, servers=size.servers, replicas=size.replicas, lag=lag, latency=latency
    ) as organization:
        sending = asyncio.create_task(organization.mail.run())
        try:
            yield organization
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
