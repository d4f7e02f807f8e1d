"""A dashboard that is up, over an organization that a test makes and changes."""

from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from mailtrust import clock
from mailtrust.agent.look import Assessment
from mailtrust.agent.site import Site
from mailtrust.core.checks import diagnose, verdict
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import ReplicaSighting, Slot, View
from mailtrust.core.policy import Policy
from mailtrust.errors import MailtrustError
from mailtrust.web.security import Access
from mailtrust.web.serve import serving
from mailtrust.web.source import Corner
from tests.loopback import LOOPBACK, PATIENCE, free_port
from tests.make import NOON, a_certificate, a_replica, a_store, a_view, a_wire, an_unread_replica, installed

DC1, DC2, DC3 = "sqlite:///srv/dc1.db", "sqlite:///srv/dc2.db", "sqlite:///srv/dc3.db"
EVERY = timedelta(milliseconds=50)


def a_corner(view: View, *, viewpoint: str | None = None, where: str = "") -> Corner:
    """What a look that saw *view* tells; commands are typed with a configuration."""
    servers = view.servers()
    server = ServerName(viewpoint or servers[0])
    now, policy = clock.now(), Policy()
    diagnosis = diagnose(view, {}, policy, now, servers, server)
    seen = Assessment(now, server, servers, view, {}, diagnosis, verdict(diagnosis, view, servers), policy)

    def typed(action: str) -> str:
        return action.replace("mailtrust", "mailtrust --config /srv/it.toml", 1)

    # These pages ask nothing of a site; those that do have a real one.
    return Corner(cast("Site", None), seen, typed, where)


@cache
def a_healthy(name: str, key: str = "a") -> View:
    """A server whose copies agree, with its standing successor."""
    server, leaf, following = (
        ServerName(name),
        a_certificate(name, key=key),
        a_certificate(name, key=f"{key}n"),
    )
    store = a_store(installed(leaf, Slot.CURRENT), installed(following, Slot.NEXT), server=server)
    looks = (a_replica(url, leaf, following, server=server, home=url == DC1) for url in (DC1, DC2, DC3))
    return a_view(store, a_wire(leaf, server=server), *looks)


@cache
def a_missing(name: str, key: str = "b") -> View:
    """12012 not-enabled: a newer certificate is installed, and nowhere published."""
    server, old, new = ServerName(name), a_certificate(name, key=key), a_certificate(name, key=f"{key}2")
    store = a_store(installed(old, Slot.CURRENT), installed(new, arrived_at=NOON), server=server)
    looks = (a_replica(url, old, server=server, home=url == DC1) for url in (DC1, DC2, DC3))
    return a_view(store, a_wire(old, server=server), *looks)


@cache
def half_unread(name: str, key: str = "c") -> View:
    """All is well where one could look, and home cannot be read."""
    server, leaf = ServerName(name), a_certificate(name, key=key)
    looks: list[ReplicaSighting] = [a_replica(url, leaf, server=server, home=False) for url in (DC2, DC3)]
    unread = an_unread_replica(DC1, server=server)
    return a_view(
        a_store(installed(leaf, Slot.CURRENT), server=server), a_wire(leaf, server=server), unread, *looks
    )


@dataclass
class Scene:
    """A source whose corners a test exchanges; a look that fails is an error in their place."""

    corners: tuple[Corner, ...] | MailtrustError = ()
    looks: int = 0

    async def look(self) -> tuple[Corner, ...]:
        self.looks += 1
        if isinstance(self.corners, MailtrustError):
            raise self.corners
        return self.corners

    def show(self, *views: View) -> None:
        """From now on this is seen."""
        self.corners = tuple(a_corner(view) for view in views)


@dataclass(frozen=True)
class Answer:
    """What a page answered."""

    status: int
    headers: Mapping[str, str]
    text: str


@dataclass
class Up:
    """The dashboard, in a thread of its own."""

    scene: Scene
    access: Access = field(default_factory=Access)
    port: int = field(default_factory=free_port)
    language: str = "en"

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/"

    def __enter__(self) -> Self:
        self._up = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        assert self._up.wait(PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(PATIENCE)
        self._loop.close()

    async def _serve(self) -> None:
        self._ending = asyncio.Event()
        listen = Endpoint(LOOPBACK, self.port)
        async with serving(self.scene, listen, self.access, every=EVERY, language=self.language):
            self._up.set()
            await self._ending.wait()

    def ask(self, path: str = "/", method: str = "GET", **headers: str) -> Answer:
        """One request; a header's name is written with low lines."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=PATIENCE)
        try:
            connection.putrequest(method, path, skip_host="Host" in named)
            for name, value in named.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            headers_ = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, headers_, answer.read().decode())
        finally:
            connection.close()

    @contextmanager
    def listening(self) -> Iterator[Iterator[str]]:
        """The lines of the live channel."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=PATIENCE)
        connection.request("GET", "/live")
        answer = connection.getresponse()
        try:
            yield (line.decode().rstrip("\n") for line in answer)
        finally:
            connection.close()


def source_files() -> list[Path]:
    """Everything that a browser gets."""
    here = Path(__file__).parents[2] / "src" / "mailtrust" / "web"
    return sorted(one for folder in ("templates", "static") for one in (here / folder).iterdir())
