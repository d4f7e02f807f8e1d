"""
Servers whose rotations are carried by a `mailtrust agent` of their own, which is killed at it with -9.

Where an agent is to die is seen from outside: by the checklist as the store, the directory and the journal
have it, by the lock that it holds while it looks, decides and acts, and by the files that it makes.  Where it
really died is looked up afterwards, when nothing moves any more.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mailtrust.agent import rotate
from mailtrust.agent.look import OWN, look
from mailtrust.agent.site import Site
from mailtrust.agent.writer import LOCK_FILE
from mailtrust.certificates.slots import SLOTS_FILE
from mailtrust.certificates.store import CERTIFICATES
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.plan import Gate, Phase, Plan
from mailtrust.core.model.sighting import Slot, View

PATIENCE_SECONDS = 120.0
_LOOK_AGAIN_SECONDS = 0.2
_LOOK_CLOSELY_SECONDS = 0.0005


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a server has come."""

    why: str
    plan: Plan | None

    @property
    def phase(self) -> Phase:
        if self.plan is None:
            return Phase.DONE
        asks = any(one.said.phrase == "obstacle.not-rehearsed" for one in self.plan.obstacles)
        # Peers are asked in the same step that presents: what comes next is the switch.
        return Phase.PRESENT if asks else self.plan.phase

    @property
    def is_counting(self) -> bool:
        """True where nothing but time is left to wait for."""
        return self.plan is not None and all(one.gate is Gate.TIME for one in self.plan.obstacles)


@dataclass
class Server:
    """One of them; its agent runs between `start` and `kill` or `stop`."""

    site: Site
    config: Path
    killed: Counter[Phase] = field(default_factory=Counter)
    """How often its agent died, by what it was at."""
    _agent: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return self.site.server

    @property
    def log(self) -> Path:
        return self.config.with_suffix(".log")

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._agent = subprocess.Popen([*_words(self.config), "agent"], stdout=log, stderr=log)

    async def kill(self) -> Phase:
        """With -9; what it was at, as it comes out."""
        agent, self._agent = self._agent, None
        assert agent is not None
        assert agent.poll() is None, self.log.read_text()[-2000:]
        agent.kill()
        agent.wait()
        return await self._died()

    def stop(self) -> None:
        """As systemd would; nothing where it does not run."""
        agent, self._agent = self._agent, None
        if agent is not None:
            agent.terminate()
            agent.wait(30)

    async def type(self, *words: str) -> dict[str, Any]:
        """A command, by a hand in another terminal; what it says as JSON."""
        line = [*_words(self.config), *words, "--json"]
        done = await asyncio.to_thread(subprocess.run, line, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    def following(self, view: View) -> Certificate | None:
        """Its next certificate."""
        store = view.store(self.site.server)
        held = [one for one in (store.found if store else None) or () if one.slot is Slot.NEXT]
        return held[-1].certificate if held else None

    async def view(self, *, wire: bool = False) -> View:
        return (await look(self.site, OWN, wire=wire))[0]

    async def standing(self) -> Standing:
        """What is under way, and the first line that is not ticked."""
        _, found = rotate.lines(self.site.server, await self.view(wire=True), self.site.policy)
        return Standing(found.why, found.plan) if found else Standing("", None)

    async def until(self, holds: Callable[[View], bool]) -> None:
        """Whatever runs goes on until that is so."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not holds(await self.view()):  # noqa: ASYNC110  # another process makes it so
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def comes_to(self, phase: Phase, *, counting: bool = False) -> bool:
        """
        Whatever runs goes on until *phase* is reached; with *counting*: until only time is left to wait for.

        False where it was gone through before we saw it, as a busy machine does.
        """
        order, deadline = list(Phase), time.monotonic() + PATIENCE_SECONDS
        while True:
            seen = await self.standing()
            if self._agent is None:
                # It may have died before it put on record since when: waits are counted from there.
                rotate.remember(self.site, await self.view(wire=True))
            if seen.phase is phase and (seen.is_counting or not counting):
                return True
            if order.index(seen.phase) > order.index(phase):
                return False
            assert time.monotonic() < deadline, f"{self.name} never came to {phase}: {seen}"
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def killed_in(self, phase: Phase, *, counting: bool = False) -> bool:
        """
        Kill it when *phase* is reached; False where that phase was not seen, so that it runs yet.
        """
        if not await self.comes_to(phase, counting=counting):
            return False
        await self.kill()
        return True

    async def killed_at_work(self) -> Phase:
        """Start it, and kill it as soon as it looks, decides and acts."""
        self.start()
        assert self._agent is not None
        pid, lock = self._agent.pid, self.site.store.folder / LOCK_FILE
        await asyncio.to_thread(_once, lambda: _holder(lock) == pid)
        return await self.kill()

    async def killed_having(self, done: Callable[[Path], object]) -> Phase:
        """Start it, and kill it as soon as *done* says something else of the folder of its certificates."""
        folder = self.site.store.folder / CERTIFICATES
        before = done(folder)
        self.start()
        await asyncio.to_thread(_once, lambda: done(folder) != before)
        return await self.kill()

    async def _died(self) -> Phase:
        died = await self.standing()
        self.killed[died.phase] += 1
        return died.phase


def made(certificates: Path) -> object:
    """For `killed_having`: it has made a certificate, and not published it."""
    return {one for one in os.listdir(certificates) if one.endswith(".crt")}  # noqa: PTH208  # every half ms


def switched(certificates: Path) -> object:
    """For `killed_having`: it has made one the current one, and told nobody."""
    found = (certificates / SLOTS_FILE).stat()
    return found.st_ino, found.st_mtime_ns


def knows_next(one: Server) -> Callable[[View], bool]:
    """Whether every replica has its next certificate."""

    def holds(view: View) -> bool:
        following, looks = one.following(view), view.replicas(one.site.server)
        return following is not None and all(following.pin in look.pins for look in looks)

    return holds


def has_ended(view: View) -> bool:
    """True while no rotation is on record that has not come to its end."""
    return view.history.intent is None


def _once(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(_LOOK_CLOSELY_SECONDS)


def _holder(lock: Path) -> object:
    with suppress(OSError, ValueError, KeyError):
        return json.loads(lock.read_text())["process"]
    return None


def _words(config: Path) -> list[str]:
    return [sys.executable, "-m", "mailtrust", "--config", str(config)]
