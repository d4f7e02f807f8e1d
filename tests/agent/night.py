"""A night with stuck mail: hub1 with its own hub and store, three replicas, and hub2 as a test wants it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from mailtrust import clock
from mailtrust.agent import act
from mailtrust.agent.serve import hub_of
from mailtrust.agent.site import Site, open_site
from mailtrust.agent.why import Answers, ask
from mailtrust.agent.why_report import why_report
from mailtrust.cli.prose import wide
from mailtrust.cli.why_screen import screen
from mailtrust.config import load
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.plan import Install
from mailtrust.core.model.server import Endpoint
from mailtrust.directory.sqlite import SqliteReplica
from mailtrust.texts import load as load_texts
from mailtrust.transports.hub import Hub, queue_view
from mailtrust.transports.hub.settings import RetrySchedule
from tests.hub.organization import Held, Organization, Running, held
from tests.hub.servers import scripted
from tests.loopback import LOOPBACK, eventually, free_port
from tests.make import HUB1, HUB2

ONCE = RetrySchedule(first=timedelta(hours=1), longest=timedelta(hours=1), jitter=0)
LONG_AGO = timedelta(hours=3)


@dataclass
class Night:
    """What a test turns, and what it reads."""

    folder: Path
    site: Site
    port: int
    """Where hub1 listens."""
    peer: Endpoint
    """Where its route to hub2 leads."""
    stack: AsyncExitStack
    hub: Hub | None = None
    answers: Answers | None = field(default=None)

    def replica(self, name: str) -> SqliteReplica:
        return SqliteReplica(f"sqlite://{self.folder}/{name}.db", timeout=timedelta(seconds=5))

    async def publish(
        self, one: Held | Certificate, *names: str, ago: timedelta = LONG_AGO, server: str = ""
    ) -> None:
        """On these replicas; all three where none is named."""
        leaf = one.certificate if isinstance(one, Held) else one
        where = (Endpoint(LOOPBACK, self.port),) if leaf.names[0] == HUB1 else (self.peer,)
        for name in names or ("dc1", "dc2", "dc3"):
            await self.replica(name).publish(
                server or leaf.names[0],
                leaf.der,
                clock.now() - ago,
                where,  # type: ignore[arg-type]
            )

    async def garbage(self, server: str, *names: str) -> None:
        for name in names or ("dc1", "dc2", "dc3"):
            await self.replica(name).publish(server, b"no certificate", clock.now(), (self.peer,))  # type: ignore[arg-type]

    async def made(self) -> Certificate:
        """A new certificate in the store of hub1."""
        before = {one.certificate.fingerprint for one in self.site.store.installed()}
        await act.perform(self.site, Install(HUB1))
        [new] = [one for one in self.site.store.installed() if one.certificate.fingerprint not in before]
        return new.certificate

    async def enabled(self, *names: str, ago: timedelta = LONG_AGO) -> Certificate:
        """A new certificate, current at hub1 and published long ago at these replicas, else at all."""
        leaf = await self.made()
        await self.publish(leaf, *names, ago=ago)
        await act.enable(self.site, leaf.fingerprint)
        return leaf

    async def peer_hub(self, current: Held | None = None, *, home: str = "dc1", **options: Any) -> Running:
        """hub2, running."""
        made = Organization(self.folder / "there").hub(
            HUB2, port=self.peer.port, current=current or held(HUB2), home=self.replica(home), **options
        )
        return await self.stack.enter_async_context(made)

    async def meets(self, presenting: Held | None, answers: Mapping[str, str] | None = None) -> None:
        """In place of hub2, a server of a few lines."""
        await self.stack.enter_async_context(scripted(presenting, answers, self.peer.port))

    def damage(self, name: str) -> None:
        """Write over a replica's file, as a stray program would."""
        for file in self.folder.glob(f"{name}.db*"):
            file.write_bytes(b"not a database any more\n" * 400)

    async def starts(self) -> Hub:
        """hub1, running."""
        self.hub = hub_of(self.site, retry=ONCE)
        await self.hub.start()
        self.stack.push_async_callback(self.hub.stop)
        return self.hub

    async def sends(self, count: int = 1) -> None:
        """Mail for hub2 that was tried, and waits."""
        hub = self.hub or await self.starts()
        for number in range(count):
            body = f"Subject: {number}\r\n\r\nHello.\r\n".encode()
            await hub.submit(f"a@{HUB1}", (f"b@{HUB2}",), body, clock.now())
        await eventually(
            lambda: [one for one in self.queue() if one.why or one.last_reply], "a message that waits"
        )

    def queue(self) -> Any:
        return queue_view(self.site.config.server.store)

    async def why(self, peer: str | None = HUB2) -> dict[str, Any]:
        """The first answer; its screen fits, in both languages."""
        self.answers = await ask(self.site, peer, timeout=timedelta(seconds=3))
        for language in ("en", "zh"):
            fits(self.screen(language))
        answer: dict[str, Any] = why_report(self.answers, load_texts("en", strict=True))["answers"][0]
        return answer

    def screen(self, language: str = "en") -> str:
        assert self.answers is not None
        return screen(self.answers, load_texts(language, strict=True), lambda command: command)


def fits(shown: str) -> None:
    """20 lines of 80 columns, where Chinese characters take two."""
    lines = shown.splitlines()
    assert len(lines) <= 20, shown
    assert max(map(wide, lines)) <= 80, shown


@asynccontextmanager
async def night(
    folder: Path,
    *,
    latency: str = "15m",
    policy: str = "",
    transport: str = "",
    kind: str = "hub",
    peer: Endpoint | None = None,
) -> AsyncIterator[Night]:
    """hub1 reads dc1 and writes there; nothing is installed, published or running yet."""
    port, peer = free_port(), peer or Endpoint(LOOPBACK, free_port())
    routes = f'[transport.routes]\n"{HUB2}" = "{peer}"\n' if kind == "hub" else ""
    (folder / "there").mkdir()
    urls = ", ".join(f'"sqlite://{folder}/{name}.db"' for name in ("dc1", "dc2", "dc3"))
    file = folder / "hub1.toml"
    file.write_text(
        f"""\
[server]
name = "{HUB1}"
store = "{folder / "store"}"
listeners = ["{LOOPBACK}:{port}"]

[directory]
home = "sqlite://{folder}/dc1.db"
replicas = [{urls}]
latency = "{latency}"

[policy]
key = "p256"
{policy}

[transport]
kind = "{kind}"
local_domains = ["{HUB1}"]
{transport}

{routes}
""",
        encoding="utf-8",
    )
    config = await asyncio.to_thread(load, file, {}, default_name=lambda: HUB1)
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(open_site(config))
        yield Night(folder, site, port, peer, stack)
