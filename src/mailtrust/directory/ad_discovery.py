"""
Which domain controllers there are, found through the directory itself, and what links them.

Any controller names all the others.  Those of home's own site are looked at by default: they are what its
mail servers read.  Those of other sites are *far*: worth a look where somebody asks for all, and no alarm
when a branch cannot be reached from here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal

from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.core.sites import Controller, Forest, latencies
from mailtrust.directory.ad import AdReplica
from mailtrust.directory.ad_forest import Root
from mailtrust.directory.ldap_url import place
from mailtrust.errors import DirectoryUnavailable

Which = Literal["named", "in-site", "all"]
"""Those that the configuration names, those of home's site, or all of the domain."""

_AGAIN_AFTER = timedelta(minutes=10)
"""Controllers come and go in weeks, and connections between them in hours."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, and where."""

    forest: Forest = field(default_factory=Forest)
    controllers: Mapping[str, Controller] = field(default_factory=dict)
    """By the URL under which each is looked at."""
    site: str = ""
    """Home's."""

    def described(self, look: ReplicaSighting, *, with_latency: bool) -> ReplicaSighting:
        """A look, with what the forest says of the controller that it was at."""
        own = self.controllers.get(look.place)
        if own is None:
            return look
        return replace(
            look,
            partners=own.partners,
            read_only=own.read_only,
            far=own.site != self.site,
            latencies=latencies(self.forest, own) if with_latency else {},
        )


class Discovery:
    """
    Finds the controllers of home's domain, and looks again now and then.

    *opened* makes a replica of a URL; *again_after* is how long what was found holds.
    """

    def __init__(
        self, which: Which, opened: Callable[[str], AdReplica], again_after: timedelta = _AGAIN_AFTER
    ) -> None:
        self._which = which
        self._opened = opened
        self._again_after = again_after.total_seconds()
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()
        self.found = Found()
        self.replicas: tuple[AdReplica, ...] = ()
        """Those that nobody named."""

    async def refresh(self, named: Iterable[AdReplica]) -> None:
        """
        Ask, home first, if it is time.  Never raises: where nobody answers, what was known stays.
        """
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if now - self._asked_at < self._again_after:
                return
            for one in (*named, *self.replicas):
                try:
                    root, forest = await one.forest()
                except DirectoryUnavailable:
                    continue
                await self._take_in(one, root, forest, tuple(named))
                self._asked_at = now
                return

    async def _take_in(
        self, asked: AdReplica, root: Root, forest: Forest, named: tuple[AdReplica, ...]
    ) -> None:
        known: dict[str, Controller] = {}
        home_host = await self._host(named[0], asked, root, forest)
        for one in named:
            host = home_host if one is named[0] else await self._host(one, asked, root, forest)
            if (controller := forest.at(host)) is not None:
                known[one.url] = controller
        home = forest.at(home_host)
        site = home.site if home is not None else ""
        kept = {one.url: one for one in self.replicas}
        for controller in self._wanted(forest, root, site):
            if controller not in known.values():
                url = _url(named[0].url, controller.host)
                known[url] = controller
                kept.setdefault(url, self._opened(url))
        for url in kept.keys() - known.keys():
            await kept.pop(url).close()
        self.replicas = tuple(kept[url] for url in known if url in kept)
        self.found = Found(forest, known, site)

    def _wanted(self, forest: Forest, root: Root, site: str) -> Iterable[Controller]:
        if self._which == "named":
            return ()
        domain = str(root.domain).lower()
        of_domain = [
            one for one in forest.controllers
            if not one.contexts or domain in {held.lower() for held in one.contexts}
        ]  # fmt: skip
        return of_domain if self._which == "all" else [one for one in of_domain if one.site == site]

    async def _host(self, one: AdReplica, asked: AdReplica, root: Root, forest: Forest) -> str:
        """The controller's own name; a URL may have another one, or an address."""
        if one is asked:
            return root.host
        host = place(one.url).host.lower()
        if forest.at(host) is not None:
            return host
        try:
            return (await one.forest())[0].host
        except DirectoryUnavailable:
            return host


def _url(like: str, host: str) -> str:
    """The controller *host*, to be reached as the URL *like* has it."""
    where = place(like)
    usual = {"ldap": 389, "ldaps": 636}.get(where.scheme)
    return f"{where.scheme}://{host}" + ("" if where.port == usual else f":{where.port}")
