"""
The agent as a process: the servers of its configuration files, each by itself, until it is told to stop.

A configuration that cannot be used is left out where there are several, and said; at a reload its server goes
on with the one it had.  What happens is told from the journals, so that nothing is done that
`mailtrust events` does not show.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

from mailtrust import clock
from mailtrust.agent.hands import hands
from mailtrust.agent.journal import Entry, Journal
from mailtrust.agent.loop import Round, Tending
from mailtrust.agent.noticing import tell_once
from mailtrust.agent.notify import Systemd
from mailtrust.agent.outgoing import Out
from mailtrust.agent.parts import fell, tend
from mailtrust.agent.shipping import ship_or_say_why
from mailtrust.agent.site import Site, open_site
from mailtrust.agent.supervision import kept_going, sentence
from mailtrust.agent.writer import being_the_agent
from mailtrust.config import Config
from mailtrust.core.events.catalog import AGENT_CONFIGURATION_REFUSED
from mailtrust.core.model.server import ServerName
from mailtrust.errors import BadConfiguration, MailtrustError, Refused, StoreUnavailable
from mailtrust.transports.base import Raised

File = Path | None
"""None: there is no file, and the defaults hold."""
Read = Callable[[], Mapping[File, Config | MailtrustError]]
"""Reads every configuration anew."""
LONGEST_BEAT = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Telling:
    """Where the agent says what it does."""

    entries: Callable[[Site, tuple[Entry, ...]], None]
    """What came into a server's journal since the last time."""
    complaint: Callable[[str], None]
    """What no journal can hold."""
    manager: Systemd = field(default_factory=Systemd)
    out: Out = field(default_factory=Out)


async def usable(
    found: Mapping[File, Config | MailtrustError], before: Mapping[File, Config]
) -> tuple[dict[File, Config], dict[File, MailtrustError]]:
    """
    The configurations to go by: those that can be used, of the others what was there *before*; and why not.
    """
    good: dict[File, Config] = {}
    refused: dict[File, MailtrustError] = {}
    for file, one in found.items():
        error = one if isinstance(one, MailtrustError) else await _complaint_about(one)
        if error is None and isinstance(one, Config):
            good[file] = one
        elif error is not None:
            refused[file] = error
            if file in before:
                good[file] = before[file]
    return good, refused


async def once(read: Read, telling: Telling) -> tuple[bool, dict[ServerName, Round]]:
    """
    One round for every server; False where something could not be done or looked at.

    Raises: MailtrustError where no configuration can be used, or the only server has its agent already.
    """
    configs, refused = await usable(read(), {})
    _complain(configs, refused, telling)
    rounds: dict[ServerName, Round] = {}
    well = not refused
    for config in configs.values():
        async with open_site(config) as site:
            diary = _Diary(site, telling)
            try:
                async with being_the_agent(site.store.folder, clock.now()):
                    found = await Tending(site, hands(site), asyncio.Event(), lambda _: None).round()
            except MailtrustError as error:
                if len(configs) == 1:
                    raise
                telling.complaint(f"{site.server}: {sentence(error)}")
                well = False
                continue
            rounds[site.server] = found
            well = well and not (found.failed or found.unread)
            diary.tell()
            await asyncio.to_thread(ship_or_say_why, config, telling.out.shelf, clock.now())
            await asyncio.to_thread(tell_once, config, telling.out.shelf, clock.now())
    return well, rounds


class Agent:
    """All of it: `run` returns when `stop` was called and every server's act at hand is done."""

    def __init__(self, read: Read, telling: Telling) -> None:
        self._read = read
        self._telling = telling
        self._stopping = asyncio.Event()
        self._asked = asyncio.Event()
        """To reload, or to stop."""
        self._reload = False

    @property
    def is_stopping(self) -> bool:
        """True once `stop` was called."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Finish what is at hand, and end."""
        self._stopping.set()
        self._asked.set()

    def reload(self) -> None:
        """Read the configuration again."""
        self._reload = True
        self._asked.set()

    async def run(self) -> None:
        """
        Look after every server until `stop`.

        Raises: MailtrustError where no configuration can be used, or every server has its agent already.
        """
        configs, refused = await usable(self._read(), {})
        _complain(configs, refused, self._telling)
        await _refuse_a_second(configs.values())
        while not self._stopping.is_set():
            configs = await self._generation(configs)
        self._telling.manager.stopping()

    async def _generation(self, configs: dict[File, Config]) -> dict[File, Config]:
        """One configuration, until there is another or we are to stop; the next one."""
        ending = asyncio.Event()
        async with AsyncExitStack() as opened:
            sites = [await opened.enter_async_context(open_site(one)) for one in configs.values()]
            turning = Turning(sites, self._telling)
            beat = min(LONGEST_BEAT, (self._telling.manager.watchdog or LONGEST_BEAT * 3) / 3)
            servers = [asyncio.create_task(self._server(one, turning, ending, beat)) for one in sites]
            try:
                following = await self._following(configs)
                if self._stopping.is_set():
                    self._telling.manager.stopping()
            finally:
                ending.set()
                await asyncio.gather(*servers)
        return following

    async def _server(self, site: Site, turning: Turning, ending: asyncio.Event, beat: timedelta) -> None:
        turned = partial(turning.turned, site)
        work = partial(tend, site, hands(site), ending, turned, beat, self._telling.out)

        def ended(part: str, why: str) -> None:
            fell(site, part, why)
            turned(Round(failed=(why,)))

        await kept_going("the agent", work, ended, until=ending)

    async def _following(self, configs: dict[File, Config]) -> dict[File, Config]:
        while True:
            await self._asked.wait()
            self._asked.clear()
            if self._stopping.is_set():
                return configs
            if self._reload:
                self._reload = False
                self._telling.manager.reloading()
                found = await self._read_again(configs)
                if found and found != configs:
                    return found
                self._telling.manager.ready()

    async def _read_again(self, configs: dict[File, Config]) -> dict[File, Config]:
        try:
            found, refused = await usable(self._read(), configs)
        except MailtrustError as unreadable:
            found, refused = configs, dict.fromkeys(configs, unreadable)
        for file, error in refused.items():
            self._refused(configs.get(file), file, error)
        return found

    def _refused(self, kept: Config | None, file: File, error: MailtrustError) -> None:
        self._telling.complaint(
            f"the old configuration holds: {sentence(error)}" if kept else sentence(error)
        )
        if kept is not None:
            values = {"file": str(file or "the defaults"), "why": sentence(error)}
            raised = Raised(AGENT_CONFIGURATION_REFUSED, kept.server.name, values["file"], values)
            with suppress(StoreUnavailable):
                Journal(kept.server.store).record_raised(raised, clock.now())


class Turning:
    """Whether every server's loop goes round; and what it tells."""

    def __init__(self, sites: Iterable[Site], telling: Telling) -> None:
        self._telling = telling
        self._diaries = {site.server: _Diary(site, telling) for site in sites}
        self._turned: set[ServerName] = set()
        self._status: dict[ServerName, str] = {}
        self._is_ready = False

    def turned(self, site: Site, found: Round | None) -> None:
        """A server's loop went on; *found* where it ended a round."""
        manager = self._telling.manager
        self._turned.add(site.server)
        if self._turned == self._diaries.keys():
            # Only when all of them turn: one that hangs is to be seen.
            self._turned.clear()
            manager.turning()
        if found is None:
            return
        self._diaries[site.server].tell()
        if self._status.get(site.server) != found.status:
            self._status[site.server] = found.status
            manager.status("; ".join(f"{name}: {text}" for name, text in sorted(self._status.items())))
        if not self._is_ready and self._status.keys() == self._diaries.keys():
            self._is_ready = True
            manager.ready()


class _Diary:
    """What came into a server's journal since the last time, whoever wrote it."""

    def __init__(self, site: Site, telling: Telling) -> None:
        self._site = site
        self._telling = telling
        self._last: int | None = None
        with suppress(StoreUnavailable):
            self._last = max((one.id for one in site.journal.entries(limit=1)), default=0)

    def tell(self) -> None:
        """Tell it."""
        try:
            found = self._site.journal.entries(after_id=self._last or 0)
        except StoreUnavailable as error:
            self._telling.complaint(sentence(error))
            return
        if self._last is not None and found:
            self._telling.entries(self._site, found)
        self._last = max((one.id for one in found), default=self._last or 0)


async def _complaint_about(config: Config) -> MailtrustError | None:
    """Why there can be no site of it; opening one touches nothing."""
    try:
        async with open_site(config):
            return None
    except MailtrustError as error:
        return error


def _complain(
    configs: Mapping[File, Config], refused: Mapping[File, MailtrustError], telling: Telling
) -> None:
    if not configs:
        raise next(iter(refused.values()), None) or BadConfiguration(
            "there is no configuration to go by", hint="`mailtrust init` writes one"
        )
    for error in refused.values():
        telling.complaint(sentence(error))


async def _refuse_a_second(configs: Iterable[Config]) -> None:
    """Raises: Refused where each of these servers has its agent already, so that nothing is left to do."""
    refusals: list[Refused] = []
    for config in configs:
        try:
            async with being_the_agent(config.server.store, clock.now()):
                return
        except Refused as error:
            refusals.append(error)
        except StoreUnavailable:
            # It may come back, and is said when the loop begins.
            return
    if refusals:
        raise refusals[0]
