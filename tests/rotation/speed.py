"""
How fast an emergency is: from the command to the last process that presents the next certificate, and to the
last peer that refuses the old one.
"""

from __future__ import annotations

import asyncio
import smtplib
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from mailtrust import clock
from mailtrust.agent import rotate
from mailtrust.certificates.formats import write_pem
from mailtrust.core import succession
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.plan import Phase
from mailtrust.core.model.sighting import View
from mailtrust.core.rotation import plan
from mailtrust.core.succession import pace_of
from mailtrust.probes.smtp import probe
from tests.postfix import answer, session
from tests.rotation.servers import Server

_AGAIN_SECONDS = 0.02
_PATIENCE = timedelta(seconds=30)
_BELIEVED = 250


@dataclass(frozen=True, slots=True)
class Now:
    """`rotate now`, in seconds since it was typed."""

    listeners: float
    """Until every listener presented the next certificate."""
    processes: float
    """Until no process was left that had read the one before; as `listeners` where there is but one."""
    command: float
    """Until it had ended."""


@dataclass(frozen=True, slots=True)
class Compromised:
    """`rotate compromised`, in seconds since it was typed."""

    refused: float
    """Until every peer refused the old key, in open sessions too."""
    bound: float
    """That it printed."""
    command: float


async def prepared(one: Server) -> None:
    """Make the next certificate, and wait until it is known everywhere for long enough."""
    await one.type("rotate", "prepare", "--yes")

    def may_switch(view: View) -> bool:
        # As every look that is on record does: waits are counted from there.
        rotate.remember(one.site, view)
        rotation = succession.start(one.site.server, view)
        assert rotation is not None
        return plan(rotation, view, pace_of("now", one.site.policy), clock.now()).phase is Phase.PRESENT

    await one.until(may_switch)


async def switch_now(one: Server, old_processes: Callable[[], Sequence[int]] = tuple) -> Now:
    """Type it, and look; the next certificate is known everywhere already."""
    following = one.following(await one.view())
    assert following is not None
    processes = set(old_processes())
    began = time.monotonic()

    async def gone() -> float:
        while processes & set(await asyncio.to_thread(old_processes)):  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(_AGAIN_SECONDS)
        return time.monotonic() - began

    async def typed() -> float:
        await one.type("rotate", "now", "--yes")
        return time.monotonic() - began

    shown, left, command = await asyncio.gather(_shows(one, following, began), gone(), typed())
    return Now(shown, max(shown, left), command)


async def compromise(one: Server, peers: Sequence[int], folder: Path) -> Compromised:
    """Type it, and ask every one of *peers* (ports) with the old key until all refuse it."""
    credential = one.site.store.credential()
    assert credential is not None
    stolen = folder / "stolen.pem"
    stolen.touch(mode=0o600)
    stolen.write_bytes(write_pem((credential.certificate, *credential.chain), credential.key))
    # In threads: a peer may live on this loop.
    codes = await asyncio.gather(*(asyncio.to_thread(_asked_once, port, stolen) for port in peers))
    assert codes == [_BELIEVED] * len(peers)
    began, wall = time.monotonic(), clock.now()
    asked = [asyncio.create_task(asyncio.to_thread(_until_refused, port, stolen)) for port in peers]
    said = await one.type("rotate", "compromised", "--yes")
    command = time.monotonic() - began
    refused = max(await asyncio.gather(*asked)) - began
    until = datetime.fromisoformat(said["believed_at_most_until"])
    return Compromised(refused, (until - wall).total_seconds(), command)


async def _shows(one: Server, leaf: Certificate, began: float) -> float:
    targets = [(one.site.server, endpoint) for endpoint in one.site.config.server.listeners]
    while True:
        looks = [look async for look in probe(targets, timeout=_PATIENCE, now=clock.now)]
        if all(look.found and look.found[0].pin == leaf.pin for look in looks):
            return time.monotonic() - began
        await asyncio.sleep(_AGAIN_SECONDS)


def _asked_once(port: int, stolen: Path) -> int:
    with session(port, chain=stolen) as peer:
        return answer(peer, _box(peer)).code


def _until_refused(port: int, stolen: Path) -> float:
    """When it did, in the session that was open, or in the next one where the peer has had enough of it."""
    while True:
        with session(port, chain=stolen) as peer, suppress(smtplib.SMTPServerDisconnected):
            while answer(peer, _box(peer)).code == _BELIEVED:
                time.sleep(_AGAIN_SECONDS)
            return time.monotonic()


def _box(peer: smtplib.SMTP) -> str:
    """At the name by which it greeted us: its mail ends there."""
    return f"postmaster@{(peer.ehlo_resp or b'').decode().split()[0]}"
